/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "outcome.h"

#include <assert.h>
#include <string.h>

#include "quota.h"

struct model_flow *forecast_flow(struct forecast *fc)
{
	return fc->opens ? &fc->fresh : fc->flow;
}

void forecast_learn(struct forecast *fc, struct end external)
{
	fc->fresh.way[MODEL_OUT].new_src = external;
	fc->fresh.way[MODEL_IN].dst = external;
}

struct forecast *outcome_add(struct forecasts *all, enum natxdp_reason reason,
			     enum forecast_frame frame)
{
	struct forecast *fc = &all->of[all->count++];

	assert(all->count <= FORECASTS);
	memset(fc, 0, sizeof(*fc));
	fc->reason = reason;
	fc->frame = frame;
	return fc;
}

void outcome_pass(struct forecasts *all, enum natxdp_reason reason)
{
	struct forecast *fc = outcome_add(all, reason, FRAME_AS_IT_CAME);

	/* by a tunnel nothing gets to the host, nor by its kernel anywhere */
	if (all->w->src.tunnel) {
		fc->reason = reason == NATXDP_PASS_NO_NAT ? NATXDP_RETURNED : NATXDP_DROP_INNER;
		fc->frame = reason == NATXDP_PASS_NO_NAT ? FRAME_RETURNED : FRAME_ANY;
	}
	fc->remembers = all->w->first && reason == NATXDP_PASS_HOST;
	fc->to_host = fc->remembers;
}

struct forecast *outcome_drop(struct forecasts *all, enum natxdp_reason reason)
{
	return outcome_add(all, reason, FRAME_ANY);
}

void outcome_answer(struct forecasts *all, const struct forecast *how, enum natxdp_reason reply,
		    enum natxdp_reason quiet)
{
	const struct model *m = all->model;
	const struct wire *w = all->w;
	struct forecast *fc = outcome_add(all, quiet, FRAME_ANY);

	*fc = *how;
	fc->reason = quiet;
	fc->frame = FRAME_ANY;
	if (w->kind == WIRE_ICMP_ERROR || w->kind == WIRE_FRAGMENT)
		return;
	fc = &all->of[all->count++];
	*fc = *how;
	fc->reason = reply;
	fc->frame = FRAME_ANSWER_ICMP;
	fc->answer.src = model_is_own(m, w->dst.addr)		   ? w->dst.addr :
			 all->side == BOX_INSIDE && !w->src.tunnel ? addr("10.77.0.1") :
								     addr("203.0.113.1");
	fc->answer.type = reply == NATXDP_REPLY_TTL ? 11 : 3;
	fc->answer.code = reply == NATXDP_REPLY_TTL ? 0 : reply == NATXDP_REPLY_TOO_BIG ? 4 : 13;
	fc->answer.mtu = reply == NATXDP_REPLY_TOO_BIG ? m->options.egress_mtu : 0;
}

void outcome_answer_ttl(struct forecasts *all, const struct forecast *how)
{
	outcome_answer(all, how, NATXDP_REPLY_TTL, NATXDP_DROP_TTL);
}

void outcome_forward(struct forecasts *all, struct forecast *how)
{
	const struct model *m = all->model;
	const struct wire *w = all->w;
	struct model_flow *f = forecast_flow(how);
	bool large, kernel = f->way[how->way].hop.kind == HOP_KERNEL;
	struct forecast *fc;

	how->remembers = w->first;
	if (w->ttl <= 1) {
		outcome_answer_ttl(all, how);
		return;
	}
	/* what goes to an inside host does not take the way out */
	large = how->way == MODEL_OUT && !f->hairpin && m->options.egress_mtu &&
		w->total > m->options.egress_mtu;
	if (large && w->dont_fragment) {
		outcome_answer(all, how, NATXDP_REPLY_TOO_BIG, NATXDP_DROP_TOO_BIG);
		return;
	}
	fc = &all->of[all->count++];
	assert(all->count <= FORECASTS);
	*fc = *how;
	fc->frame = w->kind == WIRE_ICMP_ERROR ? FRAME_TRANSLATED_ERROR : FRAME_TRANSLATED;
	fc->touches = w->kind != WIRE_ICMP_ERROR;
	if (large || kernel)
		fc->reason = how->way == MODEL_OUT ? NATXDP_OUT_VIA_KERNEL : NATXDP_IN_VIA_KERNEL;
	else
		fc->reason = how->way == MODEL_OUT ? NATXDP_OUT_FORWARDED : NATXDP_IN_FORWARDED;
}

bool outcome_admit(struct forecasts *all, struct forecast *how)
{
	struct model *m = all->model;
	uint32_t inside = how->fresh.way[MODEL_OUT].src.addr;
	struct quota_answer answer = quota_ask(m, inside);

	if (m->options.limit_rate)
		how->asks = inside;
	if (answer.may_be_many)
		outcome_drop(all, NATXDP_DROP_LIMIT);
	if (answer.may_be_fast)
		outcome_drop(all, NATXDP_DROP_RATE);
	return answer.may_open;
}

void outcome_find_end(struct forecasts *all, struct forecast *how)
{
	struct model *m = all->model;

	if (model_has_room(m, &how->fresh, true))
		outcome_forward(all, how);
	if (model_has_room(m, &how->fresh, false) && m->before > m->scarce_until)
		return;
	how->opens = false;
	how->remembers = false;
	outcome_answer(all, how, NATXDP_REPLY_NO_PORT, NATXDP_DROP_NO_PORT);
}

