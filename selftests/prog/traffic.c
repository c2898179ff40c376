/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "traffic.h"

#include <netinet/in.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const char *const hosts[] = { "10.77.0.2", "10.77.0.2", "10.77.0.3", "10.77.0.4",
				     "10.99.0.9" };
static const char *const remotes[] = { "198.51.100.7", "198.51.100.7", "198.51.100.8", "192.0.2.99",
				       "203.0.113.77" };
static const char *const odd[] = {
	"127.0.0.1", "0.1.2.3",	    "240.0.0.1",   "255.255.255.255", "224.0.0.1", "239.1.1.1",
	"10.77.0.1", "198.18.3.3",  "10.50.0.1",   "203.0.113.254",   "192.0.2.1", "10.77.0.66",
	"10.77.0.2", "203.0.113.1", "203.0.113.2", "203.0.113.77",    "10.99.0.9",
};
static const uint16_t host_ports[] = { 5000, 5001, 5353, 40000, 0, 68 };
static const uint16_t remote_ports[] = { 53, 443, 443, 22, 0, 61001 };

uint32_t traffic_random(struct traffic *t, uint32_t below)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return (t->random >> 16) % below;
}

static bool one_in(struct traffic *t, uint32_t n)
{
	return !traffic_random(t, n);
}

#define PICK(t, array) ((array)[traffic_random(t, COUNT(array))])

void traffic_start(struct traffic *t, uint64_t seed, bool two_armed)
{
	memset(t, 0, sizeof(*t));
	t->random = (seed + 1) * 0x9e3779b97f4a7c15ull | 1;
	t->two_armed = two_armed;
}

static enum box_side inside(const struct traffic *t)
{
	return t->two_armed ? BOX_INSIDE : BOX_SINGLE;
}

static enum box_side outside(const struct traffic *t)
{
	return t->two_armed ? BOX_OUTSIDE : BOX_SINGLE;
}

/* Hosts on the link have their own address, the others come by a router. */
static void set_macs(struct frame *f, enum box_side side)
{
	memcpy(f->src_mac, box_router_mac, 6);
	memcpy(f->dst_mac, box_out_mac, 6);
	if (side != BOX_INSIDE)
		return;
	memcpy(f->src_mac, box_host_mac, 6);
	memcpy(f->dst_mac, box_in_mac, 6);
	f->src_mac[5] = f->saddr >> 8 == addr("10.77.0.0") >> 8 ? f->saddr : 0x99;
}

static uint8_t tcp_flags(struct traffic *t)
{
	static const uint8_t flags[] = {
		WIRE_SYN,
		WIRE_SYN,
		WIRE_SYN,
		WIRE_SYN | WIRE_ACK,
		WIRE_SYN | WIRE_ACK,
		WIRE_ACK,
		WIRE_ACK,
		WIRE_PSH | WIRE_ACK,
		WIRE_FIN | WIRE_ACK,
		WIRE_FIN | WIRE_ACK,
		WIRE_RST,
		WIRE_RST | WIRE_ACK,
	};

	return one_in(t, 20) ? traffic_random(t, 256) : PICK(t, flags);
}

/* All that does not name the flow. */
static void decorate(struct traffic *t, struct frame *f)
{
	static const uint16_t sizes[] = { 0, 1, 2, 8, 20, 33, 100, 548, 1201, 1380, 1473 };
	static const uint8_t ttls[] = { 1, 2, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0 };

	f->ttl = PICK(t, ttls);
	f->tos = one_in(t, 8) ? traffic_random(t, 256) : 0;
	f->payload = one_in(t, 3) ? PICK(t, sizes) : traffic_random(t, 64);
	f->fill = traffic_random(t, 256);
	f->frag_off = one_in(t, 2) ? 0x4000 : 0;
	f->ip_options = one_in(t, 12) ? 4 * (1 + traffic_random(t, 10)) : 0;
	f->padding = one_in(t, 4) ? 1 + traffic_random(t, 40) : 0;
	f->tcp_flags = tcp_flags(t);
	f->seq = traffic_random(t, 0xffffffff);
	f->ack = traffic_random(t, 0xffffffff);
	f->no_udp_csum = one_in(t, 8);
	f->word = f->payload >= 2 ? 1 + traffic_random(t, 0xffff) : 0;
}

