/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "model.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

enum { NET_8 = 24, NET_15 = 17 };

/* How late the sweeper may be, and how much the coarse clock and a tick may lie, in seconds. */
static const double sweep_late = 5, clock_slack = 0.06;
/* How long the first fragment of a datagram is remembered. */
static const double datagram_life = 3;

bool model_is_inside(uint32_t a)
{
	return a >> NET_8 == 10;
}

bool model_is_no_nat(uint32_t a)
{
	return a >> NET_8 == 10 || a >> NET_15 == addr("198.18.0.0") >> NET_15;
}

static unsigned int externals(const struct model *m)
{
	return m->options.externals ? m->options.externals : 1;
}

bool model_is_external(const struct model *m, uint32_t a)
{
	return a - addr("203.0.113.1") < externals(m);
}

bool model_is_own(const struct model *m, uint32_t a)
{
	return model_is_external(m, a) || a == addr("10.77.0.1");
}

bool model_is_host_port(uint16_t port)
{
	return port == 22 || port == 68 || port >= 61000;
}

enum box_side model_side(const struct model *m, enum box_side side)
{
	return m->options.two_armed || m->options.gwlb ? side : BOX_SINGLE;
}

static bool bare(const struct wire *w)
{
	return w->kind == WIRE_BARE;
}

/* Echo requests go out, replies come in; everything else is told by its ends. */
static bool fits(const struct model_flow *f, int way, const struct wire *w)
{
	if (w->kind == WIRE_ECHO || w->kind == WIRE_ECHO_REPLY)
		return (w->kind == WIRE_ECHO) == (way == MODEL_OUT);
	return w->kind == WIRE_TCP || w->kind == WIRE_UDP || (bare(w) && !f->hairpin);
}

struct model_flow *model_find(struct model *m, enum box_side side, const struct wire *w, int *way)
{
	unsigned int i;

	for (i = 0; i < m->flow_count; i++)
		for (*way = MODEL_OUT; *way <= MODEL_IN; (*way)++) {
			struct model_flow *f = &m->flows[i];

			if (f->proto == w->proto && !f->refused && f->way[*way].side == side &&
			    fits(f, *way, w) && wire_same(f->way[*way].src, w->src) &&
			    wire_same(f->way[*way].dst, w->dst))
				return f;
		}
	return NULL;
}

struct model_flow *model_refused(struct model *m, uint8_t proto, struct end inside,
				 struct end remote)
{
	unsigned int i;

	for (i = 0; i < m->flow_count; i++) {
		struct model_flow *f = &m->flows[i];
		const struct model_way *out = &f->way[MODEL_OUT];

		if (f->refused && f->proto == proto && wire_same(out->src, inside) &&
		    out->dst.addr == remote.addr && (!remote.port || out->dst.port == remote.port))
			return f;
	}
	return NULL;
}

int model_mapping(const struct model *m, uint8_t proto, struct end inside)
{
	unsigned int i;

	for (i = 0; i < m->mapping_count; i++)
		if (m->mappings[i].proto == proto && wire_same(m->mappings[i].inside, inside))
			return i;
	return -1;
}

int model_mapped(const struct model *m, uint8_t proto, struct end external)
{
	unsigned int i;

	for (i = 0; i < m->mapping_count; i++)
		if (m->mappings[i].proto == proto && wire_same(m->mappings[i].external, external))
			return i;
	return -1;
}

struct model_sent *model_sent(struct model *m, uint8_t proto, struct end inside, uint32_t remote)
{
	unsigned int i;

	for (i = 0; i < m->sent_count; i++)
		if (m->sent[i].proto == proto && m->sent[i].remote == remote &&
		    wire_same(m->sent[i].inside, inside))
			return &m->sent[i];
	return NULL;
}

struct model_sent *model_sends(struct model *m, uint8_t proto, struct end inside, uint32_t remote)
{
	struct model_sent *sent = model_sent(m, proto, inside, remote);

