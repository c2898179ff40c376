/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Endpoint-independent mapping and the three kinds of filtering. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/bpf.h>

#include <cmocka.h>

#include "box.h"

#define HOST "10.77.0.2"
#define OTHER "10.77.0.3"
#define SERVER "198.51.100.7"
#define SERVER2 "198.51.100.8"
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
	if (proto == IPPROTO_ICMP)
		f.icmp_type = 8;
	return f;
}

/* RFC 4787, REQ-1; RFC 5382, REQ-1; RFC 5508, REQ-1a: one external end for all destinations. */
static void one_end(bool two, uint8_t proto)
{
	struct box_options options = { .two_armed = two, .mapping = EIM };
	struct box *box = box_open(&options);
	enum box_side side = two ? BOX_INSIDE : BOX_SINGLE;
	struct frame a = packet(proto, HOST, 5000, SERVER, 53);
	struct frame b = packet(proto, HOST, 5000, SERVER2, 53);
	struct frame c = packet(proto, HOST, 5000, SERVER, 54);
	struct frame d = packet(proto, HOST, 5001, SERVER, 53);
	struct frame e = packet(proto, OTHER, 5000, SERVER, 53);
	struct output oa, o;

	box_run(box, side, &a, &oa);
	assert_int_equal(oa.reason, NATXDP_OUT_FORWARDED);
	assert_true(oa.sound);
	box_run(box, side, &b, &o);
	assert_int_equal(o.f.sport, oa.f.sport);
	assert_int_equal(o.f.saddr, oa.f.saddr);
	box_run(box, side, &c, &o);
	assert_int_equal(o.f.sport, oa.f.sport);
	box_run(box, side, &d, &o);
	assert_int_not_equal(o.f.sport, oa.f.sport);
	box_run(box, side, &e, &o);
	assert_int_not_equal(o.f.sport, oa.f.sport);
	box_close(box);
}

static void test_mapping(void **state)
{
	(void)state;
	one_end(true, IPPROTO_UDP);
	one_end(true, IPPROTO_TCP);
	one_end(true, IPPROTO_ICMP);
	one_end(false, IPPROTO_UDP);
}

/* Who may send to the mapped port: its own remote end, that address, anybody. */
static void filtering(bool two, uint8_t proto, uint32_t kind, bool other_port, bool other_addr)
{
	struct box_options options = { .two_armed = two, .mapping = EIM, .filtering = kind };
	struct box *box = box_open(&options);
	struct frame f = packet(proto, HOST, 5000, SERVER, 53), in;
	struct output out, o;

	box_run(box, two ? BOX_INSIDE : BOX_SINGLE, &f, &out);
	in = packet(proto, SERVER, 53, EXTERNAL, out.f.sport);
	box_run(box, two ? BOX_OUTSIDE : BOX_SINGLE, &in, &o);
	assert_int_equal(o.reason, NATXDP_IN_FORWARDED);

	in = packet(proto, SERVER, 999, EXTERNAL, out.f.sport);
	box_run(box, two ? BOX_OUTSIDE : BOX_SINGLE, &in, &o);
	assert_int_equal(o.reason, other_port ? NATXDP_IN_FORWARDED : NATXDP_DROP_UNSOLICITED);
	if (other_port) {
		assert_true(o.sound);
		assert_int_equal(o.f.saddr, addr(SERVER));
		assert_int_equal(o.f.sport, 999);
		assert_int_equal(o.f.daddr, addr(HOST));
		assert_int_equal(o.f.dport, 5000);
		f.dport = 999; /* and the answer goes out of the same port */
		f.tcp_flags = 0x12;
		box_run(box, two ? BOX_INSIDE : BOX_SINGLE, &f, &o);
		assert_int_equal(o.reason, NATXDP_OUT_FORWARDED);
		assert_int_equal(o.f.sport, out.f.sport);
	}
	in = packet(proto, SERVER2, 53, EXTERNAL, out.f.sport);
	box_run(box, two ? BOX_OUTSIDE : BOX_SINGLE, &in, &o);
	assert_int_equal(o.reason, other_addr ? NATXDP_IN_FORWARDED : NATXDP_DROP_UNSOLICITED);
	/* to another port nobody may send, and no segment but a SYN opens anything */
	in.dport++;
	box_run(box, two ? BOX_OUTSIDE : BOX_SINGLE, &in, &o);
	assert_int_equal(o.reason, NATXDP_DROP_UNSOLICITED);
	if (proto == IPPROTO_TCP) {
		in = packet(proto, "198.51.100.77", 53, EXTERNAL, out.f.sport);
		in.tcp_flags = 0x10;
		box_run(box, two ? BOX_OUTSIDE : BOX_SINGLE, &in, &o);
		assert_int_equal(o.reason, NATXDP_DROP_UNSOLICITED);
	}
	box_close(box);
}

static void test_filtering(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		filtering(i & 1, i & 2 ? IPPROTO_TCP : IPPROTO_UDP, EDF, false, false);
		filtering(i & 1, i & 2 ? IPPROTO_TCP : IPPROTO_UDP, ADF, true, false);
		filtering(i & 1, i & 2 ? IPPROTO_TCP : IPPROTO_UDP, EIF, true, true);
	}
}

/* Mappings live as long as their flows, and nothing of them stays. */
static void test_expiry(void **state)
{
	struct box_options options = { .two_armed = true,
				       .mapping = EIM,
				       .filtering = ADF,
				       .features = NATXDP_HAIRPIN,
				       .timeout = 0.7 };
	struct box *box = box_open(&options);
	unsigned int i, live, dead;
	struct frame f;
	struct output o;

	(void)state;
	for (i = 0; i < 200; i++) {
		f = packet(IPPROTO_UDP, HOST, 5000 + i / 10, SERVER, 53 + i % 10);
		box_run(box, BOX_INSIDE, &f, &o);
		assert_int_equal(o.reason, NATXDP_OUT_FORWARDED);
	}
	box_count(box, &live, &dead);
	/* 200 flows, 20 mappings, 20 remote addresses that may send */
	assert_int_equal(live, 2 * (200 + 20 + 20));
	assert_true(box_wait(box, 0, 8));
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_OPENED), 200);
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_EXPIRED), 200);
	box_close(box);
}

