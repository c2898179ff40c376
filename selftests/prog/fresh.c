/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "fresh.h"

#include <netinet/in.h>

#include "outcome.h"
#include "routes.h"

static struct model_flow fresh_flow(const struct wire *w, struct end inside, struct end remote)
{
	struct model_flow f = { .proto = w->proto, .mapping = -1, .target = -1 };
	struct model_way *out = &f.way[MODEL_OUT], *in = &f.way[MODEL_IN];

	out->src = inside;
	out->dst = remote;
	out->new_dst = remote;
	in->src = remote;
	in->new_src = remote;
	in->new_dst = inside;
	return f;
}

static bool martian(uint32_t a)
{
	return a >> 24 == 0 || a >> 24 == 127 || a >> 24 >= 240;
}

bool fresh_is_multicast(uint32_t a)
{
	return a >> 28 == 14;
}

/* A packet with these ends is nothing that a router forwards. */
bool fresh_is_forged(const struct model *m, const struct wire *w)
{
	return martian(w->src.addr) || martian(w->dst.addr) || w->src.addr == w->dst.addr ||
	       fresh_is_multicast(w->src.addr) ||
	       (model_is_own(m, w->src.addr) && !w->src.tunnel); /* behind a tunnel, another's */
}

/* From the inside to the outside: a new flow, if there is an external end for it. */
static void leave(struct forecasts *all)
{
	const struct wire *w = all->w;
	struct model *m = all->model;
	struct forecast how = { .opens = true, .way = MODEL_OUT };
	int mapping;

	how.fresh = fresh_flow(w, w->src, w->dst);
	how.fresh.way[MODEL_OUT].side = all->side;
	how.fresh.way[MODEL_IN].side = model_side(m, BOX_OUTSIDE);
	routes_outwards(m, w->dst.addr, &how.fresh.way[MODEL_OUT].hop);
	routes_inwards(m, w->src.addr, all->frame, &how.fresh.way[MODEL_IN].hop);
	mapping = m->options.mapping ? model_mapping(m, w->proto, w->src) : -1;
	if (w->ttl <= 1) {
		how.opens = false;
		outcome_answer_ttl(all, &how);
		return;
	}
	if (!outcome_admit(all, &how))
		return;
	if (mapping >= 0) {
		forecast_learn(&how, m->mappings[mapping].external);
		outcome_forward(all, &how);
		if (model_mapping_held(m, mapping))
			return;
	}
	how.learns = true;
	outcome_find_end(all, &how);
}

static void leave_tcp(struct forecasts *all)
{
	const struct wire *w = all->w;
	struct model *m = all->model;
	uint8_t flags = w->tcp_flags & (WIRE_SYN | WIRE_ACK | WIRE_RST | WIRE_FIN);

	if (flags == WIRE_SYN)
		leave(all);
	else if (flags & WIRE_RST || m->options.tcp_midstream == NATXDP_MIDSTREAM_DROP)
		outcome_drop(all, NATXDP_DROP_MIDSTREAM);
	else if (m->options.tcp_midstream == NATXDP_MIDSTREAM_ADOPT)
		leave(all);
	else
		outcome_add(all, NATXDP_REPLY_RST, FRAME_ANSWER_RST);
}

/* Protocols that survive other addresses: RFC 4787 and its kin say nothing of them. */
static bool survives(uint8_t proto)
{
	return proto == IPPROTO_IPIP || proto == IPPROTO_IPV6 || proto == IPPROTO_GRE ||
	       proto == IPPROTO_ESP || proto == 115 || proto == IPPROTO_SCTP;
}

static void fresh_leaving(struct forecasts *all)
{
	const struct wire *w = all->w;
	struct model *m = all->model;

	if (w->src.addr == m->blocked) {
		outcome_drop(all, NATXDP_DROP_BLOCKED);
		return;
	}
	switch (w->kind) {
	case WIRE_TCP:
		leave_tcp(all);
		return;
	case WIRE_UDP:
	case WIRE_ECHO:
		leave(all);
		return;
	case WIRE_ECHO_REPLY:
		outcome_drop(all, NATXDP_DROP_MIDSTREAM);
		return;
	case WIRE_FRAGMENT:
		outcome_drop(all, NATXDP_DROP_FRAGMENT);
		return;
	default:
		if (w->kind == WIRE_BARE && m->options.features & NATXDP_OTHER_PROTOCOLS &&
		    survives(w->proto))
			leave(all);
		else
			outcome_drop(all, NATXDP_DROP_PROTOCOL);
	}
}

