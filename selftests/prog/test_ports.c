/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* External ports: the range, the pairing, and that every one of them is given out. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <cmocka.h>

#include "box.h"

#define SERVER "198.51.100.7"

/* No port: answered, or not because answers are limited. */
static bool refused(const struct output *out)
{
	return out->reason == NATXDP_REPLY_NO_PORT || out->reason == NATXDP_DROP_NO_PORT;
}

static struct frame datagram(uint32_t host, uint16_t sport)
{
	struct frame f = { .proto = IPPROTO_UDP, .sport = sport, .dport = 53 };

	f.saddr = addr("10.77.0.2") + host;
	f.daddr = addr(SERVER);
	return f;
}

/* What one packet may cost: so many ports are looked for in the table at most (bpf/ports.bpf.h). */
enum { TRIES_MOST = 1024 + 16 + 16 };

/* The same as box_run(), and not too long a search. */
static void run_bounded(struct box *box, const struct frame *f, struct output *out)
{
	uint64_t before = box_event(box, NATXDP_EVENT_PORT_TRIES);

	box_run(box, BOX_SINGLE, f, out);
	assert_in_range(box_event(box, NATXDP_EVENT_PORT_TRIES) - before, 0, TRIES_MOST);
}

/*
 * One destination gets every port of the range before the first is refused,
 * and to the end they are hard to guess: few follow from the one before.
 */
static void test_every_port(void **state)
{
	struct box_options options = { .port_min = 1024, .port_max = 65535, .max_flows = 70000 };
	struct box *box = box_open(&options);
	static bool given[65536];
	unsigned int want = 61000 - 1024; /* from there on they are the host's */
	unsigned int i, last = 0, follow = 0;
	struct output out;
	struct frame f;

	(void)state;
	memset(given, 0, sizeof(given));
	for (i = 0; i < want; i++) {
		f = datagram(i / 30000, 1 + i % 30000);
		run_bounded(box, &f, &out);
		if (out.reason != NATXDP_OUT_FORWARDED)
			fail_msg("refused after %u of %u ports: reason %d", i, want, out.reason);
		assert_in_range(out.f.sport, 1024, 60999);
		assert_false(given[out.f.sport]);
		given[out.f.sport] = true;
		follow += out.f.sport == last + 1;
		last = out.f.sport;
	}
	assert_in_range(follow, 0, want / 40);
	f = datagram(9, 9);
	run_bounded(box, &f, &out);
	assert_true(refused(&out));
	run_bounded(box, &f, &out);
	assert_true(refused(&out));
	/* another destination has all ports still, another port of it too */
	f.daddr++;
	run_bounded(box, &f, &out);
	assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	f.daddr--;
	f.dport++;
	run_bounded(box, &f, &out);
	assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	box_close(box);
}

/*
 * Ports of flows that have ended can be had again at once, exactly they, and
 * looking for them costs what is there to look for: of a range that is looked
 * at as a whole, and of one for which the data plane keeps a map.
 */
static void reuse(unsigned int ports)
{
	struct box_options options = {
		.port_min = 2000, .port_max = 1999 + ports, .max_flows = 16384, .timeout = 1.5
	};
	struct box *box = box_open(&options);
	unsigned int i, round, given = 0, ended = 10;
	struct output out;
	struct frame f;

	for (i = 0; i < ports; i++) {
		f = datagram(0, 1 + i);
		run_bounded(box, &f, &out);
		assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	}
	f = datagram(1, 1);
	run_bounded(box, &f, &out);
	assert_true(refused(&out));
	for (round = 0; round < 500 && given < ended; round++) {
		for (i = ended; i < ports; i++) { /* all but the first go on */
			f = datagram(0, 1 + i);
			box_run_fast(box, &f);
		}
		for (i = 0; i < given; i++) {
			f = datagram(1, 1 + i);
			box_run_fast(box, &f);
		}
		for (out.reason = NATXDP_OUT_FORWARDED; given < ended;) {
			f = datagram(1, 1 + given);
			run_bounded(box, &f, &out);
			if (out.reason != NATXDP_OUT_FORWARDED)
				break;
			given++;
		}
		usleep(20000);
	}
	assert_int_equal(given, ended);
	f = datagram(2, 1);
	run_bounded(box, &f, &out);
	assert_true(refused(&out));
	box_close(box);
}

