/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Behind a Gateway Load Balancer: every byte of what goes into a tunnel and comes out of one. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <cmocka.h>

#include <natxdp/tunnel.h>

#include "behind.h"

static void test_two_tunnels(void **state)
{
	struct box *box = behind_open(0, 0, false, 0);
	uint16_t port[3];

	(void)state;
	for (unsigned int i = 0; i < sizeof(behind_packets) / sizeof(*behind_packets); i++) {
		struct frame f = behind_packets[i];

		f.sport = 1000 + i;
		behind_there_and_back(box, &behind_first, &f, &port[0]);
		behind_there_and_back(box, &behind_second, &f, &port[1]);
		assert_int_not_equal(port[0], port[1]);
		behind_there_and_back(box, &behind_first, &f, &port[2]);
		assert_int_equal(port[2], port[0]);
		assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_OPENED), 2 * (i + 1));
	}
	box_close(box);
}

/* What makes a tunnel another one: each part of it alone. */
static void test_what_a_tunnel_is(void **state)
{
	struct geneve tunnels[7];
	struct box *box = behind_open(0, 0, false, 0);
	uint16_t port[7], again;

	(void)state;
	for (int i = 0; i < 7; i++)
		tunnels[i] = behind_first;
	tunnels[1].lb = addr("203.0.113.21");
	tunnels[2].vni++;
	tunnels[3].endpoint ^= 1ull << 63;
	tunnels[4].endpoint ^= 1;
	tunnels[5].attachment ^= 1ull << 63;
	tunnels[6].attachment ^= 1;
	for (int i = 0; i < 7; i++) {
		behind_there_and_back(box, &tunnels[i], behind_packets, &port[i]);
		for (int j = 0; j < i; j++)
			assert_int_not_equal(port[i], port[j]);
	}
	for (int i = 0; i < 7; i++) {
		behind_there_and_back(box, &tunnels[i], behind_packets, &again);
		assert_int_equal(again, port[i]);
	}
	box_close(box);
}

/* Cookie and port of the last packet of the inside are those of the next answer. */
static void test_the_label_changes(void **state)
{
	struct box *box = behind_open(0, 0, false, 0);
	struct geneve g = behind_first;
	uint16_t port, again;

	(void)state;
	behind_there_and_back(box, &g, behind_packets, &port);
	g.cookie++;
	behind_there_and_back(box, &g, behind_packets, &again);
	assert_int_equal(again, port);
	g.sport = 61234;
	behind_there_and_back(box, &g, behind_packets, &again);
	assert_int_equal(again, port);
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_OPENED), 1);
	box_close(box);
}

static void test_entries_and_counters(void **state)
{
	struct box *box = behind_open(0, 0, false, 1);
	struct natxdp_tunnel_counters *cpu;
	struct natxdp_tunnel tunnel;
	struct natxdp_flow out, in;
	struct natxdp_key key;
	uint64_t sum[5] = { 0 };
	uint16_t port;
	uint32_t index = 0;
	int cpus = libbpf_num_possible_cpus();

	(void)state;
	behind_there_and_back(box, &behind_first, behind_packets, &port);
	for (uint32_t i = 0; i < NATXDP_TUNNELS_MAX; i++) {
		assert_int_equal(bpf_map__lookup_elem(box_map(box, "tunnels"), &i, sizeof(i),
						      &tunnel, sizeof(tunnel), 0),
				 0);
		if (!tunnel.state)
			continue;
		assert_int_equal(index, 0);
		index = i;
		assert_int_equal(tunnel.lb, inet_addr("203.0.113.20"));
		assert_int_equal(tunnel.own, inet_addr("203.0.113.1"));
		assert_int_equal(tunnel.cookie_at, 36);
	}
	key = box_key(BOX_INSIDE, IPPROTO_UDP, addr(HOST), 5353, addr(SERVER), 443);
	key.tenant = index;
	assert_true(box_flow(box, &key, &out));
	assert_int_equal(ntohl(natxdp_label(&out).cookie), behind_first.cookie);
	assert_int_equal(ntohs(natxdp_label(&out).sport), 60001);
	natxdp_reverse_key(&out, &key);
	assert_true(box_flow(box, &key, &in));
	assert_int_equal(in.key.tenant, NATXDP_TENANT_OUTSIDE);
	assert_int_equal(in.next_hop, index);
	assert_int_equal(ntohl(natxdp_label(&in).cookie), behind_first.cookie);
	natxdp_reverse_key(&in, &key);
	assert_memory_equal(&key, &out.key, sizeof(key));

	cpu = calloc(cpus, sizeof(*cpu));
	assert_int_equal(bpf_map__lookup_elem(box_map(box, "tunnel_counters"), &index,
					      sizeof(index), cpu, cpus * sizeof(*cpu), 0),
			 0);
	for (int i = 0; i < cpus; i++)
		for (int j = 0; j < 5; j++)
			sum[j] += ((uint64_t *)&cpu[i])[j];
	free(cpu);
	for (int i = 0; i < 4; i += 2) {
		assert_int_equal(sum[i], 1);
		assert_int_equal(sum[i + 1], 60);
	}
	assert_int_equal(sum[4], 1);
	assert_true(box_wait(box, 0, 5)); /* it expires as any other */
	box_close(box);
}