/* Does a packet from this remote address reach the mapping? Perhaps, if nobody holds that. */
static void filter(struct model *m, int mapping, struct end remote, bool *yes, bool *no)
{
	const struct model_mapping *map = &m->mappings[mapping];
	const struct model_flow *refused;
	const struct model_sent *sent;

	*yes = true;
	*no = !model_mapping_held(m, mapping);
	switch (m->options.filtering) {
	case NATXDP_FILTERING_ADDRESS_DEPENDENT:
		sent = model_sent(m, map->proto, map->inside, remote.addr);
		*yes = sent;
		*no |= !sent || !model_sent_held(m, sent);
		break;
	case NATXDP_FILTERING_ENDPOINT_DEPENDENT:
		/* what was not refused has a flow, and does not come here */
		refused = model_refused(m, map->proto, map->inside, remote);
		*yes = refused;
		*no |= !refused || model_may_be_gone(m, refused) || !remote.port;
		break;
	}
}

/* From the outside to an external end: only where endpoint-independent filtering invites. */
static void fresh_inbound(struct forecasts *all)
{
	const struct wire *w = all->w;
	struct model *m = all->model;
	uint8_t flags = w->tcp_flags & (WIRE_SYN | WIRE_ACK | WIRE_RST | WIRE_FIN);
	struct forecast how = { .opens = true, .way = MODEL_IN };
	int mapping = model_mapped(m, w->proto, w->dst);
	const struct model_mapping *map;
	bool yes = false, no = true;

	if (mapping >= 0 && m->options.mapping && (w->kind == WIRE_UDP || flags == WIRE_SYN))
		filter(m, mapping, w->src, &yes, &no);
	if (yes && model_is_inside(w->src.addr)) { /* an inside address outside: forged */
		outcome_drop(all, NATXDP_DROP_MARTIAN);
		yes = false;
	}
	if (no || !yes)
		outcome_drop(all, NATXDP_DROP_UNSOLICITED);
	/* what let it in to the last owner of the external end, who is blocked, is not swept yet */
	if (!yes && m->blocked && m->options.port_max)
		outcome_drop(all, NATXDP_DROP_BLOCKED);
	if (!yes)
		return;
	map = &m->mappings[mapping];
	if (map->inside.addr == m->blocked) {
		outcome_drop(all, NATXDP_DROP_BLOCKED);
		return;
	}
	how.fresh = fresh_flow(w, map->inside, w->src);
	how.fresh.way[MODEL_OUT].side = model_side(m, BOX_INSIDE);
	how.fresh.way[MODEL_IN].side = all->side;
	forecast_learn(&how, map->external);
	routes_outwards(m, w->src.addr, &how.fresh.way[MODEL_OUT].hop);
	how.fresh.way[MODEL_IN].hop = map->hop;
	if (w->ttl <= 1) {
		how.opens = false;
		outcome_answer_ttl(all, &how);
		return;
	}
	if (outcome_admit(all, &how))
		outcome_forward(all, &how);
	/* the inside host is behind a router of which the host has no route */
	if (m->options.two_armed && !routes_known(map->inside.addr))
		outcome_drop(all, NATXDP_DROP_NO_ROUTE);
}

/* To an address of this host, from the outside: default deny. */
static void fresh_own(struct forecasts *all)
{
	const struct wire *w = all->w;

	switch (w->kind) {
	case WIRE_FRAGMENT:
		outcome_drop(all, NATXDP_DROP_FRAGMENT);
		return;
	case WIRE_ECHO_REPLY: /* to a ping of the host itself */
		outcome_pass(all, NATXDP_PASS_HOST);
		return;
	case WIRE_ECHO:
		outcome_drop(all, NATXDP_DROP_UNSOLICITED);
		return;
	case WIRE_TCP:
	case WIRE_UDP:
		if (model_is_host_port(w->dst.port))
			outcome_pass(all, NATXDP_PASS_HOST);
		else
			fresh_inbound(all);
		return;
	default:
		outcome_drop(all, NATXDP_DROP_PROTOCOL);
	}
}