	if (sent)
		return sent;
	assert(m->sent_count < MODEL_MAPPINGS);
	sent = &m->sent[m->sent_count++];
	*sent = (struct model_sent){ .proto = proto, .inside = inside, .remote = remote };
	return sent;
}

struct model_datagram *model_datagram(struct model *m, enum box_side side, const struct wire *w)
{
	unsigned int i;

	for (i = 0; i < MODEL_DATAGRAMS && i < m->datagram_count; i++) {
		struct model_datagram *d = &m->datagrams[i];

		if (d->side == side && d->src == w->src.addr && d->dst == w->dst.addr &&
		    d->id == w->id && d->proto == w->proto && d->tunnel == w->src.tunnel &&
		    m->before < d->when + datagram_life + clock_slack)
			return d;
	}
	return NULL;
}

bool model_datagram_is_old(const struct model *m, const struct model_datagram *d)
{
	return m->now > d->when + datagram_life - clock_slack;
}

uint32_t model_paired(const struct model *m, uint32_t inside)
{
	unsigned int i;

	for (i = 0; i < m->pair_count; i++)
		if (m->pairs[i].inside == inside)
			return m->pairs[i].external;
	return externals(m) == 1 ? addr("203.0.113.1") : 0;
}

static bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_ICMP;
}

/*
 * Is an external end in use? Endpoint-independent: by another inside end; a
 * mapping that nobody holds may be gone. Endpoint-dependent: for this remote
 * end; @gone: not if that flow may be gone.
 */
static bool taken(const struct model *m, const struct model_flow *flow, struct end external,
		  bool gone)
{
	struct end remote = flow->way[MODEL_OUT].dst;
	unsigned int i;
	int mapped;

	if (m->options.mapping) {
		mapped = model_mapped(m, flow->proto, external);
		return mapped >= 0 && (!gone || model_mapping_held(m, mapped));
	}
	for (i = 0; i < m->flow_count; i++)
		if (m->flows[i].proto == flow->proto &&
		    wire_same(m->flows[i].way[MODEL_IN].src, remote) &&
		    wire_same(m->flows[i].way[MODEL_IN].dst, external) &&
		    !(gone && model_may_be_gone(m, &m->flows[i])))
			return true;
	return false;
}

static uint16_t port_min(const struct model *m)
{
	return m->options.port_min ? m->options.port_min : 1024;
}

static uint16_t port_max(const struct model *m)
{
	return m->options.port_max ? m->options.port_max : 60999;
}

bool model_is_draining(const struct model *m, uint32_t address)
{
	return model_is_external(m, address) && m->draining >> (address - addr("203.0.113.1")) & 1;
}

static bool has_room_at(const struct model *m, const struct model_flow *flow, uint32_t address,
			bool gone)
{
	struct end external = { .addr = address };
	uint32_t port;

	if (model_is_draining(m, address))
		return false;

	if (!has_ports(flow->proto))
		return !taken(m, flow, external, gone);
	for (port = port_min(m); port <= port_max(m); port++) {
		external.port = port;
		if (!model_is_host_port(port) && !taken(m, flow, external, gone))
			return true;
	}
	return false;
}

bool model_has_room(const struct model *m, const struct model_flow *flow, bool gone)
{
	uint32_t first = addr("203.0.113.1"), a;

	for (a = first; a < first + externals(m); a++)
		if (has_room_at(m, flow, a, gone))
			return true;
	return false;
}

const char *model_refuses(struct model *m, const struct model_flow *flow, struct end external)
{
	uint32_t paired = model_paired(m, flow->way[MODEL_OUT].src.addr);

	if (!model_is_external(m, external.addr))
		return "the source is no external address";
	if (model_is_draining(m, external.addr))
		return "the external address is being drained";
	if (has_ports(flow->proto) && (external.port < port_min(m) || external.port > port_max(m)))
		return "the port is out of the range";
	if (has_ports(flow->proto) && model_is_host_port(external.port))
		return "the port is one of the host";
	if (taken(m, flow, external, true))
		return "the external end is in use";
	/* of few ports, those of the paired address may all have been taken a moment ago */
	if (paired && paired != external.addr && !m->options.port_max &&
	    has_room_at(m, flow, paired, false))
		return "not the paired external address";
	return NULL;
}

