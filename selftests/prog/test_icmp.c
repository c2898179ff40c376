/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* ICMP errors: those that are translated, and those that the box sends. */
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
#define ROUTER "192.0.2.99" /* somewhere on the outside */
#define INSIDE_ROUTER "10.77.0.9"

enum { ETH = 14, ALL = 0 };
enum { UNREACH = 3, QUENCH = 4, EXCEEDED = 11, PARAMETER = 12 };

/* The packet about which there is an error. */
static const struct {
	const char *name;
	struct frame f;
	int quoted; /* bytes of it, ALL for the whole packet */
} cases[] = {
	{ "udp, whole", { .proto = IPPROTO_UDP, .payload = 60 }, ALL },
	{ "udp, odd length", { .proto = IPPROTO_UDP, .payload = 61 }, ALL },
	{ "udp, 8 bytes", { .proto = IPPROTO_UDP, .payload = 60 }, 28 },
	{ "udp, 29 bytes, an odd quote", { .proto = IPPROTO_UDP, .payload = 60 }, 29 },
	{ "udp, no checksum", { .proto = IPPROTO_UDP, .payload = 60, .no_udp_csum = true }, ALL },
	{ "udp, IP options", { .proto = IPPROTO_UDP, .payload = 60, .ip_options = 40 }, ALL },
	{ "udp, full frame", { .proto = IPPROTO_UDP, .payload = 1400 }, ALL },
	{ "tcp, whole", { .proto = IPPROTO_TCP, .tcp_flags = 2, .seq = 99 }, ALL },
	{ "tcp, 8 bytes", { .proto = IPPROTO_TCP, .tcp_flags = 2, .seq = 99 }, 28 },
	{ "tcp, up to the checksum", { .proto = IPPROTO_TCP, .tcp_flags = 2, .seq = 99 }, 38 },
	{ "echo, whole", { .proto = IPPROTO_ICMP, .icmp_type = 8, .payload = 56 }, ALL },
	{ "echo, 8 bytes", { .proto = IPPROTO_ICMP, .icmp_type = 8, .payload = 56 }, 28 },
};

static struct frame outbound(unsigned int i)
{
	struct frame f = cases[i].f;

	f.saddr = addr(HOST);
	f.daddr = addr(SERVER);
	f.sport = 5353;
	f.dport = f.proto == IPPROTO_ICMP ? 0 : 443;
	return f;
}

static struct frame answer_to(const struct frame *f)
{
	struct frame a = *f;

	memset(a.src_mac, 0, 6);
	memset(a.dst_mac, 0, 6);
	a.saddr = f->daddr;
	a.daddr = f->saddr;
	if (f->proto == IPPROTO_ICMP) {
		a.icmp_type = 0;
	} else {
		a.sport = f->dport;
		a.dport = f->sport;
	}
	if (f->proto == IPPROTO_TCP)
		a.tcp_flags = 0x12;
	return a;
}

static size_t quote_len(unsigned int i, const struct output *o)
{
	return cases[i].quoted ? (size_t)cases[i].quoted : o->len - ETH;
}

/*
 * @now: the error as it left. What it quotes must be, byte by byte, what its
 * receiver once sent, one hop older.
 */
static void assert_quote(const struct output *now, const struct frame *sent, size_t quoted)
{
	const uint8_t *quote = now->data + ETH + 20 + 8;
	uint8_t want[FRAME_MAX];
	struct frame older = *sent;

	older.ttl = (sent->ttl ? sent->ttl : 64) - 1;
	frame_build(&older, want);
	assert_memory_equal(quote, want + ETH, quoted);
}