static void outbound(struct traffic *t, struct frame *f)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDP,
					  IPPROTO_ICMP };

	memset(f, 0, sizeof(*f));
	decorate(t, f);
	f->proto = PICK(t, protos);
	f->saddr = addr(PICK(t, hosts));
	f->daddr = addr(PICK(t, remotes));
	f->sport = PICK(t, host_ports);
	f->dport = PICK(t, remote_ports);
	f->icmp_type = one_in(t, 15) ? traffic_random(t, 20) : 8;
}

static void put(struct traffic_packet *p, struct frame *f, enum box_side side)
{
	/* the request 0 and the reply 0 have one key */
	if (f->proto == IPPROTO_ICMP && f->icmp_type != 8 && !f->sport)
		f->sport = 1;
	set_macs(f, side);
	p->side = side;
	p->len = frame_build(f, p->data);
}

static void make_outbound(struct traffic *t, struct traffic_packet *p)
{
	struct frame f;

	outbound(t, &f);
	p->what = "from the inside";
	put(p, &f, inside(t));
}

static struct traffic_pair *recent(struct traffic *t)
{
	unsigned int n = t->pairs < TRAFFIC_RECENT ? t->pairs : TRAFFIC_RECENT;

	return n ? &t->recent[traffic_random(t, n)] : NULL;
}

/* The frame of who answers to a frame that came out. */
static void answer_to(struct traffic *t, const struct traffic_pair *pair, struct frame *f)
{
	struct wire w;

	memset(f, 0, sizeof(*f));
	wire_read(pair->out, pair->out_len, &w);
	decorate(t, f);
	f->proto = w.proto;
	f->saddr = w.dst.addr;
	f->daddr = w.src.addr;
	f->sport = w.proto == IPPROTO_ICMP ? w.src.port | w.dst.port : w.dst.port;
	f->dport = w.src.port;
	f->icmp_type = w.kind == WIRE_ECHO ? 0 : 8;
}

static void make_answer(struct traffic *t, struct traffic_packet *p)
{
	const struct traffic_pair *pair = recent(t);
	enum box_side side;
	struct frame f;

	if (!pair) {
		make_outbound(t, p);
		return;
	}
	answer_to(t, pair, &f);
	p->what = "an answer";
	p->tunnel = t->tunnels && one_in(t, 8) ? p->tunnel : pair->tunnel;
	side = pair->back;
	if (one_in(t, 6)) {
		p->what = "nearly an answer";
		switch (traffic_random(t, 6)) {
		case 0:
			f.saddr = addr(PICK(t, remotes));
			break;
		case 1:
			f.sport = PICK(t, remote_ports);
			break;
		case 2:
			f.dport += 1;
			break;
		case 3:
			f.daddr = addr(PICK(t, odd));
			break;
		case 4:
			side = t->two_armed ? BOX_INSIDE + BOX_OUTSIDE - side : side;
			break;
		case 5:
			f.saddr = addr(PICK(t, odd));
			break;
		}
	}
	put(p, &f, side);
}

/* To an external end that came out of the box, from another inside host or from itself. */
static void make_turning(struct traffic *t, struct traffic_packet *p)
{
	const struct traffic_pair *pair = recent(t);
	struct frame f;
	struct wire w;

	outbound(t, &f);
	if (pair) {
		wire_read(pair->out, pair->out_len, &w);
		f.proto = w.proto;
		f.daddr = w.src.addr;
		f.dport = w.src.port;
	}
	p->what = "from the inside, to a mapped port";
	put(p, &f, inside(t));
}