static void test_reuse(void **state)
{
	(void)state;
	reuse(500);
	reuse(3000);
}

/* More destinations that are nearly full at a time than there are maps: all of them get all. */
static void test_many_destinations(void **state)
{
	enum { PORTS = 1000, DESTINATIONS = 60 };
	struct box_options options = { .port_min = 2000,
				       .port_max = 1999 + PORTS,
				       .max_flows = 131072 };
	struct box *box = box_open(&options);
	unsigned int i, d;
	struct output out;
	struct frame f;

	(void)state;
	for (i = 0; i < PORTS + 1; i++)
		for (d = 0; d < DESTINATIONS; d++) {
			f = datagram(0, 1 + i);
			f.daddr += d;
			run_bounded(box, &f, &out);
			assert_true(i < PORTS ? out.reason == NATXDP_OUT_FORWARDED : refused(&out));
		}
	box_close(box);
}

/* A range of a few ports, not a power of two. */
static void test_small_range(void **state)
{
	struct box_options options = { .port_min = 5000, .port_max = 5010 };
	struct box *box = box_open(&options);
	unsigned int i, seen = 0;
	struct output out;
	struct frame f;

	(void)state;
	for (i = 0; i < 11; i++) {
		f = datagram(0, 100 + i);
		box_run(box, BOX_SINGLE, &f, &out);
		assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
		assert_in_range(out.f.sport, 5000, 5010);
		seen |= 1 << (out.f.sport - 5000);
	}
	assert_int_equal(seen, 0x7ff);
	f = datagram(0, 99);
	box_run(box, BOX_SINGLE, &f, &out);
	assert_true(refused(&out));
	box_close(box);
}

/* A host keeps its address while that has ports, then takes the next one. */
static void test_pairing(void **state)
{
	struct box_options options = {
		.externals = 4, .port_min = 2000, .port_max = 2099, .max_flows = 4096
	};
	struct box *box = box_open(&options);
	unsigned int host, i, used = 0;
	struct output out;
	struct frame f;

	(void)state;
	for (host = 0; host < 40; host++) {
		uint32_t first = 0;

		for (i = 0; i < 5; i++) {
			f = datagram(host, 100 + i);
			f.daddr += host; /* own ports for each host */
			box_run(box, BOX_SINGLE, &f, &out);
			assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
			first = first ? first : out.f.saddr;
			assert_int_equal(out.f.saddr, first);
		}
		assert_in_range(first, addr("203.0.113.1"), addr("203.0.113.4"));
		used |= 1 << (first - addr("203.0.113.1"));
	}
	assert_int_equal(used, 0xf);

	for (i = 0; i < 400; i++) { /* one host, one destination: all four addresses */
		f = datagram(50, 1000 + i);
		f.daddr += 100;
		box_run(box, BOX_SINGLE, &f, &out);
		assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	}
	f = datagram(50, 999);
	f.daddr += 100;
	box_run(box, BOX_SINGLE, &f, &out);
	assert_true(refused(&out));
	box_close(box);
}

/* Two hosts with the same port to the same server: two external ports, no mix-up. */
static void test_same_port(void **state)
{
	struct box_options options = { 0 };
	struct box *box = box_open(&options);
	struct frame a = datagram(0, 5353), b = datagram(1, 5353), back;
	struct output oa, ob, in;

	(void)state;
	box_run(box, BOX_SINGLE, &a, &oa);
	box_run(box, BOX_SINGLE, &b, &ob);
	assert_int_not_equal(oa.f.sport, ob.f.sport);
	back = oa.f;
	back.saddr = oa.f.daddr;
	back.daddr = oa.f.saddr;
	back.sport = oa.f.dport;
	back.dport = oa.f.sport;
	box_run(box, BOX_SINGLE, &back, &in);
	assert_int_equal(in.f.daddr, a.saddr);
	back.dport = ob.f.sport;
	box_run(box, BOX_SINGLE, &back, &in);
	assert_int_equal(in.f.daddr, b.saddr);
	/* from another port or address of the server nothing comes in */
	back.sport++;
	box_run(box, BOX_SINGLE, &back, &in);
	assert_int_equal(in.reason, NATXDP_DROP_UNSOLICITED);
	back.sport--;
	back.saddr++;
	box_run(box, BOX_SINGLE, &back, &in);
	assert_int_equal(in.reason, NATXDP_DROP_UNSOLICITED);
	box_close(box);
}

