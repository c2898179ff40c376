/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Hairpinning: two inside hosts by their external ends, and what filtering says to that. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <linux/bpf.h>

#include <cmocka.h>

#include "box.h"

#define HOST "10.77.0.2"
#define OTHER "10.77.0.3"
#define SERVER "198.51.100.7"
#define EXTERNAL "203.0.113.1"

enum {
	EDF = NATXDP_FILTERING_ENDPOINT_DEPENDENT,
	ADF = NATXDP_FILTERING_ADDRESS_DEPENDENT,
	EIF = NATXDP_FILTERING_ENDPOINT_INDEPENDENT
};
enum { EIM = NATXDP_MAPPING_ENDPOINT_INDEPENDENT };

static struct frame packet(uint8_t proto, const char *from, uint16_t sport, const char *to,
			   uint16_t dport)
{
	struct frame f = { .proto = proto, .sport = sport, .dport = dport, .payload = 20 };

	f.saddr = addr(from);
	f.daddr = addr(to);
	if (proto == IPPROTO_TCP)
		f.tcp_flags = 0x02;
	return f;
}

/* RFC 4787, REQ-9: by the mapped port, and with the sender's external end as source. */
static void hairpin(bool two, uint8_t proto)
{
	struct box_options options = {
		.two_armed = two, .mapping = EIM, .filtering = EIF, .features = NATXDP_HAIRPIN
	};
	struct box *box = box_open(&options);
	enum box_side side = two ? BOX_INSIDE : BOX_SINGLE;
	struct frame host = packet(proto, HOST, 5000, SERVER, 53), f;
	uint16_t mapped, mine;
	struct output o;

	box_run(box, side, &host, &o);
	mapped = o.f.sport;
	f = packet(proto, OTHER, 6000, EXTERNAL, mapped);
	box_run(box, side, &f, &o);
	assert_int_equal(o.reason, NATXDP_OUT_FORWARDED);
	assert_int_equal(o.verdict, two ? XDP_REDIRECT : XDP_TX);
	assert_true(o.sound);
	assert_int_equal(o.f.saddr, addr(EXTERNAL));
	assert_int_equal(o.f.daddr, addr(HOST));
	assert_int_equal(o.f.dport, 5000);
	assert_int_equal(o.f.ttl, 63);
	mine = o.f.sport;
	assert_int_not_equal(mine, mapped);
	if (two)
		assert_memory_equal(o.f.dst_mac, box_host_mac, 6);

	f = packet(proto, HOST, 5000, EXTERNAL, mine);
	f.tcp_flags = 0x12;
	box_run(box, side, &f, &o);
	assert_int_equal(o.reason, NATXDP_IN_FORWARDED);
	assert_true(o.sound);
	assert_int_equal(o.f.saddr, addr(EXTERNAL));
	assert_int_equal(o.f.sport, mapped);
	assert_int_equal(o.f.daddr, addr(OTHER));
	assert_int_equal(o.f.dport, 6000);
	/* the sender's end is the same to the outside world */
	f = packet(proto, OTHER, 6000, SERVER, 53);
	box_run(box, side, &f, &o);
	assert_int_equal(o.f.sport, mine);
	/* a port that nobody has is the box's own business */
	f = packet(proto, OTHER, 6000, EXTERNAL, mapped == 2000 ? 2001 : 2000);
	box_run(box, side, &f, &o);
	assert_int_equal(o.reason, NATXDP_PASS_HOST);
	box_close(box);
}

static void test_hairpin(void **state)
{
	(void)state;
	hairpin(true, IPPROTO_UDP);
	hairpin(true, IPPROTO_TCP);
	hairpin(false, IPPROTO_UDP);
}

/* What two inside hosts that punch holes towards each other see of each other. */
struct punch {
	struct box *box;
	uint16_t host, other; /* their external ports, as a server has told them */
};