/* Answers of the NAT itself go into the tunnel by which the packet came. */
static void test_answers(void **state)
{
	struct box *box = behind_open(1000, 900, false, 0);
	struct frame big = { .proto = IPPROTO_UDP, .payload = 1000, .frag_off = 0x4000 };
	struct frame old = { .proto = IPPROTO_UDP, .payload = 20, .ttl = 1 };
	struct frame stray = { .proto = IPPROTO_TCP, .tcp_flags = 0x10, .ack = 99 };
	struct frame sent, answer;
	struct output out;

	(void)state;
	sent = behind_from_host(behind_packets);
	behind_run(box, &behind_first, &sent, &out);
	answer = behind_answer_to(&out.f);
	big = behind_from_host(&big);
	behind_run(box, &behind_first, &big, &out);
	assert_int_equal(out.reason, NATXDP_REPLY_TOO_BIG);
	behind_unwrap(&behind_first, &out);
	assert_int_equal(out.f.icmp_type, 3);
	assert_int_equal(out.f.daddr, addr(HOST));
	assert_int_equal(out.data[14 + 20 + 6] << 8 | out.data[14 + 20 + 7], 1000);

	old = behind_from_host(&old);
	behind_run(box, &behind_second, &old, &out);
	assert_int_equal(out.reason, NATXDP_REPLY_TTL);
	behind_unwrap(&behind_second, &out);
	assert_int_equal(out.f.icmp_type, 11);

	stray = behind_from_host(&stray);
	behind_run(box, &behind_second, &stray, &out);
	assert_int_equal(out.reason, NATXDP_REPLY_RST);
	behind_unwrap(&behind_second, &out);
	assert_int_equal(out.f.tcp_flags, 0x04);
	assert_int_equal(out.f.seq, 99);

	/* what does not fit into the tunnel: the server hears of it, whether it may be cut or not */
	for (int df = 0; df < 2; df++) {
		answer.payload = 880;
		answer.frag_off = df ? 0x4000 : 0;
		box_run(box, BOX_SINGLE, &answer, &out);
		assert_int_equal(out.reason, NATXDP_REPLY_TOO_BIG);
		assert_true(out.sound);
		assert_int_equal(out.f.icmp_type, 3);
		assert_int_equal(out.f.daddr, addr(SERVER));
		assert_int_equal(out.data[14 + 20 + 6] << 8 | out.data[14 + 20 + 7], 900);
	}
	answer.payload = 872;
	box_run(box, BOX_SINGLE, &answer, &out);
	behind_unwrap(&behind_first, &out);
	box_close(box);
}

