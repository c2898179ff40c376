/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* IP fragments: put together again at the other end, byte by byte. */
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

enum { ETH = 14, IP = 20, PIECE = 400, DATAGRAM = 1400 };

/* A datagram cut into pieces, and the whole of it. */
struct cut {
	uint8_t whole[FRAME_MAX];
	size_t whole_len;
	uint8_t piece[8][FRAME_MAX];
	size_t piece_len[8];
	unsigned int pieces;
};

static uint16_t checksum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static void set16(uint8_t *p, uint16_t value)
{
	p[0] = value >> 8;
	p[1] = value;
}

/* One fragment of a whole frame: @len bytes behind the IP header from @offset on. */
static size_t fragment(const struct cut *c, size_t offset, size_t len, bool more, uint8_t *to)
{
	memcpy(to, c->whole, ETH + IP);
	memcpy(to + ETH + IP, c->whole + ETH + IP + offset, len);
	set16(to + ETH + 2, IP + len);
	set16(to + ETH + 6, (more ? 0x2000 : 0) | offset / 8);
	set16(to + ETH + 10, 0);
	set16(to + ETH + 10, checksum(to + ETH, IP));
	return ETH + IP + len;
}

static void cut(struct cut *c, const struct frame *f, uint16_t id)
{
	size_t total, offset;

	c->whole_len = frame_build(f, c->whole);
	set16(c->whole + ETH + 4, id);
	set16(c->whole + ETH + 10, 0);
	set16(c->whole + ETH + 10, checksum(c->whole + ETH, IP));
	total = c->whole_len - ETH - IP;
	c->pieces = 0;
	for (offset = 0; offset < total; offset += PIECE) {
		size_t len = total - offset < PIECE ? total - offset : PIECE;

		c->piece_len[c->pieces] = fragment(c, offset, len, offset + len < total,
						   c->piece[c->pieces]);
		c->pieces++;
	}
}

static struct frame datagram(uint8_t proto)
{
	struct frame f = { .proto = proto, .sport = 7000, .dport = 53, .payload = DATAGRAM };

	memcpy(f.src_mac, box_host_mac, 6);
	memcpy(f.dst_mac, box_in_mac, 6);
	f.saddr = addr(HOST);
	f.daddr = addr(SERVER);
	f.tcp_flags = 0x02;
	f.icmp_type = 8;
	if (proto == IPPROTO_ICMP)
		f.dport = 0;
	return f;
}

/* Sends the pieces and puts together what came out; all must go on to one place. */
static void send_all(struct box *box, enum box_side side, const struct cut *c, struct output *whole)
{
	struct output o;
	unsigned int i;
	uint16_t off;

	memset(whole, 0, sizeof(*whole));
	for (i = 0; i < c->pieces; i++) {
		box_run_raw(box, side, c->piece[i], c->piece_len[i], &o);
		assert_int_equal(o.reason,
				 side == BOX_OUTSIDE ? NATXDP_IN_FORWARDED : NATXDP_OUT_FORWARDED);
		assert_int_equal(o.verdict, XDP_REDIRECT);
		assert_int_equal(o.len, c->piece_len[i]);
		assert_int_equal(checksum(o.data + ETH, IP), 0);
		off = (o.data[ETH + 6] << 8 | o.data[ETH + 7]) & 0x1fff;
		memcpy(whole->data, o.data, ETH + IP);
		memcpy(whole->data + ETH + IP + off * 8, o.data + ETH + IP, o.len - ETH - IP);
		whole->len = ETH + IP + off * 8 + o.len - ETH - IP;
	}
	set16(whole->data + ETH + 2, whole->len - ETH);
	set16(whole->data + ETH + 6, 0);
	set16(whole->data + ETH + 10, 0);
	set16(whole->data + ETH + 10, checksum(whole->data + ETH, IP));
	whole->sound = frame_parse(whole->data, whole->len, &whole->f);
}

static void there_and_back(uint8_t proto)
{
	struct box_options options = { .two_armed = true };
	struct box *box = box_open(&options);
	struct frame f = datagram(proto), back;
	struct natxdp_flow flow;
	struct natxdp_key key;
	struct output o, in;
	struct cut c;

	cut(&c, &f, 0x4711);
	assert_int_equal(c.pieces, 4);
	send_all(box, BOX_INSIDE, &c, &o);
	assert_true(o.sound); /* the checksum over the whole datagram holds */
	assert_int_equal(o.f.saddr, addr(EXTERNAL));
	assert_int_equal(o.f.daddr, addr(SERVER));
	assert_true(frame_same_payload(o.data, o.len, c.whole, c.whole_len));
	key = box_key(BOX_INSIDE, proto, addr(HOST), 7000, addr(SERVER), f.dport);
	assert_true(box_flow(box, &key, &flow));
	assert_int_equal(flow.packets, 4);
	assert_int_equal(flow.bytes, c.whole_len - ETH + 3 * IP);

	back = f;
	back.saddr = addr(SERVER);
	back.daddr = addr(EXTERNAL);
	back.sport = proto == IPPROTO_ICMP ? o.f.sport : 53;
	back.dport = proto == IPPROTO_ICMP ? 0 : o.f.sport;
	back.icmp_type = 0;
	back.tcp_flags = 0x12;
	cut(&c, &back, 0x4712);
	send_all(box, BOX_OUTSIDE, &c, &in);
	assert_true(in.sound);
	assert_int_equal(in.f.daddr, addr(HOST));
	assert_true(frame_same_payload(in.data, in.len, c.whole, c.whole_len));
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_OPENED), 1);
	box_close(box);
}

