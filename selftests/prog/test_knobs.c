/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is configured by protocol or state applies to that alone. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <cmocka.h>

#include "box.h"

#define HOST "10.77.0.2"
#define SERVER "198.51.100.7"

static void get_config(struct box *box, struct natxdp_config *cfg)
{
	uint32_t zero = 0;

	assert_int_equal(bpf_map__lookup_elem(box_map(box, "config"), &zero, sizeof(zero), cfg,
					      sizeof(*cfg), 0),
			 0);
}

static void set_config(struct box *box, const struct natxdp_config *cfg)
{
	uint32_t zero = 0;

	assert_int_equal(bpf_map__update_elem(box_map(box, "config"), &zero, sizeof(zero), cfg,
					      sizeof(*cfg), BPF_ANY),
			 0);
}

static struct frame packet(uint8_t proto, uint16_t sport, uint8_t tcp_flags)
{
	struct frame f = { .proto = proto, .sport = sport, .tcp_flags = tcp_flags, .payload = 20 };

	f.saddr = addr(HOST);
	f.daddr = addr(SERVER);
	f.dport = proto == IPPROTO_GRE ? 0 : 80;
	f.icmp_type = 8;
	return f;
}

/* Out and in, with these flags of TCP; 0: nothing. */
static void exchange(struct box *box, uint8_t proto, uint16_t sport, uint8_t out, uint8_t in)
{
	struct frame f = packet(proto, sport, out);
	struct output o, answered;

	box_run(box, BOX_SINGLE, &f, &o);
	assert_int_equal(o.reason, NATXDP_OUT_FORWARDED);
	if (!in)
		return;
	f.saddr = o.f.daddr;
	f.daddr = o.f.saddr;
	f.sport = o.f.dport;
	f.dport = o.f.sport;
	f.tcp_flags = in;
	box_run(box, BOX_SINGLE, &f, &answered);
	assert_int_equal(answered.reason, NATXDP_IN_FORWARDED);
}

/* One flow of every timeout class. */
static void open_all(struct box *box)
{
	exchange(box, IPPROTO_UDP, 1, 0, 0);
	exchange(box, IPPROTO_ICMP, 2, 0, 0);
	exchange(box, IPPROTO_GRE, 0, 0, 0);
	exchange(box, IPPROTO_TCP, 3, 0x02, 0); /* opening */
	exchange(box, IPPROTO_TCP, 4, 0x02, 0x12);
	exchange(box, IPPROTO_TCP, 4, 0x10, 0x10); /* established */
	exchange(box, IPPROTO_TCP, 5, 0x02, 0x12);
	exchange(box, IPPROTO_TCP, 5, 0x11, 0x11); /* closing */
}

static bool is_there(struct box *box, enum natxdp_timeout class)
{
	static const struct {
		uint8_t proto;
		uint16_t sport;
	} flows[] = {
		[NATXDP_TIMEOUT_UDP] = { IPPROTO_UDP, 1 },
		[NATXDP_TIMEOUT_ICMP] = { IPPROTO_ICMP, 2 },
		[NATXDP_TIMEOUT_OTHER] = { IPPROTO_GRE, 0 },
		[NATXDP_TIMEOUT_TCP_OPENING] = { IPPROTO_TCP, 3 },
		[NATXDP_TIMEOUT_TCP_ESTABLISHED] = { IPPROTO_TCP, 4 },
		[NATXDP_TIMEOUT_TCP_CLOSING] = { IPPROTO_TCP, 5 },
	};
	uint16_t dport = flows[class].proto == IPPROTO_TCP || flows[class].proto == IPPROTO_UDP ?
				 80 :
				 0;
	struct natxdp_key key = box_key(BOX_SINGLE, flows[class].proto, addr(HOST),
					flows[class].sport, addr(SERVER), dport);
	struct natxdp_flow flow;

	return box_flow(box, &key, &flow);
}

static void test_timeouts(void **state)
{
	struct box_options options = { .features = NATXDP_OTHER_PROTOCOLS };
	enum natxdp_timeout one, other;

	(void)state;
	for (one = 0; one < NATXDP_TIMEOUTS; one++) {
		struct box *box = box_open(&options);
		struct natxdp_config cfg;

		get_config(box, &cfg);
		cfg.timeout[one] = 30; /* ticks, half a second */
		set_config(box, &cfg);
		open_all(box);
		assert_true(box_wait(box, 2 * (NATXDP_TIMEOUTS - 1), 6));
		for (other = 0; other < NATXDP_TIMEOUTS; other++)
			assert_int_equal(is_there(box, other), other != one);
		box_close(box);
	}
}