/* Each of the two has a mapping. */
static void punch_open(struct punch *p, const struct box_options *options, uint8_t proto)
{
	struct frame host = packet(proto, HOST, 5000, SERVER, 53);
	struct frame other = packet(proto, OTHER, 6000, SERVER, 53);
	struct output o;

	p->box = box_open(options);
	box_run(p->box, options->two_armed ? BOX_INSIDE : BOX_SINGLE, &host, &o);
	assert_int_equal(o.reason, NATXDP_OUT_FORWARDED);
	p->host = o.f.sport;
	box_run(p->box, options->two_armed ? BOX_INSIDE : BOX_SINGLE, &other, &o);
	p->other = o.f.sport;
}

/*
 * RFC 4787, REQ-8 and REQ-9; RFC 5128, section 3.3: what the receiver's
 * filtering refuses has still opened the sender's own for the answer.
 */
static void punching(bool two, uint8_t proto, uint32_t kind)
{
	struct box_options options = {
		.two_armed = two, .mapping = EIM, .filtering = kind, .features = NATXDP_HAIRPIN
	};
	enum box_side side = two ? BOX_INSIDE : BOX_SINGLE;
	unsigned int before, after, dead, i;
	struct frame a, b;
	struct output o;
	struct punch p;

	punch_open(&p, &options, proto);
	a = packet(proto, OTHER, 6000, EXTERNAL, p.host);
	b = packet(proto, HOST, 5000, EXTERNAL, p.other);
	box_count(p.box, &before, &dead);
	for (i = 0; i < 3; i++) { /* however often it tries */
		box_run(p.box, side, &a, &o);
		assert_int_equal(o.reason, NATXDP_DROP_UNSOLICITED);
		box_count(p.box, &after, &dead);
		assert_int_equal(after, before + (kind == ADF ? 4 : 2));
		assert_int_equal(dead, 0);
	}
	/* nobody else is let in by that: not with endpoint-dependent filtering */
	if (kind == EDF) {
		b.sport = 5001;
		box_run(p.box, side, &b, &o);
		assert_int_equal(o.reason, NATXDP_DROP_UNSOLICITED);
		b.sport = 5000;
	}
	box_run(p.box, side, &b, &o);
	assert_int_equal(o.reason, NATXDP_OUT_FORWARDED);
	assert_true(o.sound);
	assert_int_equal(o.f.saddr, addr(EXTERNAL));
	assert_int_equal(o.f.sport, p.host);
	assert_int_equal(o.f.daddr, addr(OTHER));
	assert_int_equal(o.f.dport, 6000);
	/* and now the first one gets through: of TCP its SYN again, or the answer to the other's */
	for (i = 0; i < 2; i++) {
		a.tcp_flags = proto == IPPROTO_TCP ? i ? 0x12 : 0x02 : 0;
		box_run(p.box, side, &a, &o);
		assert_int_equal(o.reason, NATXDP_IN_FORWARDED);
		assert_true(o.sound);
		assert_int_equal(o.f.sport, p.other);
		assert_int_equal(o.f.daddr, addr(HOST));
		assert_int_equal(o.f.dport, 5000);
	}
	box_close(p.box);
}

static void test_punching(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		punching(i & 1, i & 2 ? IPPROTO_TCP : IPPROTO_UDP, ADF);
		punching(i & 1, i & 2 ? IPPROTO_TCP : IPPROTO_UDP, EDF);
	}
}

