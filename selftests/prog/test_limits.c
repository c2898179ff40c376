/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What one inside host may have, who may have nothing, and protocols without ports. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <cmocka.h>

#include "box.h"

#define HOST "10.77.0.2"
#define OTHER "10.77.0.3"
#define SERVER "198.51.100.7"

static struct frame datagram(const char *host, uint16_t sport)
{
	struct frame f = { .proto = IPPROTO_UDP, .sport = sport, .dport = 53 };

	f.saddr = addr(host);
	f.daddr = addr(SERVER);
	return f;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void flows_of_a_host(uint32_t mapping)
{
	struct box_options options = { .limit_flows = 10, .timeout = 0.6, .mapping = mapping };
	struct box *box = box_open(&options);
	struct output out;
	struct frame f;

	for (int i = 0; i < 30; i++) {
		f = datagram(HOST, 1000 + i);
		box_run(box, BOX_SINGLE, &f, &out);
		assert_int_equal(out.reason, i < 10 ? NATXDP_OUT_FORWARDED : NATXDP_DROP_LIMIT);
	}
	f = datagram(HOST, 1000); /* what it has goes on */
	box_run(box, BOX_SINGLE, &f, &out);
	assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	f = datagram(OTHER, 1000); /* and nobody else is held back */
	box_run(box, BOX_SINGLE, &f, &out);
	assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	assert_true(box_wait(box, 0, 8));
	for (int i = 0; i < 10; i++) { /* given back when the flows are gone */
		f = datagram(HOST, 2000 + i);
		box_run(box, BOX_SINGLE, &f, &out);
		assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	}
	box_close(box);
}

static void test_flow_limit(void **state)
{
	(void)state;
	flows_of_a_host(NATXDP_MAPPING_ENDPOINT_DEPENDENT);
	flows_of_a_host(NATXDP_MAPPING_ENDPOINT_INDEPENDENT);
}

static void test_rate_limit(void **state)
{
	struct box_options options = { .limit_rate = 100, .max_flows = 8192 };
	struct box *box = box_open(&options);
	unsigned int opened = 0, n = 0;
	double start, took;
	struct output out;
	struct frame f;

	(void)state;
	do { /* a second's worth at once */
		f = datagram(HOST, 1 + n++);
		box_run(box, BOX_SINGLE, &f, &out);
		opened += out.reason == NATXDP_OUT_FORWARDED;
	} while (out.reason == NATXDP_OUT_FORWARDED);
	assert_int_equal(out.reason, NATXDP_DROP_RATE);
	assert_in_range(opened, 100, 110);
	start = seconds();
	opened = 0;
	do {
		f = datagram(HOST, 1 + n++);
		box_run(box, BOX_SINGLE, &f, &out);
		opened += out.reason == NATXDP_OUT_FORWARDED;
		took = seconds() - start;
	} while (took < 1.5 && n < 60000);
	print_message("# limit 100/s: %.1f/s\n", opened / took);
	assert_true(opened / took > 85 && opened / took < 115);
	f = datagram(OTHER, 1);
	box_run(box, BOX_SINGLE, &f, &out);
	assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	box_close(box);
}

/* A refused flow must not keep its place in the count. */
static void test_refused_does_not_count(void **state)
{
	struct box_options options = { .limit_flows = 5, .port_min = 2000, .port_max = 2001 };
	struct box *box = box_open(&options);
	struct output out;
	struct frame f;

	(void)state;
	for (int i = 0; i < 20; i++) {
		f = datagram(HOST, 1000 + i);
		box_run(box, BOX_SINGLE, &f, &out);
		assert_int_not_equal(out.reason, NATXDP_DROP_LIMIT);
	}
	for (int i = 0; i < 3; i++) {
		f = datagram(HOST, 1000 + i);
		f.dport = 100 + i;
		box_run(box, BOX_SINGLE, &f, &out);
		assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	}
	f.dport = 99;
	box_run(box, BOX_SINGLE, &f, &out);
	assert_int_equal(out.reason, NATXDP_DROP_LIMIT);
	box_close(box);
}

/* More inside addresses than can be counted: those that are, go on. */
static void test_too_many_hosts(void **state)
{
	struct box_options options = { .limit_flows = 5 };
	struct box *box = box_open(&options);
	struct frame f = datagram(HOST, 1000);
	struct natxdp_host host = { .flows = 1 };
	struct output out;
	__be32 key;

	(void)state;
	box_run(box, BOX_SINGLE, &f, &out);
	assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	for (unsigned int i = 1; i < NATXDP_HOSTS_MAX; i++) {
		key = htonl(addr("10.100.0.0") + i);
		assert_int_equal(bpf_map__update_elem(box_map(box, "hosts"), &key, sizeof(key),
						      &host, sizeof(host), BPF_ANY),
				 0);
	}
	f = datagram(OTHER, 1000);
	box_run(box, BOX_SINGLE, &f, &out);
	assert_int_equal(out.reason, NATXDP_DROP_HOSTS);
	assert_int_equal(out.verdict, XDP_DROP);
	f = datagram(HOST, 1001);
	box_run(box, BOX_SINGLE, &f, &out);
	assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	box_close(box);
}

static void test_block(void **state)
{
	struct box_options options = { .mapping = NATXDP_MAPPING_ENDPOINT_INDEPENDENT,
				       .filtering = NATXDP_FILTERING_ENDPOINT_INDEPENDENT };
	struct box *box = box_open(&options);
	__be32 host = htonl(addr(HOST));
	struct frame f = datagram(HOST, 1000), in;
	struct output out;
	__u64 when = 1;

	(void)state;
	box_run(box, BOX_SINGLE, &f, &out);
	in = datagram("198.51.100.99", 53);
	in.daddr = out.f.saddr;
	in.dport = out.f.sport;
	assert_int_equal(bpf_map__update_elem(box_map(box, "blocked"), &host, sizeof(host), &when,
					      sizeof(when), BPF_ANY),
			 0);
	f = datagram(HOST, 1001);
	box_run(box, BOX_SINGLE, &f, &out);
	assert_int_equal(out.reason, NATXDP_DROP_BLOCKED);
	box_run(box, BOX_SINGLE, &in, &out);
	assert_int_equal(out.reason, NATXDP_DROP_BLOCKED);
	f = datagram(OTHER, 1001);
	box_run(box, BOX_SINGLE, &f, &out);
	assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	bpf_map__delete_elem(box_map(box, "blocked"), &host, sizeof(host), 0);
	f = datagram(HOST, 1001);
	box_run(box, BOX_SINGLE, &f, &out);
	assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	box_close(box);
}

/* GRE and the like: by address alone, for one inside host a destination. */
static void test_other_protocols(void **state)
{
	static const uint8_t protos[] = { 4, 41, 47, 50, 115, 132 };
	struct box_options options = { .features = NATXDP_OTHER_PROTOCOLS, .externals = 2 };
	struct box *box = box_open(&options);
	uint8_t sent[FRAME_MAX];
	struct frame f, back;
	struct output out, in;

	(void)state;
	for (unsigned int i = 0; i < sizeof(protos); i++) {
		f = datagram(HOST, 0);
		f.proto = protos[i];
		f.dport = 0;
		f.payload = 99;
		box_run(box, BOX_SINGLE, &f, &out);
		assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
		assert_true(out.sound);
		assert_in_range(out.f.saddr, addr("203.0.113.1"), addr("203.0.113.2"));
		frame_build(&f, sent);
		assert_memory_equal(out.data + 34, sent + 34, 99);
		back = f;
		back.saddr = out.f.daddr;
		back.daddr = out.f.saddr;
		box_run(box, BOX_SINGLE, &back, &in);
		assert_int_equal(in.reason, NATXDP_IN_FORWARDED);
		assert_int_equal(in.f.daddr, addr(HOST));
		/* the second host takes the second address, the third has none */
		f.saddr = addr(OTHER);
		box_run(box, BOX_SINGLE, &f, &in);
		assert_int_equal(in.reason, NATXDP_OUT_FORWARDED);
		assert_int_not_equal(in.f.saddr, out.f.saddr);
		f.saddr = addr("10.77.0.4");
		box_run(box, BOX_SINGLE, &f, &in);
		assert_true(in.reason == NATXDP_REPLY_NO_PORT || in.reason == NATXDP_DROP_NO_PORT);
	}
	f.proto = 136; /* UDP-Lite: its checksum covers the addresses */
	box_run(box, BOX_SINGLE, &f, &out);
	assert_int_equal(out.reason, NATXDP_DROP_PROTOCOL);
	box_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow_limit),
		cmocka_unit_test(test_rate_limit),
		cmocka_unit_test(test_refused_does_not_count),
		cmocka_unit_test(test_too_many_hosts),
		cmocka_unit_test(test_block),
		cmocka_unit_test(test_other_protocols),
	};

	return cmocka_run_group_tests_name("prog/limits", tests, NULL, NULL);
}
