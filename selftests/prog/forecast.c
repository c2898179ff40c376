/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "forecast.h"

#include "fresh.h"
#include "geneve.h"
#include "outcome.h"

static void set_gone(struct forecasts *all, unsigned int from, struct model_flow *gone)
{
	for (; from < all->count; from++)
		all->of[from].gone = gone;
}

/*
 * Fragments that overlap could put other ports over those that were looked at
 * (RFC 3128). One that overlaps only what came behind a gap may be let through.
 */
static bool overlaps(const struct model_datagram *d, const struct wire *w, bool *maybe)
{
	size_t end = 0; /* of what came in order */
	unsigned int i;

	*maybe = false;
	for (i = 0; i < d->pieces; i++) {
		if (d->from[i] == end)
			end = d->to[i];
		*maybe |= w->offset < d->to[i] && d->from[i] < w->offset + w->l4_len;
	}
	return d->refused || w->offset < end;
}

static void fragment(struct forecasts *all)
{
	const struct wire *w = all->w;
	struct model *m = all->model;
	struct model_datagram *d = model_datagram(m, all->side, w);
	struct wire with_ports = *w;
	bool refused, maybe = false;
	struct model_flow *f;
	int way;

	refused = d && overlaps(d, w, &maybe);
	if (refused || maybe)
		outcome_drop(all, NATXDP_DROP_OVERLAP);
	if (!d || model_datagram_is_old(m, d))
		fresh_forecast(all);
	if (!d) {
		return;
	} else if (!refused && d->host) {
		outcome_pass(all, NATXDP_PASS_HOST);
	} else if (!refused) {
		with_ports.kind = d->kind;
		with_ports.src.port = d->sport;
		with_ports.dst.port = d->dport;
		f = model_find(m, all->side, &with_ports, &way);
		if (!f || outcome_go_by(all, f, way))
			outcome_drop(all, NATXDP_DROP_FRAGMENT);
	}
	for (unsigned int i = 0; d && i < all->count; i++)
		all->of[i].piece = true;
}

/* An error about no flow: the host's own business, or nobody's. */
static void error_unknown(struct forecasts *all, const struct wire *quote)
{
	struct model *m = all->model;
	bool ports = quote->kind == WIRE_TCP || quote->kind == WIRE_UDP;
	bool echo = quote->kind == WIRE_ECHO || quote->kind == WIRE_ECHO_REPLY;

	if (model_is_own(m, quote->src.addr) &&
	    (echo || (ports && model_is_host_port(quote->src.port))))
		outcome_pass(all, NATXDP_PASS_HOST);
	else
		outcome_drop(all, NATXDP_DROP_ICMP);
}

/* Who goes where the error goes has the ends of the quoted packet swapped. */
static struct model_flow *quoted_flow(struct model *m, enum box_side side, const struct wire *quote,
				      int *way)
{
	struct wire other = *quote;

	other.src = quote->dst;
	other.dst = quote->src;
	if (quote->kind == WIRE_ECHO)
		other.kind = WIRE_ECHO_REPLY;
	else if (quote->kind == WIRE_ECHO_REPLY)
		other.kind = WIRE_ECHO;
	return model_find(m, side, &other, way);
}

/* RFC 5508, REQ-3 to REQ-7 */
static void error(struct forecasts *all)
{
	const struct wire *w = all->w;
	struct model *m = all->model;
	struct model_flow *f;
	struct wire quote;
	bool forged;
	int way;

	/* where several things are wrong with it, any of them is a reason */
	forged = fresh_is_forged(m, w) || fresh_is_multicast(w->dst.addr);
	if (forged)
		outcome_drop(all, NATXDP_DROP_MARTIAN);
	switch (wire_read_quote(all->frame, w, &quote)) {
	case WIRE_QUOTE_SHORT:
		outcome_drop(all, NATXDP_DROP_MALFORMED);
		return;
	case WIRE_QUOTE_SUM:
		outcome_drop(all, NATXDP_DROP_CHECKSUM);
		return;
	case WIRE_QUOTE_OK:
		break;
	}
	quote.dst.tunnel = w->src.tunnel;
	f = quoted_flow(m, all->side, &quote, &way);
	if (forged && f)
		return;
	/* it goes to who sent what it quotes, or nobody has asked for it */
	if (forged || w->dst.addr != quote.src.addr)
		outcome_drop(all, NATXDP_DROP_ICMP);
	else if (!f || outcome_go_by(all, f, way))
		error_unknown(all, &quote);
}

/* Fragments without a first one are handed over, but not more than so many (RFC 4787, REQ-14). */
static void add_held(struct forecasts *all)
{
	unsigned int i, count = all->count;

	if (all->w->src.tunnel) /* what was stripped cannot be sent through again */
		return;
	for (i = 0; i < count; i++)
		if (all->of[i].reason == NATXDP_DROP_FRAGMENT)
			*outcome_add(all, NATXDP_HELD_FRAGMENT, FRAME_ANY) = all->of[i];
	for (i = count; i < all->count; i++)
		all->of[i].reason = NATXDP_HELD_FRAGMENT;
}

void forecast(struct forecasts *all)
{
	struct model_flow *f;
	unsigned int before;
	int way;

	all->count = 0;
	switch (all->w->kind) {
	case WIRE_NOT_IPV4:
		outcome_pass(all, NATXDP_PASS_NOT_IPV4);
		return;
	case WIRE_MALFORMED:
		outcome_drop(all, NATXDP_DROP_MALFORMED);
		if (all->w->src.tunnel && all->w->counted < WIRE_IP + GENEVE_OUTER)
			outcome_drop(all, NATXDP_DROP_GENEVE);
		return;
	case WIRE_FRAGMENT:
		fragment(all);
		add_held(all);
		return;
	case WIRE_ICMP_ERROR:
		error(all);
		return;
	default:
		break;
	}
	f = model_find(all->model, all->side, all->w, &way);
	if (f && !outcome_go_by(all, f, way))
		return;
	before = all->count;
	fresh_forecast(all);
	set_gone(all, before, f);
}