static void make_odd(struct traffic *t, struct traffic_packet *p)
{
	static const uint16_t ports[] = { 22, 67, 68, 2000, 61000, 60999 };
	static const uint8_t protos[] = { 4, 41, 47, 50, 115, 132, 136, 2, 6, 17, 17, 1 };
	struct frame f;

	outbound(t, &f);
	p->what = "with odd addresses";
	f.proto = one_in(t, 2) ? PICK(t, protos) : f.proto;
	if (one_in(t, 3))
		f.saddr = addr(PICK(t, odd));
	if (one_in(t, 2))
		f.daddr = addr(PICK(t, odd));
	if (one_in(t, 2))
		f.dport = PICK(t, ports);
	if (one_in(t, 4))
		f.sport = PICK(t, ports);
	if (one_in(t, 2)) {
		uint32_t a = f.saddr;

		f.saddr = f.daddr;
		f.daddr = a;
	}
	if (one_in(t, 6)) { /* as a DHCP server */
		f.proto = IPPROTO_UDP;
		f.sport = 67;
		f.dport = 68;
	}
	put(p, &f, one_in(t, 2) ? inside(t) : outside(t));
}

static void make_bare(struct traffic *t, struct traffic_packet *p)
{
	static const uint8_t protos[] = { IPPROTO_GRE, IPPROTO_ESP, IPPROTO_SCTP };
	struct frame f;

	outbound(t, &f);
	f.proto = PICK(t, protos);
	f.payload += 8;
	p->what = "without ports";
	put(p, &f, inside(t));
}

/* Who complains about a frame that came out. */
static void make_error(struct traffic *t, struct traffic_packet *p)
{
	static const uint8_t types[] = { 3, 3, 3, 4, 11, 12 };
	const struct traffic_pair *pair = recent(t);
	struct frame f = { 0 };
	size_t quoted, least;
	uint8_t frame[FRAME_MAX], *quote = frame + WIRE_ETH;
	struct wire w;

	if (!pair) {
		make_outbound(t, p);
		return;
	}
	wire_read(pair->out, pair->out_len, &w);
	memcpy(frame, pair->out, pair->out_len);
	least = w.ip_len + 8;
	quoted = w.total < least || one_in(t, 2) ? w.total :
		 one_in(t, 2)			 ? least :
						   least + traffic_random(t, w.total - least + 1);
	quoted = quoted > 1400 ? 1400 : quoted;
	decorate(t, &f);
	f.icmp_type = PICK(t, types);
	f.saddr = one_in(t, 3)		   ? w.dst.addr :
		  pair->back == BOX_INSIDE ? addr("10.77.0.9") :
					     addr("192.0.2.200");
	f.daddr = w.src.addr;
	p->what = "an error";
	if (one_in(t, 8))
		f.saddr = addr(PICK(t, odd));
	if (one_in(t, 12))
		f.daddr = addr(PICK(t, odd));
	if (one_in(t, 8)) { /* not what came out */
		p->what = "an error about something else";
		quote[traffic_random(t, quoted)] ^= 1 << traffic_random(t, 8);
		if (one_in(t, 2)) {
			wire_put16(quote + w.ip_len, PICK(t, host_ports));
			wire_put16(quote + w.ip_len, 22);
		}
		if (quote[0] >> 4 == 4 && (quote[0] & 15) >= 5 && quoted >= (quote[0] & 15) * 4u) {
			struct wire bare = { .kind = WIRE_BARE, .ip_len = (quote[0] & 15) * 4 };

			/* the request 0 and the reply 0 have one key, see put() */
			if (quote[9] == IPPROTO_ICMP && quoted >= bare.ip_len + 8 &&
			    !wire_get16(quote + bare.ip_len + 4))
				wire_put16(quote + bare.ip_len + 4, 1);
			wire_mend(frame, &bare);
		}
	}
	set_macs(&f, pair->back);
	p->side = pair->back;
	p->tunnel = pair->tunnel;
	p->len = frame_build_error(&f, traffic_random(t, 14), quote, quoted, p->data);
	if (one_in(t, 25))
		p->data[p->len - 1 - f.padding] ^= 0x10;
}