/* ICMP errors about flows of either way. */
static void test_errors(void **state)
{
	struct box *box = behind_open(0, 0, false, 0);
	struct frame sent = behind_from_host(behind_packets), answer;
	struct frame error = { .proto = IPPROTO_ICMP, .icmp_type = 3, .saddr = addr("192.0.2.1") };
	struct geneve own = behind_first;
	uint8_t data[FRAME_MAX], inner[FRAME_MAX];
	struct output out, in;
	uint16_t port;
	size_t len;

	(void)state;
	behind_there_and_back(box, &behind_second, behind_packets, &port);
	behind_run(box, &behind_first, &sent, &out);
	memcpy(error.src_mac, box_router_mac, 6);
	memcpy(error.dst_mac, box_out_mac, 6);
	error.daddr = addr(EXTERNAL);
	len = frame_build_error(&error, 1, out.data + 14, out.len - 14, data);
	answer = behind_answer_to(&out.f);
	box_run_raw(box, BOX_SINGLE, data, len, &in);
	assert_int_equal(in.reason, NATXDP_IN_FORWARDED);
	behind_unwrap(&behind_first, &in);
	assert_int_equal(in.f.daddr, addr(HOST));
	assert_int_equal(in.f.saddr, addr("192.0.2.1"));

	/* from the inside: to the load balancer that is a flow of its own */
	box_run(box, BOX_SINGLE, &answer, &in);
	behind_unwrap(&behind_first, &in);
	error.saddr = addr(HOST);
	error.daddr = addr(SERVER);
	len = frame_build_error(&error, 3, in.data + 14, in.len - 14, inner);
	own.cookie = 0xeeeeeeee;
	box_run_raw(box, BOX_SINGLE, data, geneve_build(&own, inner, len, data), &out);
	assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	assert_true(out.sound);
	assert_int_equal(out.f.saddr, addr(EXTERNAL));
	assert_int_equal(out.f.daddr, addr(SERVER));
	box_run(box, BOX_SINGLE, &answer, &in);
	behind_unwrap(&behind_first, &in); /* with the cookie of before */
	box_close(box);
}

/* What the load balancer hashes anew: a host that goes on is told at once, and nobody else is. */
static void test_flows_of_another_node(void **state)
{
	static const struct {
		struct frame sent;
		uint8_t answer[20]; /* TCP header; its checksum is looked at elsewhere */
	} rows[] = {
		{ { .tcp_flags = 0x18, .seq = 1000, .ack = 0xfffffff0, .payload = 1200 },
		  { 1, 187, 20, 233, 255, 255, 255, 240, 0, 0, 0, 0, 0x50, 0x04 } },
		{ { .tcp_flags = 0x11, .seq = 1, .ack = 2 },
		  { 1, 187, 20, 233, 0, 0, 0, 2, 0, 0, 0, 0, 0x50, 0x04 } },
		{ { .tcp_flags = 0x01, .seq = 41, .payload = 10 },
		  { 1, 187, 20, 233, 0, 0, 0, 0, 0, 0, 0, 52, 0x50, 0x14 } },
	};
	static const uint8_t ip[10] = { 0x45, 0, 0, 40, 0, 0, 0, 0, 64, IPPROTO_TCP };
	struct frame reset = { .proto = IPPROTO_TCP, .tcp_flags = 0x04, .seq = 7 };
	struct box *box = behind_open(0, 0, false, 0);
	unsigned int live, dead;
	struct output out;

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct frame sent = rows[i].sent;

		sent.proto = IPPROTO_TCP;
		sent = behind_from_host(&sent);
		behind_run(box, &behind_second, &sent, &out);
		assert_int_equal(out.reason, NATXDP_REPLY_RST);
		behind_unwrap(&behind_second, &out);
		assert_int_equal(out.len, 14 + 40);
		assert_memory_equal(out.data + 14, ip, sizeof(ip));
		assert_int_equal(out.f.saddr, addr(SERVER));
		assert_int_equal(out.f.daddr, addr(HOST));
		assert_memory_equal(out.data + 34, rows[i].answer, 16);
		assert_memory_equal(out.data + 52, rows[i].answer + 18, 2);
	}
	reset = behind_from_host(&reset);
	behind_run(box, &behind_second, &reset, &out);
	assert_int_equal(out.verdict, XDP_DROP);
	assert_int_equal(out.reason, NATXDP_DROP_MIDSTREAM);
	box_count(box, &live, &dead);
	assert_int_equal(live, 0);
	box_close(box);
}

