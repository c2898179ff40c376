/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "wire.h"

#include <netinet/in.h>
#include <string.h>

enum { QUOTE_MAX = 548 }; /* RFC 1812, section 4.3.2.3 */
enum { TCP_CHECK = 16, UDP_CHECK = 6, ICMP_CHECK = 2, IP_CHECK = 10 };

uint16_t wire_get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

void wire_put16(uint8_t *p, uint16_t value)
{
	p[0] = value >> 8;
	p[1] = value;
}

uint32_t wire_get32(const uint8_t *p)
{
	return (uint32_t)wire_get16(p) << 16 | wire_get16(p + 2);
}

static void put32(uint8_t *p, uint32_t value)
{
	wire_put16(p, value >> 16);
	wire_put16(p + 2, value);
}

bool wire_same(struct end a, struct end b)
{
	return a.addr == b.addr && a.port == b.port && a.tunnel == b.tunnel;
}

/* RFC 1071 */
static uint32_t sum(const uint8_t *p, size_t len, uint32_t start)
{
	uint32_t s = start;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		s += wire_get16(p + i);
	if (len % 2)
		s += p[len - 1] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

/* The checksum of @len bytes with a field at @field, which counts as 0. */
static uint16_t right_sum(const uint8_t *p, size_t len, size_t field, uint32_t start)
{
	uint8_t copy[4096];

	memcpy(copy, p, len);
	wire_put16(copy + field, 0);
	return ~sum(copy, len, start);
}

static uint16_t right_ip(const uint8_t *ip)
{
	return right_sum(ip, (ip[0] & 15) * 4, IP_CHECK, 0);
}

/* Where the checksum of the fourth layer is; 0 if it has none or it was cut off. */
static size_t l4_field(enum wire_kind kind, const uint8_t *l4, size_t len)
{
	switch (kind) {
	case WIRE_TCP:
		return len >= TCP_CHECK + 2 ? TCP_CHECK : 0;
	case WIRE_UDP: /* 0 is no checksum */
		return wire_get16(l4 + UDP_CHECK) ? UDP_CHECK : 0;
	case WIRE_ECHO:
	case WIRE_ECHO_REPLY:
	case WIRE_ICMP_ERROR:
	case WIRE_ICMP_OTHER:
		return ICMP_CHECK;
	default:
		return 0;
	}
}

static uint16_t right_l4(enum wire_kind kind, const uint8_t *ip, const uint8_t *l4, size_t len)
{
	bool pseudo = kind == WIRE_TCP || kind == WIRE_UDP;
	size_t field = l4_field(kind, l4, len);
	uint16_t check = right_sum(l4, len, field, pseudo ? sum(ip + 12, 8, ip[9] + len) : 0);

	return kind == WIRE_UDP && !check ? 0xffff : check;
}

/* A checksum that was wrong stays wrong, by as much. */
static uint16_t carried(uint16_t was, uint16_t right_before, uint16_t right_now)
{
	if (was == right_before)
		return right_now;
	return (2u * 0xffff + was - right_before + right_now) % 0xffff;
}

static void read_l4(const uint8_t *l4, struct wire *w)
{
	size_t least = w->proto == IPPROTO_TCP				   ? 20 :
		       w->proto == IPPROTO_UDP || w->proto == IPPROTO_ICMP ? 8 :
									     0;

	w->kind = WIRE_MALFORMED;
	if (w->l4_len < least)
		return;
	w->kind = WIRE_BARE;
	if (w->proto == IPPROTO_TCP || w->proto == IPPROTO_UDP) {
		w->kind = w->proto == IPPROTO_TCP ? WIRE_TCP : WIRE_UDP;
		w->src.port = wire_get16(l4);
		w->dst.port = wire_get16(l4 + 2);
		w->tcp_flags = w->proto == IPPROTO_TCP ? l4[13] : 0;
	}
	if (w->proto != IPPROTO_ICMP)
		return;
	switch (l4[0]) {
	case 8:
		w->kind = WIRE_ECHO;
		w->src.port = wire_get16(l4 + 4);
		break;
	case 0:
		w->kind = WIRE_ECHO_REPLY;
		w->dst.port = wire_get16(l4 + 4);
		break;
	case 3:
	case 4:
	case 11:
	case 12:
		w->kind = WIRE_ICMP_ERROR;
		break;
	default:
		w->kind = WIRE_ICMP_OTHER;
	}
}

static void read_ip(const uint8_t *ip, struct wire *w)
{
	uint16_t frag = wire_get16(ip + 6);

	w->ip_len = (ip[0] & 15) * 4;
	w->total = wire_get16(ip + 2);
	w->l4_len = w->total - w->ip_len;
	w->id = wire_get16(ip + 4);
	w->dont_fragment = frag & 0x4000;
	w->offset = (frag & 0x1fff) * 8;
	w->first = (frag & 0x2000) && !w->offset;
	w->ttl = ip[8];
	w->proto = ip[9];
	w->src.addr = wire_get32(ip + 12);
	w->dst.addr = wire_get32(ip + 16);
}

void wire_read(const uint8_t *frame, size_t len, struct wire *w)
{
	const uint8_t *ip = frame + WIRE_ETH;

	memset(w, 0, sizeof(*w));
	w->counted = len;
	if (len < WIRE_ETH || wire_get16(frame + 12) != 0x0800)
		return;
	w->kind = WIRE_MALFORMED;
	if (len < WIRE_ETH + WIRE_IP)
		return;
	w->counted = wire_get16(ip + 2);
	if (ip[0] >> 4 != 4 || (ip[0] & 15) < 5 || w->counted < (ip[0] & 15) * 4u ||
	    w->counted > len - WIRE_ETH)
		return;
	read_ip(ip, w);
	if (w->offset)
		w->kind = WIRE_FRAGMENT;
	else
		read_l4(ip + w->ip_len, w);
}

size_t wire_l4(const struct wire *w)
{
	return WIRE_ETH + w->ip_len;
}

void wire_mend(uint8_t *frame, const struct wire *w)
{
	uint8_t *ip = frame + WIRE_ETH, *l4 = ip + w->ip_len;
	size_t field = l4_field(w->kind, l4, w->l4_len);

	if (field)
		wire_put16(l4 + field, right_l4(w->kind, ip, l4, w->l4_len));
	wire_put16(ip + IP_CHECK, right_ip(ip));
}

enum wire_quote wire_read_quote(const uint8_t *frame, const struct wire *w, struct wire *quote)
{
	const uint8_t *icmp = frame + wire_l4(w), *ip = icmp + 8;

	memset(quote, 0, sizeof(*quote));
	if (w->l4_len < 8 + WIRE_IP || ip[0] >> 4 != 4 || (ip[0] & 15) < 5 ||
	    w->l4_len < 8 + (ip[0] & 15) * 4u + 8)
		return WIRE_QUOTE_SHORT;
	if (right_sum(icmp, w->l4_len, ICMP_CHECK, 0) != wire_get16(icmp + ICMP_CHECK) ||
	    right_ip(ip) != wire_get16(ip + IP_CHECK))
		return WIRE_QUOTE_SUM;
	read_ip(ip, quote);
	quote->l4_len = w->l4_len - 8 - quote->ip_len; /* what is there of it */
	if (quote->offset) {
		quote->kind = WIRE_FRAGMENT;
	} else if (quote->proto == IPPROTO_TCP) { /* 8 bytes are enough here */
		quote->kind = WIRE_TCP;
		quote->src.port = wire_get16(ip + quote->ip_len);
		quote->dst.port = wire_get16(ip + quote->ip_len + 2);
	} else {
		read_l4(ip + quote->ip_len, quote);
	}
	return WIRE_QUOTE_OK;
}

static void put_ends(uint8_t *ip, uint8_t *l4, enum wire_kind kind, struct end src, struct end dst)
{
	put32(ip + 12, src.addr);
	put32(ip + 16, dst.addr);
	switch (kind) {
	case WIRE_TCP:
	case WIRE_UDP:
		wire_put16(l4, src.port);
		wire_put16(l4 + 2, dst.port);
		break;
	case WIRE_ECHO:
		wire_put16(l4 + 4, src.port);
		break;
	case WIRE_ECHO_REPLY:
		wire_put16(l4 + 4, dst.port);
		break;
	default:
		break;
	}
}

/* Other ends for a packet at @ip of which @len bytes of the fourth layer are there. */
static void translate(uint8_t *ip, size_t len, enum wire_kind kind, struct end src, struct end dst,
		      bool hop)
{
	uint8_t *l4 = ip + (ip[0] & 15) * 4;
	size_t field = l4_field(kind, l4, len);
	uint16_t ip_before = right_ip(ip), l4_before = 0, check;

	if (field)
		l4_before = right_l4(kind, ip, l4, len);
	put_ends(ip, l4, kind, src, dst);
	ip[8] -= hop;
	wire_put16(ip + IP_CHECK, carried(wire_get16(ip + IP_CHECK), ip_before, right_ip(ip)));
	if (!field)
		return;
	check = carried(wire_get16(l4 + field), l4_before, right_l4(kind, ip, l4, len));
	wire_put16(l4 + field, kind == WIRE_UDP && !check ? 0xffff : check);
}

void wire_translate(uint8_t *frame, const struct wire *w, struct end src, struct end dst, bool hop)
{
	translate(frame + WIRE_ETH, w->l4_len, w->kind, src, dst, hop);
}

void wire_translate_error(uint8_t *frame, const struct wire *w, const struct wire *quote,
			  const struct wire_error *to)
{
	uint8_t *ip = frame + WIRE_ETH, *icmp = ip + w->ip_len;
	struct end src = { .addr = to->src }, dst = { .addr = to->dst };

	translate(icmp + 8, quote->l4_len, quote->kind, to->quoted_src, to->quoted_dst, false);
	wire_put16(icmp + ICMP_CHECK, right_sum(icmp, w->l4_len, ICMP_CHECK, 0));
	translate(ip, w->l4_len, w->kind, src, dst, to->hop);
}

static void answer_head(const uint8_t *frame, uint8_t *to, uint8_t proto, size_t total,
			uint32_t src, uint32_t dst)
{
	uint8_t *ip = to + WIRE_ETH;

	memset(to, 0, WIRE_ETH + total);
	memcpy(to, frame + 6, 6);
	memcpy(to + 6, frame, 6);
	memcpy(to + 12, frame + 12, 2);
	ip[0] = 0x45;
	wire_put16(ip + 2, total);
	ip[8] = 64;
	ip[9] = proto;
	put32(ip + 12, src);
	put32(ip + 16, dst);
	wire_put16(ip + IP_CHECK, right_ip(ip));
}

size_t wire_answer_icmp(const uint8_t *frame, const struct wire *w, const struct wire_answer *a,
			uint8_t *to)
{
	size_t quote = w->total > QUOTE_MAX ? QUOTE_MAX : w->total, len = 8 + quote;
	uint8_t *icmp = to + WIRE_ETH + WIRE_IP;

	answer_head(frame, to, IPPROTO_ICMP, WIRE_IP + len, a->src, w->src.addr);
	icmp[0] = a->type;
	icmp[1] = a->code;
	wire_put16(icmp + 6, a->mtu);
	memcpy(icmp + 8, frame + WIRE_ETH, quote);
	wire_put16(icmp + ICMP_CHECK, right_sum(icmp, len, ICMP_CHECK, 0));
	return WIRE_ETH + WIRE_IP + len;
}

/* RFC 9293, section 3.10.7.1 */
size_t wire_answer_rst(const uint8_t *frame, const struct wire *w, uint8_t *to)
{
	const uint8_t *tcp = frame + wire_l4(w);
	uint8_t *ip = to + WIRE_ETH, *rst = ip + WIRE_IP;
	uint32_t len = w->l4_len - (tcp[12] >> 4) * 4;

	answer_head(frame, to, IPPROTO_TCP, WIRE_IP + 20, w->dst.addr, w->src.addr);
	wire_put16(rst, w->dst.port);
	wire_put16(rst + 2, w->src.port);
	rst[12] = 5 << 4;
	rst[13] = WIRE_RST;
	if (w->tcp_flags & WIRE_ACK) {
		memcpy(rst + 4, tcp + 8, 4);
	} else {
		len += !!(w->tcp_flags & WIRE_SYN) + !!(w->tcp_flags & WIRE_FIN);
		put32(rst + 8, wire_get32(tcp + 4) + len);
		rst[13] |= WIRE_ACK;
	}
	wire_put16(rst + TCP_CHECK, right_l4(WIRE_TCP, ip, rst, 20));
	return WIRE_ETH + WIRE_IP + 20;
}