bool outcome_go_by(struct forecasts *all, struct model_flow *f, int way)
{
	struct forecast how = { .flow = f, .way = way };

	if (!model_must_be_gone(all->model, f))
		outcome_forward(all, &how);
	return model_may_be_gone(all->model, f);
}

static void set_macs(uint8_t *frame, const struct hop *hop)
{
	uint8_t mac[6];

	switch (hop->kind) {
	case HOP_REFLECT:
		memcpy(mac, frame, 6);
		memcpy(frame, frame + 6, 6);
		memcpy(frame + 6, mac, 6);
		break;
	case HOP_MAC:
		memcpy(frame, hop->dst, 6);
		memcpy(frame + 6, hop->src, 6);
		break;
	case HOP_KERNEL:
		break;
	}
}

static bool leaves_here(const struct forecast *fc)
{
	return fc->reason == NATXDP_OUT_FORWARDED || fc->reason == NATXDP_IN_FORWARDED;
}

/* RFC 5508, REQ-4, REQ-5, REQ-7: of inside addresses nothing shows, not even a router's. */
static void build_error(const struct forecast *fc, const struct model_flow *f, uint8_t *frame,
			const struct wire *w)
{
	const struct model_way *way = &f->way[fc->way];
	bool hides = fc->way == MODEL_OUT || f->hairpin;
	struct wire_error to = {
		.src = hides ? way->new_src.addr : w->src.addr,
		.dst = way->new_dst.addr,
		.quoted_src = way->new_dst,
		.quoted_dst = way->new_src,
		.hop = leaves_here(fc),
	};
	struct wire quote;

	wire_read_quote(frame, w, &quote);
	wire_translate_error(frame, w, &quote, &to);
}

uint8_t forecast_tunnel(const struct forecast *fc, const struct wire *w, const struct model *m,
			struct model_label *label)
{
	const struct model_flow *f = fc->opens ? &fc->fresh : fc->flow;

	*label = m->label;
	switch (fc->frame) {
	case FRAME_AS_IT_CAME:
	case FRAME_ANY:
		return 0;
	case FRAME_TRANSLATED:
	case FRAME_TRANSLATED_ERROR:
		*label = f->label;
		return f->way[fc->way].new_dst.tunnel;
	case FRAME_RETURNED:
	case FRAME_ANSWER_ICMP:
	case FRAME_ANSWER_RST:
		break;
	}
	return w->src.tunnel;
}

size_t forecast_build(const struct forecast *fc, const uint8_t *frame, size_t len,
		      const struct wire *w, uint8_t *to)
{
	const struct model_flow *f = fc->opens ? &fc->fresh : fc->flow;

	memcpy(to, frame, len);
	switch (fc->frame) {
	case FRAME_AS_IT_CAME:
	case FRAME_ANY:
		break;
	case FRAME_RETURNED:
		set_macs(to, &(struct hop){ .kind = HOP_REFLECT });
		break;
	case FRAME_TRANSLATED:
		wire_translate(to, w, f->way[fc->way].new_src, f->way[fc->way].new_dst,
			       leaves_here(fc));
		break;
	case FRAME_TRANSLATED_ERROR:
		build_error(fc, f, to, w);
		break;
	case FRAME_ANSWER_ICMP:
		return wire_answer_icmp(frame, w, &fc->answer, to);
	case FRAME_ANSWER_RST:
		return wire_answer_rst(frame, w, to);
	}
	if (fc->frame >= FRAME_TRANSLATED && leaves_here(fc))
		set_macs(to, &f->way[fc->way].hop);
	return len;
}

static void remember(struct model *m, enum box_side side, const struct forecast *fc,
		     const struct wire *w)
{
	struct model_datagram *d = model_datagram(m, side, w);

	if (!d)
		d = &m->datagrams[m->datagram_count++ % MODEL_DATAGRAMS];
	*d = (struct model_datagram){
		.side = side,
		.src = w->src.addr,
		.dst = w->dst.addr,
		.id = w->id,
		.proto = w->proto,
		.tunnel = w->src.tunnel,
		.kind = w->kind,
		.sport = w->src.port,
		.dport = w->dst.port,
		.host = fc->to_host,
		.when = m->before,
		.pieces = 1,
		.to = { w->l4_len },
	};
}

static void remember_piece(struct model *m, enum box_side side, const struct forecast *fc,
			   const struct wire *w)
{
	struct model_datagram *d = model_datagram(m, side, w);

	d->refused |= fc->reason == NATXDP_DROP_OVERLAP;
	if (d->pieces == sizeof(d->from) / sizeof(*d->from))
		return;
	d->from[d->pieces] = w->offset;
	d->to[d->pieces++] = w->offset + w->l4_len;
}

void forecast_commit(struct model *m, enum box_side side, struct forecast *fc, const struct wire *w)
{
	struct model_flow *f;

	if (fc->gone) /* it is not the last one that moves into its place */
		model_close(m, fc->gone);
	f = fc->opens ? model_open(m, &fc->fresh) : fc->flow;
	if (fc->asks)
		quota_take(m, fc->asks, fc->opens);
	if (fc->touches)
		model_touch(m, f, fc->way, w);
	if (m->options.port_max &&
	    (fc->reason == NATXDP_REPLY_NO_PORT || fc->reason == NATXDP_DROP_NO_PORT))
		m->scarce_until = m->now + 0.2;
	if (fc->remembers)
		remember(m, side, fc, w);
	if (fc->piece)
		remember_piece(m, side, fc, w);
}