/*
 * RFC 6056, RFC 7857 section 9: nobody shall guess the next port. Chi-square
 * over 64 bins for the ports, and for the steps from one port to the next: for
 * 63 degrees of freedom a value above 140 has a chance of less than 1e-7.
 */
static void test_random(void **state)
{
	enum { FLOWS = 20000, BINS = 64, SPAN = 61000 - 1024, SERVERS = 97 };
	struct box_options options = { .max_flows = 32768 };
	struct box *box = box_open(&options);
	unsigned int port_bin[BINS] = { 0 }, step_bin[BINS] = { 0 }, i, last = 0, kept = 0;
	uint16_t port[SERVERS] = { 0 }, step[SERVERS] = { 0 }, next, *p;
	unsigned int repeated = 0;
	double port_chi = 0, step_chi = 0, want = (double)FLOWS / BINS;
	struct output out;
	struct frame f;

	(void)state;
	for (i = 0; i < FLOWS; i++) {
		f = datagram(0, 1024 + i);
		f.daddr += i % SERVERS; /* so that ports run out for nobody */
		box_run(box, BOX_SINGLE, &f, &out);
		assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
		port_bin[(out.f.sport - 1024) * BINS / SPAN]++;
		step_bin[(out.f.sport + SPAN - last) % SPAN * BINS / SPAN]++;
		kept += out.f.sport == f.sport;
		/* to one server: a port must not follow from the two before it */
		p = &port[i % SERVERS];
		next = out.f.sport - *p;
		repeated += next == step[i % SERVERS];
		step[i % SERVERS] = next;
		*p = out.f.sport;
		last = out.f.sport;
	}
	for (i = 0; i < BINS; i++) {
		port_chi += (port_bin[i] - want) * (port_bin[i] - want) / want;
		step_chi += (step_bin[i] - want) * (step_bin[i] - want) / want;
	}
	print_message("# chi-square of ports %.1f, of steps %.1f\n", port_chi, step_chi);
	assert_true(port_chi < 140 && step_chi < 140);
	assert_in_range(repeated, 0, 8);
	assert_in_range(kept, 0, 10); /* the inside port shows nowhere */
	box_close(box);
}

/* Draining: no new flows from an address, and the old ones live on. */
static void test_draining(void **state)
{
	struct box_options options = { .externals = 2 };
	struct box *box = box_open(&options);
	struct natxdp_pool pool = { .addr = htonl(addr("203.0.113.1")),
				    .port_min = 1024,
				    .port_max = 60999,
				    .flags = NATXDP_POOL_DRAINING };
	struct frame first[32], f;
	uint32_t external[32], zero = 0;
	uint16_t port[32];
	struct output out;
	unsigned int i, on_draining = 0;

	(void)state;
	for (i = 0; i < 32; i++) {
		first[i] = datagram(i, 1000);
		box_run(box, BOX_SINGLE, &first[i], &out);
		external[i] = out.f.saddr;
		port[i] = out.f.sport;
		on_draining += external[i] == addr("203.0.113.1");
	}
	assert_in_range(on_draining, 1, 31);
	assert_int_equal(bpf_map__update_elem(box_map(box, "ext_pool"), &zero, sizeof(zero), &pool,
					      sizeof(pool), BPF_ANY),
			 0);
	for (i = 0; i < 32; i++) {
		f = datagram(i, 2000);
		box_run(box, BOX_SINGLE, &f, &out);
		assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
		assert_int_equal(out.f.saddr, addr("203.0.113.2"));
		box_run(box, BOX_SINGLE, &first[i], &out);
		assert_int_equal(out.f.saddr, external[i]);
		assert_int_equal(out.f.sport, port[i]);
	}
	box_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_port),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_many_destinations),
		cmocka_unit_test(test_small_range),
		cmocka_unit_test(test_pairing),
		cmocka_unit_test(test_same_port),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_draining),
	};

	return cmocka_run_group_tests_name("prog/ports", tests, NULL, NULL);
}