bool model_mapping_held(const struct model *m, int mapping)
{
	unsigned int i;

	for (i = 0; i < m->flow_count; i++)
		if ((m->flows[i].mapping == mapping || m->flows[i].target == mapping) &&
		    !model_may_be_gone(m, &m->flows[i]))
			return true;
	return false;
}

bool model_sent_held(const struct model *m, const struct model_sent *sent)
{
	unsigned int i;

	for (i = 0; i < m->flow_count; i++) {
		const struct model_flow *f = &m->flows[i];

		if (f->mapping >= 0 && f->proto == sent->proto &&
		    wire_same(f->way[MODEL_OUT].src, sent->inside) &&
		    f->way[MODEL_OUT].dst.addr == sent->remote && !model_may_be_gone(m, f))
			return true;
	}
	return false;
}

void model_forget(struct model *m)
{
	m->flow_count = 0;
	m->mapping_count = 0;
	m->sent_count = 0;
}

void model_end(struct model *m, uint32_t inside)
{
	unsigned int i;

	for (i = m->flow_count; i-- > 0;) {
		struct model_flow *f = &m->flows[i];

		if (!f->refused && (f->way[MODEL_OUT].src.addr == inside ||
				    (f->hairpin && f->way[MODEL_OUT].new_dst.addr == inside)))
			model_close(m, f);
	}
}

static void forget_mapping(struct model *m, unsigned int gone)
{
	unsigned int i, last = m->mapping_count - 1;

	for (i = m->flow_count; i-- > 0;) /* it is held by flows that have expired, or none */
		if (m->flows[i].mapping == (int)gone || m->flows[i].target == (int)gone)
			model_close(m, &m->flows[i]);
	m->mappings[gone] = m->mappings[last];
	m->mapping_count = last;
	for (i = 0; i < m->flow_count; i++) {
		m->flows[i].mapping = m->flows[i].mapping == (int)last ? (int)gone :
									 m->flows[i].mapping;
		m->flows[i].target = m->flows[i].target == (int)last ? (int)gone :
								       m->flows[i].target;
	}
}

static int open_mapping(struct model *m, const struct model_flow *f)
{
	const struct model_way *out = &f->way[MODEL_OUT], *in = &f->way[MODEL_IN];
	struct end external = out->new_src;
	int at = model_mapping(m, f->proto, out->src), other;
	struct model_mapping *map;

	if (at >= 0 && wire_same(m->mappings[at].external, external))
		return at;
	/* what is in the way has been judged to be gone */
	if (at >= 0)
		forget_mapping(m, at);
	other = model_mapped(m, f->proto, external);
	if (other >= 0)
		forget_mapping(m, other);
	assert(m->mapping_count < MODEL_MAPPINGS);
	map = &m->mappings[m->mapping_count];
	memset(map, 0, sizeof(*map));
	map->proto = f->proto;
	map->inside = out->src;
	map->external = external;
	map->hop = in->hop;
	return m->mapping_count++;
}

/* Which address is paired shows where the host has a choice: all others have room, too. */
static void learn_pair(struct model *m, const struct model_flow *f)
{
	const struct model_way *out = &f->way[MODEL_OUT];
	uint32_t first = addr("203.0.113.1"), a;

	/* a mapping may be from when another address was drained */
	if (model_paired(m, out->src.addr) ||
	    (m->options.mapping && model_mapping(m, f->proto, out->src) >= 0))
		return;
	for (a = first; a < first + externals(m); a++)
		if (a != out->new_src.addr && !has_room_at(m, f, a, false))
			return;
	assert(m->pair_count < MODEL_HOSTS);
	m->pairs[m->pair_count].inside = out->src.addr;
	m->pairs[m->pair_count++].external = out->new_src.addr;
}

struct model_flow *model_open(struct model *m, const struct model_flow *flow)
{
	const struct model_way *out = &flow->way[MODEL_OUT];
	struct model_flow *f;
	unsigned int i;
	int mapping = -1;