/* The same again, with a word changed so that the checksum of what comes out becomes 0. */
static void make_tuned(struct traffic *t, struct traffic_packet *p)
{
	const struct traffic_pair *pair = recent(t);
	size_t field, word;
	uint16_t check;
	struct wire w;
	uint8_t *l4;

	make_outbound(t, p);
	if (!pair)
		return;
	wire_read(pair->in, pair->in_len, &w);
	field = w.kind == WIRE_TCP ? 16 : w.kind == WIRE_UDP ? 6 : 2;
	word = w.kind == WIRE_TCP ? 20 : 8;
	if ((w.kind != WIRE_TCP && w.kind != WIRE_UDP && w.kind != WIRE_ECHO &&
	     w.kind != WIRE_ECHO_REPLY) ||
	    w.l4_len < word + 2 || w.first)
		return;
	p->what = "with a checksum near 0";
	p->side = pair->side;
	p->tunnel = pair->tunnel;
	p->len = pair->in_len;
	memcpy(p->data, pair->in, p->len);
	l4 = p->data + wire_l4(&w);
	/* by the checksum before or after translation, or nearly */
	check = one_in(t, 2) ? wire_get16(l4 + field) : wire_get16(pair->out + wire_l4(&w) + field);
	check += one_in(t, 4) ? traffic_random(t, 3) - 1 : 0;
	wire_put16(l4 + word, (wire_get16(l4 + word) + (uint32_t)check) % 0xffff);
	wire_mend(p->data, &w);
}

static void make_broken(struct traffic *t, struct traffic_packet *p)
{
	const struct traffic_pair *pair = recent(t);
	struct wire w;
	size_t at;

	make_outbound(t, p);
	if (pair && one_in(t, 2)) {
		p->side = pair->side;
		p->tunnel = pair->tunnel;
		p->len = pair->in_len;
		memcpy(p->data, pair->in, p->len);
	}
	p->what = "with a byte changed";
	at = 12 + traffic_random(t, p->len - 12 < 60 ? p->len - 12 : 60);
	p->data[at] ^= 1 << traffic_random(t, 8);
	if (one_in(t, 4)) {
		p->what = "cut off";
		p->len = WIRE_ETH + traffic_random(t, p->len - WIRE_ETH + 1);
	}
	wire_read(p->data, p->len, &w);
	/* pieces of what cannot be told apart: see make_odd() and fragments of errors */
	if ((w.kind == WIRE_ICMP_ERROR && w.first) ||
	    (w.proto == IPPROTO_ICMP && w.kind == WIRE_ECHO_REPLY && !w.dst.port))
		make_outbound(t, p);
}