/*
 * The receiver's filtering refuses it. For the sender's it was a packet like others (RFC 4787,
 * REQ-8): its flow is there for the answer, and nothing goes by it.
 */
static void hairpin_refused(struct forecasts *all, const struct forecast *admitted, int mapping)
{
	struct model *m = all->model;
	struct forecast how = *admitted;
	bool held = mapping >= 0 && model_mapping_held(m, mapping);

	how.fresh.refused = true;
	how.fresh.way[MODEL_IN].side = model_side(m, BOX_OUTSIDE);
	how.reason = NATXDP_DROP_UNSOLICITED;
	how.frame = FRAME_ANY;
	how.touches = true;
	if (mapping >= 0) {
		forecast_learn(&how, m->mappings[mapping].external);
		*outcome_add(all, how.reason, how.frame) = how;
	}
	if (held)
		return;
	how.learns = true;
	if (model_has_room(m, &how.fresh, true))
		*outcome_add(all, how.reason, how.frame) = how;
	if (model_has_room(m, &how.fresh, false) && m->before > m->scarce_until)
		return;
	how = *admitted;
	how.opens = false;
	outcome_answer(all, &how, NATXDP_REPLY_NO_PORT, NATXDP_DROP_NO_PORT);
}

/* The sender's like was refused before, and that is remembered. Returns whether it may not be. */
static bool hairpin_again(struct forecasts *all, struct model_flow *before, int target)
{
	struct forecast *fc;
	bool yes, no;

	if (!before)
		return true;
	filter(all->model, target, before->way[MODEL_OUT].new_src, &yes, &no);
	if (no) {
		fc = outcome_drop(all, NATXDP_DROP_UNSOLICITED);
		fc->flow = before;
		fc->way = MODEL_OUT;
		fc->touches = true;
	}
	return yes || model_may_be_gone(all->model, before);
}

/* To another inside host's mapping, RFC 4787, REQ-9: with the sender's external end. */
static void hairpin(struct forecasts *all, int target)
{
	const struct wire *w = all->w;
	struct model *m = all->model;
	const struct model_mapping *to = &m->mappings[target];
	int mapping = model_mapping(m, w->proto, w->src);
	struct forecast how = { .opens = true, .way = MODEL_OUT };
	struct model_flow *f = &how.fresh;
	struct end from = { .addr = model_paired(m, w->src.addr) };
	bool yes, no;

	if (!hairpin_again(all, model_refused(m, w->proto, w->src, w->dst), target))
		return;
	if (mapping >= 0)
		from = m->mappings[mapping].external;
	filter(m, target, from, &yes, &no);
	/* it may get, or have, another one */
	if (mapping >= 0 ? !model_mapping_held(m, mapping) :
			   m->options.port_max || model_is_draining(m, from.addr))
		from.addr = 0;
	if (m->options.two_armed && !routes_known(to->inside.addr))
		outcome_drop(all, NATXDP_DROP_NO_ROUTE);
	*f = fresh_flow(w, w->src, w->dst);
	if (!outcome_admit(all, &how))
		return;
	f->way[MODEL_OUT].side = all->side;
	routes_inwards(m, w->src.addr, all->frame, &f->way[MODEL_IN].hop);
	if (no || !from.addr)
		hairpin_refused(all, &how, mapping);
	if (!yes && from.addr)
		return;
	f->hairpin = true;
	f->way[MODEL_IN].side = all->side;
	f->way[MODEL_OUT].new_dst = to->inside;
	f->way[MODEL_IN].src = to->inside;
	f->way[MODEL_OUT].hop = to->hop;
	if (mapping >= 0)
		forecast_learn(&how, m->mappings[mapping].external);
	else
		how.learns = true;
	if (!how.learns)
		outcome_forward(all, &how);
	if (how.learns || !model_mapping_held(m, mapping)) {
		how.learns = true;
		outcome_find_end(all, &how);
	}
}