static void test_in_order(void **state)
{
	(void)state;
	there_and_back(IPPROTO_UDP);
	there_and_back(IPPROTO_TCP);
	there_and_back(IPPROTO_ICMP);
}

/* The later ones may come in any order once the first one is there. */
static void test_later_ones_in_disorder(void **state)
{
	static const unsigned int order[] = { 0, 3, 1, 2 };
	struct box_options options = { .two_armed = true };
	struct box *box = box_open(&options);
	struct frame f = datagram(IPPROTO_UDP);
	struct output o;
	struct cut c;

	(void)state;
	cut(&c, &f, 1);
	for (unsigned int i = 0; i < 4; i++) {
		box_run_raw(box, BOX_INSIDE, c.piece[order[i]], c.piece_len[order[i]], &o);
		assert_int_equal(o.reason, NATXDP_OUT_FORWARDED);
	}
	box_close(box);
}

static void test_refused(void **state)
{
	struct box_options options = { .two_armed = true };
	struct box *box = box_open(&options);
	struct frame f = datagram(IPPROTO_UDP);
	uint8_t data[FRAME_MAX];
	struct output o;
	struct cut c;
	size_t len;

	(void)state;
	cut(&c, &f, 1);
	/* without the first one there are no ports */
	box_run_raw(box, BOX_INSIDE, c.piece[1], c.piece_len[1], &o);
	assert_int_equal(o.reason, NATXDP_DROP_FRAGMENT);

	/* one that reaches back into the first, and then nothing more of the datagram */
	box_run_raw(box, BOX_INSIDE, c.piece[0], c.piece_len[0], &o);
	assert_int_equal(o.reason, NATXDP_OUT_FORWARDED);
	len = fragment(&c, PIECE - 8, PIECE, true, data);
	box_run_raw(box, BOX_INSIDE, data, len, &o);
	assert_int_equal(o.reason, NATXDP_DROP_OVERLAP);
	box_run_raw(box, BOX_INSIDE, c.piece[1], c.piece_len[1], &o);
	assert_int_equal(o.reason, NATXDP_DROP_OVERLAP);

	/* one that overlaps a later one */
	cut(&c, &f, 2);
	box_run_raw(box, BOX_INSIDE, c.piece[0], c.piece_len[0], &o);
	box_run_raw(box, BOX_INSIDE, c.piece[1], c.piece_len[1], &o);
	assert_int_equal(o.reason, NATXDP_OUT_FORWARDED);
	len = fragment(&c, 2 * PIECE - 16, PIECE, true, data);
	box_run_raw(box, BOX_INSIDE, data, len, &o);
	assert_int_equal(o.reason, NATXDP_DROP_OVERLAP);

	/* a first fragment without the whole UDP header (RFC 1858) */
	len = fragment(&c, 0, 4, true, data);
	set16(data + ETH + 4, 3);
	set16(data + ETH + 10, 0);
	set16(data + ETH + 10, checksum(data + ETH, IP));
	box_run_raw(box, BOX_INSIDE, data, len, &o);
	assert_int_equal(o.reason, NATXDP_DROP_MALFORMED);

	/* of a datagram of another host with the same identification */
	f.saddr = addr("10.77.0.3");
	cut(&c, &f, 2);
	box_run_raw(box, BOX_INSIDE, c.piece[2], c.piece_len[2], &o);
	assert_int_equal(o.reason, NATXDP_DROP_FRAGMENT);
	box_close(box);
}

/* The host's own fragmented answers pass, all of them. */
static void test_host(void **state)
{
	struct box_options options = { .two_armed = true };
	struct box *box = box_open(&options);
	struct frame f = datagram(IPPROTO_UDP);
	struct output o;
	struct cut c;

	(void)state;
	f.saddr = addr(SERVER);
	f.daddr = addr(EXTERNAL);
	f.sport = 53;
	f.dport = 61234;
	cut(&c, &f, 9);
	for (unsigned int i = 0; i < c.pieces; i++) {
		box_run_raw(box, BOX_OUTSIDE, c.piece[i], c.piece_len[i], &o);
		assert_int_equal(o.reason, NATXDP_PASS_HOST);
		assert_int_equal(o.verdict, XDP_PASS);
		assert_memory_equal(o.data, c.piece[i], c.piece_len[i]);
	}
	f.dport = 2000;
	cut(&c, &f, 10);
	box_run_raw(box, BOX_OUTSIDE, c.piece[0], c.piece_len[0], &o);
	assert_int_equal(o.reason, NATXDP_DROP_UNSOLICITED);
	box_run_raw(box, BOX_OUTSIDE, c.piece[1], c.piece_len[1], &o);
	assert_int_equal(o.reason, NATXDP_DROP_FRAGMENT);
	box_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_later_ones_in_disorder),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_host),
	};

	return box_run_both("prog/frag", tests, sizeof(tests) / sizeof(*tests));
}