/* A datagram in pieces: in order, out of order, without the first, overlapping. */
static void make_fragment(struct traffic *t, struct traffic_packet *p)
{
	enum { PIECE = 200, PIECES = 4 };
	static const uint8_t orders[][PIECES] = { { 0, 1, 2, 3 }, { 0, 1, 2, 3 }, { 0, 1, 2, 3 },
						  { 1, 0, 2, 3 }, { 1, 2, 3, 0 }, { 3, 2, 1, 0 } };
	uint8_t whole[FRAME_MAX];
	struct traffic_pair *pair = recent(t);
	size_t offset, len, piece;
	struct wire w;

	if (!t->pieces_left) {
		outbound(t, &t->datagram);
		t->side = inside(t);
		t->tunnel = p->tunnel;
		if (pair && one_in(t, 2)) {
			answer_to(t, pair, &t->datagram);
			t->side = pair->back;
			t->tunnel = pair->tunnel;
		} else if (one_in(t, 8)) {
			t->datagram.daddr = addr(PICK(t, odd));
		}
		if (t->datagram.proto == IPPROTO_ICMP && t->datagram.icmp_type != 8)
			t->datagram.icmp_type = 0;
		if (t->datagram.proto == IPPROTO_ICMP && !t->datagram.sport)
			t->datagram.sport = 1;
		t->datagram.payload = PIECE * PIECES - 20;
		t->datagram.padding = 0;
		t->pieces_left = PIECES;
		t->piece_at = one_in(t, 8);
		t->order = PICK(t, orders);
		t->id++;
		set_macs(&t->datagram, t->side);
	}
	p->what = "a fragment";
	p->side = t->side;
	p->tunnel = t->tunnel;
	frame_build(&t->datagram, whole);
	wire_read(whole, FRAME_MAX, &w);
	if (one_in(t, 12) && t->piece_at) /* another order */
		t->piece_at += 1;
	piece = t->piece_at < PIECES ? t->order[t->piece_at] : t->piece_at;
	offset = piece * PIECE;
	len = offset + PIECE < w.l4_len ? PIECE : w.l4_len > offset ? w.l4_len - offset : 8;
	if (offset && one_in(t, 15))
		offset -= 8;
	memcpy(p->data, whole, wire_l4(&w));
	memcpy(p->data + wire_l4(&w), whole + wire_l4(&w) + offset, len);
	p->len = wire_l4(&w) + len;
	wire_put16(p->data + WIRE_ETH + 2, p->len - WIRE_ETH);
	wire_put16(p->data + WIRE_ETH + 4, t->id);
	wire_put16(p->data + WIRE_ETH + 6, (piece + 1 < PIECES ? 0x2000 : 0) | offset / 8);
	w.kind = WIRE_FRAGMENT;
	wire_mend(p->data, &w);
	if (!one_in(t, 15))
		t->piece_at++;
	t->pieces_left--;
}

static void make(struct traffic *t, struct traffic_packet *p)
{
	uint32_t dice = traffic_random(t, 100);

	if (t->pieces_left && one_in(t, 2))
		make_fragment(t, p);
	else if (dice < 30)
		make_outbound(t, p);
	else if (dice < 60)
		make_answer(t, p);
	else if (dice < 72)
		make_error(t, p);
	else if (dice < 78)
		make_turning(t, p);
	else if (dice < 84)
		make_odd(t, p);
	else if (dice < 87)
		make_bare(t, p);
	else if (dice < 92)
		make_tuned(t, p);
	else if (dice < 97)
		make_broken(t, p);
	else
		make_fragment(t, p);
}

/* Only the inside is behind tunnels. Their flows get another label now and then. */
void traffic_next(struct traffic *t, struct traffic_packet *p)
{
	p->tunnel = t->tunnels ? 1 + traffic_random(t, t->tunnels) : 0;
	make(t, p);
	if (p->side != BOX_INSIDE)
		p->tunnel = 0;
	else if (t->tunnels && !p->tunnel)
		p->tunnel = 1;
	if (!p->tunnel)
		return;
	p->label.cookie = 0xc0c0 + traffic_random(t, 4);
	p->label.sport = 60000 + traffic_random(t, 2);
}

void traffic_forwarded(struct traffic *t, const struct traffic_packet *p, const uint8_t *out,
		       size_t len, uint8_t tunnel)
{
	struct traffic_pair *pair;
	struct wire w;

	wire_read(out, len, &w);
	pair = &t->recent[t->pairs++ % TRAFFIC_RECENT];
	pair->side = p->side;
	pair->tunnel = p->tunnel ? p->tunnel : tunnel;
	pair->back = !t->two_armed		 ? BOX_SINGLE :
		     model_is_inside(w.dst.addr) ? BOX_INSIDE :
						   BOX_OUTSIDE;
	memcpy(pair->in, p->data, p->len);
	memcpy(pair->out, out, len);
	pair->in_len = p->len;
	pair->out_len = len;
}