/* What was refused lets in no longer than a flow of its kind lives, but so long. */
static void punch_closes(uint32_t kind)
{
	struct box_options options = { .mapping = EIM,
				       .filtering = kind,
				       .features = NATXDP_HAIRPIN,
				       .timeout = 1,
				       .limit_flows = 2 };
	struct frame a, b, keep;
	unsigned int i, live, dead;
	struct output o;
	struct punch p;

	punch_open(&p, &options, IPPROTO_UDP);
	a = packet(IPPROTO_UDP, OTHER, 6000, EXTERNAL, p.host);
	b = packet(IPPROTO_UDP, HOST, 5000, EXTERNAL, p.other);
	keep = packet(IPPROTO_UDP, HOST, 5000, SERVER, 53);
	for (i = 0; i < 20; i++) { /* twice the timeout: each packet refreshes */
		box_run(p.box, BOX_SINGLE, &a, &o);
		assert_int_equal(o.reason, NATXDP_DROP_UNSOLICITED);
		box_run(p.box, BOX_SINGLE, &keep, &o);
		usleep(100000);
	}
	/* it counts as one of the sender's flows; that to the server has expired by now */
	keep = packet(IPPROTO_UDP, OTHER, 6000, SERVER, 54);
	box_run(p.box, BOX_SINGLE, &keep, &o);
	assert_int_equal(o.reason, NATXDP_OUT_FORWARDED);
	assert_int_equal(o.f.sport, p.other); /* the mapping is held */
	keep.dport = 55;
	box_run(p.box, BOX_SINGLE, &keep, &o);
	assert_int_equal(o.reason, NATXDP_DROP_LIMIT);
	box_run(p.box, BOX_SINGLE, &b, &o);
	assert_int_equal(o.reason, NATXDP_OUT_FORWARDED);

	/* all gone: nothing is left, and nothing let in */
	assert_true(box_wait(p.box, 0, 10));
	box_run(p.box, BOX_SINGLE, &a, &o);
	assert_int_equal(o.reason, NATXDP_PASS_HOST); /* the mapping has gone, too */
	box_count(p.box, &live, &dead);
	assert_int_equal(live, 0);
	box_close(p.box);
}

static void test_punch_closes(void **state)
{
	(void)state;
	punch_closes(ADF);
	punch_closes(EDF);
}

/* The same with a mapping that lives on: the answer comes too late. */
static void punch_too_late(uint32_t kind)
{
	struct box_options options = {
		.mapping = EIM, .filtering = kind, .features = NATXDP_HAIRPIN, .timeout = 0.7
	};
	struct frame a, b, keep;
	struct output o;
	unsigned int i;
	struct punch p;

	punch_open(&p, &options, IPPROTO_UDP);
	a = packet(IPPROTO_UDP, OTHER, 6000, EXTERNAL, p.host);
	b = packet(IPPROTO_UDP, HOST, 5000, EXTERNAL, p.other);
	box_run(p.box, BOX_SINGLE, &a, &o);
	assert_int_equal(o.reason, NATXDP_DROP_UNSOLICITED);
	for (i = 0; i < 30; i++) { /* a pass of the sweeper takes a second */
		keep = packet(IPPROTO_UDP, OTHER, 6000, SERVER, 53);
		box_run(p.box, BOX_SINGLE, &keep, &o);
		assert_int_equal(o.f.sport, p.other);
		keep = packet(IPPROTO_UDP, HOST, 5000, SERVER, 53);
		box_run(p.box, BOX_SINGLE, &keep, &o);
		assert_int_equal(o.f.sport, p.host);
		usleep(100000);
	}
	box_run(p.box, BOX_SINGLE, &b, &o);
	assert_int_equal(o.reason, NATXDP_DROP_UNSOLICITED);
	/* but that one counts as a packet, too */
	box_run(p.box, BOX_SINGLE, &a, &o);
	assert_int_equal(o.reason, NATXDP_OUT_FORWARDED);
	box_close(p.box);
}

static void test_punch_too_late(void **state)
{
	(void)state;
	punch_too_late(ADF);
	punch_too_late(EDF);
}

/* Without the feature nothing turns back, and nothing is left of it. */
static void test_hairpin_off(void **state)
{
	struct box_options options = { .two_armed = true, .mapping = EIM, .filtering = EIF };
	unsigned int before, after, dead;
	struct output o;
	struct frame f;
	struct punch p;

	(void)state;
	punch_open(&p, &options, IPPROTO_UDP);
	f = packet(IPPROTO_UDP, OTHER, 6000, EXTERNAL, p.host);
	box_count(p.box, &before, &dead);
	box_run(p.box, BOX_INSIDE, &f, &o);
	assert_int_equal(o.reason, NATXDP_PASS_HOST);
	box_count(p.box, &after, &dead);
	assert_int_equal(before, after);
	box_close(p.box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hairpin),	     cmocka_unit_test(test_punching),
		cmocka_unit_test(test_punch_closes), cmocka_unit_test(test_punch_too_late),
		cmocka_unit_test(test_hairpin_off),
	};

	return cmocka_run_group_tests_name("prog/hairpin", tests, NULL, NULL);
}