static void error_inbound(bool two, unsigned int i, uint8_t type, uint8_t code)
{
	struct box_options options = { .two_armed = two };
	struct box *box = box_open(&options);
	struct frame sent = outbound(i), f = { .icmp_type = type, .ttl = 50 };
	struct natxdp_flow before, after;
	uint8_t data[FRAME_MAX];
	struct natxdp_key key;
	struct output out, in;
	size_t quoted, len;

	box_run(box, two ? BOX_INSIDE : BOX_SINGLE, &sent, &out);
	key = box_key(two ? BOX_OUTSIDE : BOX_SINGLE, sent.proto, addr(SERVER),
		      sent.proto == IPPROTO_ICMP ? 0 : 443, addr(EXTERNAL), out.f.sport);
	assert_true(box_flow(box, &key, &before));
	quoted = quote_len(i, &out);
	f.saddr = addr(ROUTER);
	f.daddr = addr(EXTERNAL);
	memcpy(f.src_mac, box_router_mac, 6);
	memcpy(f.dst_mac, box_out_mac, 6);
	len = frame_build_error(&f, code, out.data + ETH, quoted, data);
	box_run_raw(box, two ? BOX_OUTSIDE : BOX_SINGLE, data, len, &in);
	assert_int_equal(in.reason, NATXDP_IN_FORWARDED);
	assert_int_equal(in.verdict, two ? XDP_REDIRECT : XDP_TX);
	assert_int_equal(in.len, len);
	assert_true(in.sound);
	assert_int_equal(in.f.saddr, addr(ROUTER));
	assert_int_equal(in.f.daddr, addr(HOST));
	assert_int_equal(in.f.icmp_type, type);
	assert_int_equal(in.data[ETH + 21], code);
	assert_int_equal(in.f.ttl, 49);
	assert_memory_equal(in.f.dst_mac, two ? box_host_mac : box_router_mac, 6);
	assert_quote(&in, &sent, quoted);
	/* it neither refreshes nor counts nor changes the flow */
	assert_true(box_flow(box, &key, &after));
	assert_memory_equal(&before, &after, sizeof(before));
	box_close(box);
}

static void test_inbound(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		print_message("# %s\n", cases[i].name);
		error_inbound(true, i, UNREACH, 4);
		error_inbound(false, i, EXCEEDED, 0);
	}
	error_inbound(true, 0, QUENCH, 0);
	error_inbound(true, 0, PARAMETER, 0);
}

/* The host, or a router before it, complains about an answer. */
static void error_outbound(unsigned int i, const char *complains)
{
	struct box_options options = { .two_armed = true };
	struct box *box = box_open(&options);
	struct frame sent = outbound(i), answer, f = { .icmp_type = UNREACH };
	uint8_t data[FRAME_MAX];
	struct output out, in, error;
	size_t quoted, len;

	box_run(box, BOX_INSIDE, &sent, &out);
	answer = answer_to(&out.f);
	answer.ttl = 60;
	answer.no_udp_csum = sent.no_udp_csum;
	box_run(box, BOX_OUTSIDE, &answer, &in);
	assert_int_equal(in.reason, NATXDP_IN_FORWARDED);
	quoted = quote_len(i, &in);
	f.saddr = addr(complains);
	f.daddr = addr(SERVER);
	memcpy(f.src_mac, box_host_mac, 6);
	memcpy(f.dst_mac, box_in_mac, 6);
	len = frame_build_error(&f, 3, in.data + ETH, quoted, data);
	box_run_raw(box, BOX_INSIDE, data, len, &error);
	assert_int_equal(error.reason, NATXDP_OUT_FORWARDED);
	assert_int_equal(error.verdict, XDP_REDIRECT);
	assert_true(error.sound);
	assert_int_equal(error.f.saddr, addr(EXTERNAL)); /* RFC 5508, REQ-5: nobody else shows */
	assert_int_equal(error.f.daddr, addr(SERVER));
	assert_int_equal(error.f.ttl, 63);
	assert_quote(&error, &answer, quoted);
	box_close(box);
}

static void test_outbound(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		print_message("# %s\n", cases[i].name);
		error_outbound(i, HOST);
	}
	error_outbound(0, INSIDE_ROUTER);
}