static size_t fragment(const struct frame *f, uint16_t id, int piece, uint8_t *to)
{
	uint8_t whole[FRAME_MAX];
	size_t at = piece * 400, left = frame_build(f, whole) - 34 - at,
	       len = left > 400 ? 400 : left;
	uint32_t sum = 0;

	memcpy(to, whole, 34);
	memcpy(to + 34, whole + 34 + at, len);
	geneve_put16(to + 16, 20 + len);
	geneve_put16(to + 18, id);
	geneve_put16(to + 20, (left > 400 ? 0x2000 : 0) | at / 8);
	geneve_put16(to + 24, 0);
	for (int i = 14; i < 34; i += 2)
		sum += to[i] << 8 | to[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	geneve_put16(to + 24, ~(sum + (sum >> 16)));
	return 34 + len;
}

/* The same datagram through two tunnels at once. */
static void test_fragments(void **state)
{
	struct box *box = behind_open(0, 0, false, 0);
	struct frame f = { .proto = IPPROTO_UDP, .payload = 1000 };
	struct frame sent = behind_from_host(&f), answer;
	const struct geneve *way[2] = { &behind_first, &behind_second };
	uint8_t inner[FRAME_MAX], data[FRAME_MAX];
	uint16_t port[2] = { 0 };
	struct output out;
	size_t len;

	(void)state;
	for (int piece = 0; piece < 3; piece++) {
		for (int i = 0; i < 2; i++) {
			len = fragment(&sent, 77, piece, inner);
			len = geneve_build(way[i], inner, len, data);
			box_run_raw(box, BOX_SINGLE, data, len, &out);
			assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
			assert_int_equal(out.verdict, XDP_TX);
			if (!piece)
				port[i] = out.data[34] << 8 | out.data[35];
		}
	}
	assert_int_not_equal(port[0], port[1]);
	answer = sent;
	answer.saddr = addr(SERVER);
	answer.daddr = addr(EXTERNAL);
	answer.sport = sent.dport;
	for (int i = 0; i < 2; i++) {
		answer.dport = port[i];
		for (int piece = 0; piece < 3; piece++) {
			len = fragment(&answer, 88 + i, piece, data);
			memcpy(data, box_out_mac, 6);
			memcpy(data + 6, box_router_mac, 6);
			box_run_raw(box, BOX_SINGLE, data, len, &out);
			assert_int_equal(out.reason, NATXDP_IN_FORWARDED);
			assert_true(geneve_unwrap(way[i], out.data, out.len, inner));
		}
	}
	/* one that comes before the first one */
	len = geneve_build(&behind_first, inner, fragment(&sent, 99, 1, inner), data);
	box_run_raw(box, BOX_SINGLE, data, len, &out);
	assert_int_equal(out.reason, NATXDP_DROP_FRAGMENT);
	box_close(box);
}

static void run_ipv6(struct box *box, uint8_t data[FRAME_MAX], size_t *len, struct output *out)
{
	struct geneve g = behind_first;
	uint8_t inner[FRAME_MAX] = { 0 };

	g.ethertype = 0x86dd;
	inner[14] = 0x60;
	inner[14 + 5] = 8;
	inner[14 + 6] = 17;
	*len = geneve_build(&g, inner, 14 + 48, data);
	box_run_raw(box, BOX_SINGLE, data, *len, out);
}

static void test_ipv6(void **state)
{
	struct box *box;
	struct output out;
	uint8_t data[FRAME_MAX];
	size_t len;

	(void)state;
	box = behind_open(0, 0, false, 0);
	run_ipv6(box, data, &len, &out);
	assert_int_equal(out.verdict, XDP_DROP);
	assert_int_equal(out.reason, NATXDP_DROP_INNER_IPV6);
	assert_int_equal(out.bytes, 48);
	box_close(box);
	box = behind_open(0, 0, true, 0);
	run_ipv6(box, data, &len, &out);
	behind_assert_returned(&out, data, len);
	box_close(box);
}

struct ending {
	const char *from, *to;
	int reason;
};

/* What is not to be translated does not get to the host, nor by its kernel anywhere. */
static void test_not_translated(void **state)
{
	static const struct ending endings[] = {
		{ HOST, "10.9.9.9", NATXDP_RETURNED },	/* no_nat */
		{ HOST, "10.77.0.1", NATXDP_RETURNED }, /* no_nat, whoever has it here */
		{ HOST, EXTERNAL, NATXDP_DROP_INNER },
		{ HOST, "224.0.0.5", NATXDP_DROP_INNER },
		{ HOST, "255.255.255.255", NATXDP_DROP_INNER },
		{ HOST, "127.0.0.1", NATXDP_DROP_MARTIAN },
		{ "192.0.2.7", SERVER, NATXDP_DROP_SOURCE },
		{ SERVER, SERVER, NATXDP_DROP_MARTIAN },
		{ "10.77.0.1", SERVER, NATXDP_OUT_FORWARDED }, /* the box's own address, elsewhere */
	};
	struct box *box = behind_open(0, 0, false, 0);
	uint8_t inner[FRAME_MAX], data[FRAME_MAX];
	struct output out;
	size_t len;

	(void)state;
	for (unsigned int i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
		struct frame f = behind_from_host(behind_packets);

		f.saddr = addr(endings[i].from);
		f.daddr = addr(endings[i].to);
		len = geneve_build(&behind_first, inner, frame_build(&f, inner), data);
		box_run_raw(box, BOX_SINGLE, data, len, &out);
		print_message("# %s > %s: reason %d\n", endings[i].from, endings[i].to, out.reason);
		assert_int_equal(out.reason, endings[i].reason);
		if (out.reason == NATXDP_RETURNED) {
			behind_unwrap(&behind_first, &out);
			assert_memory_equal(out.data + 14, inner + 14, frame_build(&f, inner) - 14);
		}
	}
	box_close(box);
}

/* Without GENEVE there is no inside: what comes so is the outside's, or the host's. */
static void test_no_tunnel(void **state)
{
	struct box *box = behind_open(0, 0, false, 0);
	struct frame f = behind_from_host(behind_packets);
	struct output out;

	(void)state;
	box_run(box, BOX_SINGLE, &f, &out);
	assert_int_equal(out.reason, NATXDP_DROP_UNSOLICITED);
	f.daddr = addr(EXTERNAL);
	box_run(box, BOX_SINGLE, &f, &out);
	assert_int_equal(out.reason, NATXDP_DROP_UNSOLICITED);
	f.proto = IPPROTO_TCP; /* a health check, or the administrator */
	f.tcp_flags = 0x02;
	f.dport = 22;
	box_run(box, BOX_SINGLE, &f, &out);
	assert_int_equal(out.reason, NATXDP_PASS_HOST);
	box_close(box);
}

/* More endpoints than there is room for: those that are known go on. */
static void test_many_tunnels(void **state)
{
	struct box *box = behind_open(0, 0, false, 0);
	struct frame sent = behind_from_host(behind_packets);
	unsigned int count = box_effort(2000), refused = 0;
	struct geneve g = behind_first;
	struct output out;
	uint16_t port;

	(void)state;
	for (unsigned int i = 0; i < count; i++) {
		g.endpoint++;
		sent.sport = 1000 + i;
		behind_run(box, &g, &sent, &out);
		if (out.reason == NATXDP_DROP_TUNNELS)
			refused++;
		else
			assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	}
	assert_true(count < NATXDP_TUNNELS_MAX || refused >= count - NATXDP_TUNNELS_MAX + 1);
	g.endpoint = behind_first.endpoint + 1;
	behind_there_and_back(box, &g, behind_packets, &port);
	box_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_tunnels),
		cmocka_unit_test(test_what_a_tunnel_is),
		cmocka_unit_test(test_the_label_changes),
		cmocka_unit_test(test_entries_and_counters),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_flows_of_another_node),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_not_translated),
		cmocka_unit_test(test_no_tunnel),
		cmocka_unit_test(test_many_tunnels),
	};

	return box_run_both("prog/gwlb", tests, sizeof(tests) / sizeof(*tests));
}
