/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A flow that opens, goes on and is answered: every byte, every entry, every counter. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include <cmocka.h>

#include "box.h"

#define HOST "10.77.0.2"
#define SERVER "198.51.100.7"
#define EXTERNAL "203.0.113.1"

struct shape {
	const char *name;
	struct frame f;
};

/* What may differ between packets without mattering to NAT. */
static const struct shape shapes[] = {
	{ "udp", { .proto = IPPROTO_UDP, .payload = 32 } },
	{ "udp, odd length", { .proto = IPPROTO_UDP, .payload = 33 } },
	{ "udp, empty", { .proto = IPPROTO_UDP } },
	{ "udp, full size", { .proto = IPPROTO_UDP, .payload = 1472 } },
	{ "udp, no checksum", { .proto = IPPROTO_UDP, .payload = 32, .no_udp_csum = true } },
	{ "udp, padded frame", { .proto = IPPROTO_UDP, .payload = 4, .padding = 14 } },
	{ "udp, IP options", { .proto = IPPROTO_UDP, .payload = 16, .ip_options = 40 } },
	{ "udp, TTL 2", { .proto = IPPROTO_UDP, .payload = 16, .ttl = 2 } },
	{ "udp, TTL 255", { .proto = IPPROTO_UDP, .payload = 16, .ttl = 255, .tos = 0xb8 } },
	{ "tcp", { .proto = IPPROTO_TCP, .tcp_flags = 0x02, .seq = 7 } },
	{ "tcp, IP options", { .proto = IPPROTO_TCP, .tcp_flags = 0x02, .ip_options = 8 } },
	{ "tcp, with data", { .proto = IPPROTO_TCP, .tcp_flags = 0x02, .payload = 101 } },
	{ "icmp", { .proto = IPPROTO_ICMP, .icmp_type = 8, .payload = 56 } },
	{ "icmp, identifier 0", { .proto = IPPROTO_ICMP, .icmp_type = 8, .payload = 8 } },
	{ "icmp, odd length", { .proto = IPPROTO_ICMP, .icmp_type = 8, .payload = 57 } },
};

static void assert_mac(const uint8_t *seen, const uint8_t *want)
{
	assert_memory_equal(seen, want, 6);
}

/* The frame @out is @sent with other addresses and ports and one hop less. */
static void assert_translated(const struct output *out, const struct frame *sent)
{
	uint8_t data[FRAME_MAX];
	size_t len = frame_build(sent, data);

	assert_true(out->sound);
	assert_int_equal(out->len, len);
	assert_int_equal(out->f.proto, sent->proto);
	assert_int_equal(out->f.ttl, (sent->ttl ? sent->ttl : 64) - 1);
	assert_int_equal(out->f.tos, sent->tos);
	assert_int_equal(out->f.ip_options, sent->ip_options);
	assert_int_equal(out->f.padding, sent->padding);
	assert_int_equal(out->f.tcp_flags, sent->tcp_flags);
	assert_int_equal(out->f.seq, sent->seq);
	assert_int_equal(out->f.icmp_type, sent->icmp_type);
	assert_int_equal(out->f.no_udp_csum, sent->no_udp_csum);
	assert_true(frame_same_payload(out->data, out->len, data, len));
	/* behind the IP packet nothing is touched */
	assert_memory_equal(out->data + len - sent->padding, data + len - sent->padding,
			    sent->padding);
}

/* The answer to what came out: ends swapped, another size and TTL. */
static struct frame answer_to(const struct frame *f)
{
	struct frame answer = *f;

	memset(answer.src_mac, 0, 6);
	memset(answer.dst_mac, 0, 6);
	answer.saddr = f->daddr;
	answer.daddr = f->saddr;
	answer.sport = f->dport;
	answer.dport = f->sport;
	if (f->proto == IPPROTO_ICMP) {
		answer.sport = f->sport;
		answer.dport = 0;
		answer.icmp_type = 0;
	}
	answer.ttl = 57;
	answer.fill = 0x80;
	answer.padding = 0;
	if (f->proto == IPPROTO_TCP) {
		answer.tcp_flags = 0x12;
		answer.ack = f->seq + 1;
	}
	return answer;
}