/* What must not go through. */
static void test_refused(void **state)
{
	struct box_options options = { .two_armed = true };
	struct box *box = box_open(&options);
	struct frame sent = outbound(0), f = { .icmp_type = UNREACH };
	uint8_t data[FRAME_MAX], quote[FRAME_MAX];
	struct output out, in;
	size_t len, quoted;

	(void)state;
	box_run(box, BOX_INSIDE, &sent, &out);
	quoted = out.len - ETH;
	f.saddr = addr(ROUTER);
	f.daddr = addr(EXTERNAL);

	len = frame_build_error(&f, 1, out.data + ETH, quoted, data);
	data[len - 1] ^= 1; /* RFC 5508, REQ-3: the checksum of the message */
	box_run_raw(box, BOX_OUTSIDE, data, len, &in);
	assert_int_equal(in.reason, NATXDP_DROP_CHECKSUM);

	memcpy(quote, out.data + ETH, quoted);
	quote[8] ^= 1; /* REQ-3a: of the quoted header */
	len = frame_build_error(&f, 1, quote, quoted, data);
	box_run_raw(box, BOX_OUTSIDE, data, len, &in);
	assert_int_equal(in.reason, NATXDP_DROP_CHECKSUM);

	memcpy(quote, out.data + ETH, quoted);
	quote[quoted - 1] ^= 1; /* REQ-3c: what the quoted transport carries is not looked at */
	len = frame_build_error(&f, 1, quote, quoted, data);
	box_run_raw(box, BOX_OUTSIDE, data, len, &in);
	assert_int_equal(in.reason, NATXDP_IN_FORWARDED);

	len = frame_build_error(&f, 1, out.data + ETH, 27, data); /* less than 8 bytes of UDP */
	box_run_raw(box, BOX_OUTSIDE, data, len, &in);
	assert_int_equal(in.reason, NATXDP_DROP_MALFORMED);

	memcpy(quote, out.data + ETH, quoted);
	quote[21] ^= 1; /* another port: REQ-4, no mapping */
	len = frame_build_error(&f, 1, quote, quoted, data);
	box_run_raw(box, BOX_OUTSIDE, data, len, &in);
	assert_int_equal(in.reason, NATXDP_DROP_ICMP);

	quote[20] = 22 >> 8; /* about a packet of the host itself */
	quote[21] = 22;
	len = frame_build_error(&f, 1, quote, quoted, data);
	box_run_raw(box, BOX_OUTSIDE, data, len, &in);
	assert_int_equal(in.reason, NATXDP_PASS_HOST);
	assert_int_equal(in.verdict, XDP_PASS);
	assert_memory_equal(in.data, data, len);

	len = frame_build_error(&f, 1, out.data + ETH, quoted, data); /* from the wrong side */
	box_run_raw(box, BOX_INSIDE, data, len, &in);
	assert_int_equal(in.reason, NATXDP_DROP_ICMP);
	box_close(box);
}

/* The box's own error about @sent came back to its sender, quoting it as it was. */
static void assert_reply(const struct output *o, const struct frame *sent, const char *from,
			 uint8_t type, uint8_t code)
{
	uint8_t data[FRAME_MAX];
	size_t len = frame_build(sent, data), quoted;

	quoted = len - ETH - sent->padding > 548 ? 548 : len - ETH - sent->padding;
	assert_int_equal(o->verdict, XDP_TX);
	assert_true(o->sound);
	assert_int_equal(o->len, ETH + 28 + quoted);
	assert_int_equal(o->f.proto, IPPROTO_ICMP);
	assert_int_equal(o->f.icmp_type, type);
	assert_int_equal(o->data[ETH + 21], code);
	assert_int_equal(o->f.saddr, addr(from));
	assert_int_equal(o->f.daddr, sent->saddr);
	assert_int_equal(o->f.ttl, 64);
	assert_memory_equal(o->data + ETH + 28, data + ETH, quoted);
}