static uint8_t proto_of(enum natxdp_class class)
{
	return class == NATXDP_CLASS_UDP ? IPPROTO_UDP :
	       class == NATXDP_CLASS_TCP ? IPPROTO_TCP :
					   IPPROTO_ICMP;
}

/* Has the inside end one external end for two destinations? The chance is 1 in 60,000 without. */
static bool is_independent(struct box *box, uint8_t proto)
{
	struct frame f = packet(proto, 1000, 0x02);
	struct output a, b;

	box_run(box, BOX_SINGLE, &f, &a);
	f.daddr++;
	box_run(box, BOX_SINGLE, &f, &b);
	assert_int_equal(a.reason, NATXDP_OUT_FORWARDED);
	assert_int_equal(b.reason, NATXDP_OUT_FORWARDED);
	return a.f.sport == b.f.sport;
}

/* May somebody else send to the external end, which has sent only to SERVER? */
static bool lets_in(struct box *box, uint8_t proto, uint32_t from)
{
	struct frame f = packet(proto, 2000, 0x02), in;
	struct output o;

	box_run(box, BOX_SINGLE, &f, &o);
	assert_int_equal(o.reason, NATXDP_OUT_FORWARDED);
	in = packet(proto, 99, 0x02);
	in.saddr = from;
	in.daddr = o.f.saddr;
	in.dport = o.f.sport;
	box_run(box, BOX_SINGLE, &in, &o);
	return o.reason == NATXDP_IN_FORWARDED;
}

static void test_mapping_by_protocol(void **state)
{
	struct box_options options = { 0 };
	enum natxdp_class one, other;

	(void)state;
	for (one = 0; one < NATXDP_CLASSES; one++) {
		struct box *box = box_open(&options);
		struct natxdp_config cfg;

		get_config(box, &cfg);
		cfg.mapping[one] = NATXDP_MAPPING_ENDPOINT_INDEPENDENT;
		set_config(box, &cfg);
		for (other = 0; other < NATXDP_CLASSES; other++)
			assert_int_equal(is_independent(box, proto_of(other)), other == one);
		box_close(box);
	}
}

static void test_filtering_by_protocol(void **state)
{
	static const uint8_t modes[] = { NATXDP_FILTERING_ADDRESS_DEPENDENT,
					 NATXDP_FILTERING_ENDPOINT_INDEPENDENT };
	struct box_options options = { .mapping = NATXDP_MAPPING_ENDPOINT_INDEPENDENT };
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		enum natxdp_class one = i % 2 ? NATXDP_CLASS_TCP : NATXDP_CLASS_UDP;
		enum natxdp_class other = i % 2 ? NATXDP_CLASS_UDP : NATXDP_CLASS_TCP;
		struct box *box = box_open(&options);
		struct natxdp_config cfg;

		get_config(box, &cfg);
		cfg.filtering[one] = modes[i / 2];
		set_config(box, &cfg);
		assert_true(lets_in(box, proto_of(one), addr(SERVER)));
		assert_int_equal(lets_in(box, proto_of(one), addr(SERVER) + 1),
				 modes[i / 2] == NATXDP_FILTERING_ENDPOINT_INDEPENDENT);
		assert_false(lets_in(box, proto_of(other), addr(SERVER)));
		box_close(box);
	}
}

/* Paired: one address a host. Arbitrary: 64 flows on one of four have a chance of 1 in 2^126. */
static void test_pooling(void **state)
{
	unsigned int arbitrary, i, used;

	(void)state;
	for (arbitrary = 0; arbitrary < 2; arbitrary++) {
		struct box_options options = { .externals = 4,
					       .features = arbitrary ? NATXDP_POOLING_ARBITRARY :
								       0 };
		struct box *box = box_open(&options);

		for (i = 0, used = 0; i < 64; i++) {
			struct frame f = packet(IPPROTO_UDP, 100 + i, 0);
			struct output o;

			box_run(box, BOX_SINGLE, &f, &o);
			assert_int_equal(o.reason, NATXDP_OUT_FORWARDED);
			used |= 1 << (o.f.saddr - addr("203.0.113.1"));
		}
		assert_int_equal((used & (used - 1)) != 0, arbitrary);
		box_close(box);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_mapping_by_protocol),
		cmocka_unit_test(test_filtering_by_protocol),
		cmocka_unit_test(test_pooling),
	};

	return cmocka_run_group_tests_name("prog/knobs", tests, NULL, NULL);
}