	for (i = m->flow_count; i-- > 0;) { /* those in the way have been judged to be gone */
		const struct model_way *in = &m->flows[i].way[MODEL_IN];

		if (m->flows[i].proto == flow->proto && m->flows[i].refused == flow->refused &&
		    in->side == flow->way[MODEL_IN].side &&
		    wire_same(in->src, flow->way[MODEL_IN].src) &&
		    wire_same(in->dst, flow->way[MODEL_IN].dst))
			model_close(m, &m->flows[i]);
	}
	learn_pair(m, flow);
	if (m->options.mapping) /* before there is a place for the flow: it may close others */
		mapping = open_mapping(m, flow);
	assert(m->flow_count < MODEL_FLOWS);
	f = &m->flows[m->flow_count++];
	*f = *flow;
	f->mapping = mapping;
	f->target = -1;
	f->used = m->before;
	f->label = m->label;
	if (m->options.mapping) {
		m->mappings[f->mapping].holders++;
		model_sends(m, f->proto, out->src, out->dst.addr)->holders++;
	}
	if (f->hairpin) {
		f->target = model_mapping(m, f->proto, out->new_dst);
		m->mappings[f->target].holders++;
	}
	m->opened += !f->refused;
	return f;
}

void model_close(struct model *m, struct model_flow *f)
{
	const struct model_way *out = &f->way[MODEL_OUT];

	if (f->mapping >= 0) {
		m->mappings[f->mapping].holders--;
		model_sent(m, f->proto, out->src, out->dst.addr)->holders--;
	}
	if (f->target >= 0)
		m->mappings[f->target].holders--;
	*f = m->flows[--m->flow_count];
}

/* A SYN begins anew; a segment that is no RST takes back a RST, which may be forged. */
static void touch_tcp(struct model_way *w, uint8_t flags)
{
	if (flags & WIRE_RST) {
		w->rst = true;
		return;
	}
	w->rst = false;
	if (flags & WIRE_SYN) {
		w->syn = true;
		w->ack = false;
		w->fin = false;
		return;
	}
	w->ack |= !!(flags & WIRE_ACK);
	w->fin |= !!(flags & WIRE_FIN);
}

void model_touch(struct model *m, struct model_flow *f, int way, const struct wire *w)
{
	f->way[way].packets++;
	if (f->refused) {
		f->used = m->before;
		return;
	}
	f->way[way].bytes += w->total;
	/* another fragment is another flow to a load balancer */
	if (way == MODEL_OUT && w->kind != WIRE_FRAGMENT)
		f->label = m->label;
	if (w->kind == WIRE_TCP)
		touch_tcp(&f->way[way], w->tcp_flags);
	if (way == MODEL_OUT || !(w->tcp_flags & WIRE_RST))
		f->used = m->before;
}

bool model_may_be_gone(const struct model *m, const struct model_flow *f)
{
	return m->options.timeout && m->now > f->used + m->options.timeout - clock_slack;
}

bool model_must_be_gone(const struct model *m, const struct model_flow *f)
{
	return m->options.timeout && m->before > f->used + m->options.timeout + sweep_late;
}

static const char *tcp_state(const struct model_way *out, const struct model_way *in)
{
	/* the inside began anew, and the outside has not refused that */
	if (out->syn && !out->ack && !out->fin && !out->rst && !in->rst)
		return "opening";
	if (out->rst || in->rst)
		return "reset";
	if (out->fin && in->fin)
		return "closing";
	if (!out->ack || !(in->syn || in->ack))
		return "opening";
	return out->fin || in->fin ? "half-closed" : "established";
}

const char *model_state(const struct model_flow *f)
{
	if (f->proto == IPPROTO_TCP)
		return tcp_state(&f->way[MODEL_OUT], &f->way[MODEL_IN]);
	if (f->proto != IPPROTO_UDP && f->proto != IPPROTO_ICMP)
		return "open";
	return f->way[MODEL_IN].packets ? "replied" : "new";
}