static void test_time_exceeded(void **state)
{
	struct box_options options = { .two_armed = true };
	struct box *box = box_open(&options);
	struct frame sent, answer;
	unsigned int i, live, dead;
	struct output out;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		box_next_tick(); /* answers are limited */
		sent = outbound(i);
		sent.ttl = 1;
		box_run(box, BOX_INSIDE, &sent, &out);
		assert_int_equal(out.reason, NATXDP_REPLY_TTL);
		assert_reply(&out, &sent, "10.77.0.1", EXCEEDED, 0);
		assert_memory_equal(out.f.dst_mac, box_host_mac, 6);
		box_count(box, &live, &dead); /* it opens nothing */
		assert_int_equal(live, 2 * i);
		sent.ttl = 9;
		sent.sport += i;
		box_run(box, BOX_INSIDE, &sent, &out);
		answer = answer_to(&out.f);
		answer.ttl = 1;
		box_run(box, BOX_OUTSIDE, &answer, &out);
		assert_int_equal(out.reason, NATXDP_REPLY_TTL);
		assert_reply(&out, &answer, EXTERNAL, EXCEEDED, 0);
	}
	box_close(box);
}

static void test_too_big(void **state)
{
	struct box_options options = { .two_armed = true, .egress_mtu = 1400 };
	struct box *box = box_open(&options);
	struct frame sent = { .proto = IPPROTO_UDP, .sport = 7, .dport = 8, .payload = 1372 };
	struct output out;

	(void)state;
	sent.saddr = addr(HOST);
	sent.daddr = addr(SERVER);
	sent.frag_off = 0x4000; /* don't fragment */
	box_run(box, BOX_INSIDE, &sent, &out);
	assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	sent.payload++;
	box_run(box, BOX_INSIDE, &sent, &out);
	assert_int_equal(out.reason, NATXDP_REPLY_TOO_BIG);
	assert_reply(&out, &sent, "10.77.0.1", UNREACH, 4);
	assert_int_equal(out.data[ETH + 26] << 8 | out.data[ETH + 27], 1400);
	/* without DF the kernel cuts it: translated, and the hop is left to the kernel */
	sent.frag_off = 0;
	box_run(box, BOX_INSIDE, &sent, &out);
	assert_int_equal(out.reason, NATXDP_OUT_VIA_KERNEL);
	assert_int_equal(out.verdict, XDP_PASS);
	assert_true(out.sound);
	assert_int_equal(out.f.saddr, addr(EXTERNAL));
	assert_int_equal(out.f.ttl, 64);
	box_close(box);
}

static void test_no_port(void **state)
{
	struct box_options options = { .two_armed = true, .port_min = 2000, .port_max = 2001 };
	struct box *box = box_open(&options);
	struct frame sent = outbound(0);
	unsigned int i, replies = 0;
	struct output out;

	(void)state;
	for (i = 0; i < 2; i++, sent.sport++) {
		box_run(box, BOX_INSIDE, &sent, &out);
		assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	}
	box_run(box, BOX_INSIDE, &sent, &out);
	assert_int_equal(out.reason, NATXDP_REPLY_NO_PORT);
	assert_reply(&out, &sent, "10.77.0.1", UNREACH, 13);
	/* many refusals, few answers */
	for (i = 0; i < 2000; i++) {
		box_run(box, BOX_INSIDE, &sent, &out);
		replies += out.reason == NATXDP_REPLY_NO_PORT;
		assert_true(out.reason == NATXDP_REPLY_NO_PORT ||
			    out.reason == NATXDP_DROP_NO_PORT);
	}
	assert_in_range(replies, 1, 1900);
	box_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inbound), cmocka_unit_test(test_outbound),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_time_exceeded),
		cmocka_unit_test(test_too_big), cmocka_unit_test(test_no_port),
	};

	return box_run_both("prog/icmp", tests, sizeof(tests) / sizeof(*tests));
}