/* From the inside to an address of this host. */
static void fresh_turning(struct forecasts *all)
{
	const struct wire *w = all->w;
	struct model *m = all->model;
	uint8_t flags = w->tcp_flags & (WIRE_SYN | WIRE_ACK | WIRE_RST | WIRE_FIN);
	struct forecast how = { 0 };
	int target = -1;

	if (m->options.features & NATXDP_HAIRPIN && m->options.mapping &&
	    model_is_external(m, w->dst.addr) && (w->kind == WIRE_TCP || w->kind == WIRE_UDP) &&
	    !model_is_host_port(w->dst.port))
		target = model_mapped(m, w->proto, w->dst);
	/* if the mapping has gone, the packet is for the host itself */
	if (target >= 0 && !model_mapping_held(m, target))
		outcome_pass(all, NATXDP_PASS_HOST);
	if (target < 0) {
		outcome_pass(all, NATXDP_PASS_HOST);
	} else if (!model_is_inside(w->src.addr)) {
		/* not ours to translate, whichever way it is refused */
		outcome_drop(all, NATXDP_DROP_UNSOLICITED);
		outcome_drop(all, NATXDP_DROP_SOURCE);
		outcome_pass(all, NATXDP_PASS_HOST);
	} else if (w->src.addr == m->blocked || m->mappings[target].inside.addr == m->blocked) {
		outcome_drop(all, NATXDP_DROP_BLOCKED);
	} else if (w->kind == WIRE_TCP && flags != WIRE_SYN) {
		/* opens nothing, whichever way it is refused */
		outcome_drop(all, NATXDP_DROP_UNSOLICITED);
		outcome_drop(all, NATXDP_DROP_MIDSTREAM);
		outcome_pass(all, NATXDP_PASS_HOST);
		outcome_add(all, NATXDP_REPLY_RST, FRAME_ANSWER_RST);
	} else if (wire_same(m->mappings[target].inside, w->src)) {
		/* to its own external end */
		outcome_drop(all, NATXDP_DROP_UNSOLICITED);
	} else if (w->ttl <= 1) {
		outcome_answer_ttl(all, &how);
	} else {
		hairpin(all, target);
	}
}

/* There is no flow for the packet. */
void fresh_forecast(struct forecasts *all)
{
	const struct wire *w = all->w;
	struct model *m = all->model;
	bool inside = all->side != BOX_OUTSIDE && model_is_inside(w->src.addr);

	if (fresh_is_multicast(w->dst.addr) || w->dst.addr == 0xffffffff)
		outcome_pass(all, NATXDP_PASS_NOT_UNICAST);
	else if (fresh_is_forged(m, w))
		outcome_drop(all, NATXDP_DROP_MARTIAN);
	/* the host has no address yet; that is no way to the inside */
	else if (w->kind == WIRE_UDP && w->src.port == 67 && w->dst.port == 68 &&
		 all->side != BOX_INSIDE && !inside && !model_is_inside(w->dst.addr))
		outcome_pass(all, NATXDP_PASS_HOST);
	else if (w->src.tunnel && inside && model_is_no_nat(w->dst.addr))
		outcome_pass(all, NATXDP_PASS_NO_NAT); /* whoever has it, there it is another */
	else if (model_is_own(m, w->dst.addr) && (inside || all->side == BOX_INSIDE))
		fresh_turning(all);
	else if (model_is_own(m, w->dst.addr))
		fresh_own(all);
	else if (all->side == BOX_OUTSIDE ||
		 (!inside && all->side == BOX_SINGLE && model_is_inside(w->dst.addr)))
		outcome_drop(all, NATXDP_DROP_UNSOLICITED);
	else if (!inside)
		outcome_drop(all, NATXDP_DROP_SOURCE);
	else if (model_is_no_nat(w->dst.addr))
		outcome_pass(all, NATXDP_PASS_NO_NAT);
	else
		fresh_leaving(all);
}