/* All ports of the address, but each for one inside end only. */
static void test_exhaustion(void **state)
{
	struct box_options options = { .mapping = EIM, .port_min = 5000, .port_max = 5019 };
	struct box *box = box_open(&options);
	unsigned int i;
	struct frame f;
	struct output o;

	(void)state;
	for (i = 0; i < 20; i++) {
		f = packet(IPPROTO_UDP, HOST, 100 + i, i & 1 ? SERVER : SERVER2, 53);
		box_run(box, BOX_SINGLE, &f, &o);
		assert_int_equal(o.reason, NATXDP_OUT_FORWARDED);
	}
	f = packet(IPPROTO_UDP, HOST, 99, "198.51.100.9", 53);
	box_run(box, BOX_SINGLE, &f, &o);
	assert_true(o.reason == NATXDP_REPLY_NO_PORT);
	f = packet(IPPROTO_UDP, HOST, 100, "198.51.100.9", 53);
	box_run(box, BOX_SINGLE, &f, &o);
	assert_int_equal(o.reason, NATXDP_OUT_FORWARDED);
	box_close(box);
}

/*
 * External ends change hands while the sweeper is on its way through the
 * table: what let remote addresses in to the last owner must not be in the
 * way of the next one. Found by random traffic (prog/model, seed 29).
 */
static void test_end_changes_hands(void **state)
{
	enum { PORTS = 200 };
	struct box_options options = { .mapping = EIM,
				       .filtering = ADF,
				       .timeout = 0.3,
				       .port_min = 5000,
				       .port_max = 5000 + PORTS - 1 };
	struct box *box = box_open(&options);
	unsigned int round, i, opened, tries;
	struct output out;

	(void)state;
	for (round = 0; round < 4; round++)
		for (opened = 0, tries = 0; opened < PORTS; tries++) {
			assert_in_range(tries, 0, 100000);
			for (i = 0, opened = 0; i < PORTS; i++) {
				struct frame f = packet(IPPROTO_UDP, round % 2 ? HOST : OTHER,
							1000 + i, SERVER, 53);

				box_run(box, BOX_SINGLE, &f, &out);
				opened += out.reason == NATXDP_OUT_FORWARDED;
				if (out.reason != NATXDP_OUT_FORWARDED)
					assert_true(out.reason == NATXDP_REPLY_NO_PORT ||
						    out.reason == NATXDP_DROP_NO_PORT);
			}
		}
	box_close(box);
}

/*
 * The same when an inside end comes back with another external end: who it
 * sends to may send to that, whatever is left of the old one.
 */
static void test_end_comes_back(void **state)
{
	enum { ENDS = 200, ROUNDS = 6 };
	struct box_options options = { .mapping = EIM, .filtering = ADF, .timeout = 0.3 };
	struct box *box = box_open(&options);
	struct output out, in;
	unsigned int round, i;

	(void)state;
	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < ENDS; i++) {
			struct frame f = packet(IPPROTO_UDP, HOST, 1000 + i, SERVER, 53);
			struct frame back = packet(IPPROTO_UDP, SERVER, 99, EXTERNAL, 0);

			box_run(box, BOX_SINGLE, &f, &out);
			assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
			back.dport = out.f.sport;
			box_run(box, BOX_SINGLE, &back, &in);
			assert_int_equal(in.reason, NATXDP_IN_FORWARDED);
		}
		usleep(350000 + round * 150000); /* until the sweeper has seen a part of them */
	}
	box_close(box);
}

struct sender {
	struct box *box;
	int cpu;
};

static void *send_on_and_off(void *arg)
{
	struct sender *s = arg;
	cpu_set_t cpus;
	unsigned int n;

	CPU_ZERO(&cpus);
	CPU_SET(s->cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	for (n = 0; n < 150000; n++) {
		struct frame f = packet(IPPROTO_UDP, HOST, 1000 + n % 64, SERVER, 53);

		/* so that flows of an inside end come and go, and its mapping with them */
		f.daddr += n / 64 % 3 + 3 * s->cpu;
		box_run_fast(s->box, &f);
	}
	return NULL;
}

/*
 * Mappings that end on the sweeper's CPU while packets of their inside ends
 * come on others: each stands once in the table (box_close() looks at flows),
 * and none stays behind that nobody holds.
 */
static void test_mappings_end_and_begin(void **state)
{
	struct box_options options = { .mapping = EIM, .filtering = EIF, .timeout = 0.005 };
	struct box *box = box_open(&options);
	struct sender senders[2] = { { box, 0 }, { box, 1 } };
	pthread_t threads[2];

	(void)state;
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, send_on_and_off, &senders[i]),
				 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	print_message("# %lu flows opened\n",
		      (unsigned long)box_event(box, NATXDP_EVENT_FLOWS_OPENED));
	assert_int_equal(box_reason(box, NATXDP_DROP_INTERNAL), 0);
	assert_true(box_wait(box, 0, 10));
	box_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mapping),
		cmocka_unit_test(test_filtering),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_exhaustion),
		cmocka_unit_test(test_end_changes_hands),
		cmocka_unit_test(test_end_comes_back),
		cmocka_unit_test(test_mappings_end_and_begin),
	};

	return cmocka_run_group_tests_name("prog/mapping", tests, NULL, NULL);
}