static void assert_entries(struct box *box, bool two, const struct frame *sent, uint16_t port,
			   unsigned int out_len, unsigned int in_len)
{
	enum box_side in_side = two ? BOX_INSIDE : BOX_SINGLE;
	enum box_side out_side = two ? BOX_OUTSIDE : BOX_SINGLE;
	bool icmp = sent->proto == IPPROTO_ICMP;
	struct natxdp_flow out, in;
	struct natxdp_key key;

	key = box_key(in_side, sent->proto, addr(HOST), sent->sport, addr(SERVER),
		      icmp ? 0 : sent->dport);
	assert_true(box_flow(box, &key, &out));
	assert_int_equal(ntohl(out.new_saddr), addr(EXTERNAL));
	assert_int_equal(ntohl(out.new_daddr), addr(SERVER));
	assert_int_equal(ntohs(out.new_sport), port);
	assert_int_equal(out.new_dport, key.dport);
	assert_int_equal(out.packets, 1);
	assert_int_equal(out.bytes, out_len);
	assert_int_equal(out.flags & NATXDP_FLOW_INBOUND, 0);
	assert_int_equal(out.pool, 0);

	key = box_key(out_side, sent->proto, addr(SERVER), icmp ? 0 : sent->dport, addr(EXTERNAL),
		      port);
	assert_true(box_flow(box, &key, &in));
	assert_int_equal(ntohl(in.new_daddr), addr(HOST));
	assert_int_equal(ntohs(in.new_dport), sent->sport);
	assert_int_equal(in.packets, 1);
	assert_int_equal(in.bytes, in_len);
	assert_int_equal(in.flags & NATXDP_FLOW_INBOUND, NATXDP_FLOW_INBOUND);
	assert_true(out.last_seen - out.first_seen < 100);
}

static void there_and_back(bool two, const struct shape *shape)
{
	struct box_options options = { .two_armed = two };
	struct box *box = box_open(&options);
	struct frame sent = shape->f, answer;
	struct output out, in;

	sent.saddr = addr(HOST);
	sent.daddr = addr(SERVER);
	sent.sport = strstr(shape->name, "identifier 0") ? 0 : 5353;
	sent.dport = sent.proto == IPPROTO_ICMP ? 0 : 443;
	box_run(box, two ? BOX_INSIDE : BOX_SINGLE, &sent, &out);
	assert_int_equal(out.verdict, two ? XDP_REDIRECT : XDP_TX);
	assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	assert_translated(&out, &sent);
	assert_int_equal(out.f.saddr, addr(EXTERNAL));
	assert_int_equal(out.f.daddr, addr(SERVER));
	assert_in_range(out.f.sport, 1024, 60999);
	assert_int_equal(out.f.dport, sent.dport);
	assert_mac(out.f.src_mac, box_out_mac);
	assert_mac(out.f.dst_mac, box_router_mac);

	answer = answer_to(&out.f);
	box_run(box, two ? BOX_OUTSIDE : BOX_SINGLE, &answer, &in);
	assert_int_equal(in.verdict, two ? XDP_REDIRECT : XDP_TX);
	assert_int_equal(in.reason, NATXDP_IN_FORWARDED);
	assert_translated(&in, &answer);
	assert_int_equal(in.f.saddr, addr(SERVER));
	assert_int_equal(in.f.daddr, addr(HOST));
	assert_int_equal(in.f.proto == IPPROTO_ICMP ? in.f.sport : in.f.dport, sent.sport);
	assert_mac(in.f.src_mac, two ? box_in_mac : box_out_mac);
	assert_mac(in.f.dst_mac, two ? box_host_mac : box_router_mac);

	assert_int_equal(out.bytes, out.len - 14 - sent.padding);
	assert_int_equal(in.bytes, in.len - 14);
	assert_entries(box, two, &sent, out.f.sport, out.bytes, in.bytes);
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_OPENED), 1);
	box_close(box);
}

static void test_two_armed(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		print_message("# %s\n", shapes[i].name);
		there_and_back(true, &shapes[i]);
	}
}

static void test_one_armed(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		print_message("# %s\n", shapes[i].name);
		there_and_back(false, &shapes[i]);
	}
}

/* One's complement has two zeros: look at every value that a checksum can take. */
static void test_every_checksum(void **state)
{
	struct box_options options = { 0 };
	struct frame sent = { .proto = IPPROTO_UDP, .sport = 999, .dport = 53, .payload = 2 };
	struct box *box = box_open(&options);
	struct output out;
	unsigned int i, step = 65536 / box_effort(65536);

	(void)state;
	sent.saddr = addr(HOST);
	sent.daddr = addr(SERVER);
	for (i = 1; i < 65536; i += step) {
		sent.word = i;
		box_run(box, BOX_SINGLE, &sent, &out);
		assert_int_equal(out.verdict, XDP_TX);
		assert_true(out.sound);
		assert_false(out.f.no_udp_csum);
	}
	box_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_armed),
		cmocka_unit_test(test_one_armed),
		cmocka_unit_test(test_every_checksum),
	};

	return box_run_both("prog/forward", tests, sizeof(tests) / sizeof(*tests));
}
