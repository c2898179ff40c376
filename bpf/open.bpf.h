/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Opening a flow: a packet that had no entry, and may get one. */
#ifndef NATXDP_OPEN_BPF_H
#define NATXDP_OPEN_BPF_H

#include "classify.bpf.h"
#include "nexthop.bpf.h"
#include "ports.bpf.h"

/* What flow_open() has to know of the packet; it does not see the frame. */
struct open_request {
	struct natxdp_key key;
	__u32 kind; /* enum packet_kind */
	__u32 ifindex;
	__u8 tcp_flags;
	__u8 ttl;
	__u8 src_mac[6];
	__u8 dst_mac[6];
	__u8 pad[2];
};

/*
 * The entries in the making. The stack of a program and all that it calls is
 * 512 bytes, and a packet has its CPU for itself.
 */
struct open_scratch {
	struct natxdp_flow out;
	struct port_search search; /* with the inbound entry */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct open_scratch);
} open_scratch SEC(".maps");

/* A reason as the return value of a function that else returns a slot. */
static __always_inline int not_opened(int reason)
{
	return -1 - reason;
}

static __always_inline __u32 initial_timeout(const struct natxdp_config *cfg, __u8 proto)
{
	if (proto == IPPROTO_TCP)
		return tcp_soonest(cfg);
	if (proto == IPPROTO_UDP)
		return cfg->timeout[NATXDP_TIMEOUT_UDP];
	return cfg->timeout[NATXDP_TIMEOUT_ICMP];
}

/*
 * Find both ways, out and back. The way back is the route to the inside host
 * where there is one, else the router from which the packet came.
 * Returns 0, or a reason as not_opened().
 */
static __always_inline int open_routes(struct xdp_md *ctx, const struct open_request *req,
				       const struct natxdp_config *cfg, struct natxdp_flow *out,
				       struct natxdp_flow *in)
{
	struct next_hop_query q = { .ifindex = req->ifindex };
	struct next_hop_answer answer = {};
	int index;

	out->next_hop = NEXT_HOP_REFLECT;
	in->next_hop = NEXT_HOP_REFLECT;
	if (!cfg->two_armed)
		return 0;
	q.saddr = req->key.saddr;
	q.daddr = req->key.daddr;
	next_hop_find(ctx, &q, &answer);
	if (answer.dev > NATXDP_DEV_OUTSIDE) /* routed to the inside: it does not leave */
		return not_opened(NATXDP_PASS_NO_NAT);
	if (answer.dev < 0)
		return not_opened(NATXDP_DROP_NO_ROUTE);
	if (answer.index < 0)
		return not_opened(NATXDP_DROP_INTERNAL);
	out->next_hop = answer.index;

	q.saddr = req->key.daddr;
	q.daddr = req->key.saddr;
	next_hop_find(ctx, &q, &answer);
	index = answer.index;
	if (answer.dev <= NATXDP_DEV_OUTSIDE) {
		mac_copy(q.learned, req->src_mac);
		mac_copy(q.frame_dst, req->dst_mac);
		index = next_hop_learned(&q);
	}
	if (index < 0)
		return not_opened(NATXDP_DROP_INTERNAL);
	in->next_hop = index;
	return 0;
}

/*
 * Paired pooling (RFC 4787, REQ-2): an inside host keeps its external address
 * as long as that has ports. Returns the slot of the inbound entry, or a
 * reason as not_opened().
 */
static __always_inline int open_inbound(struct port_search *s, const struct natxdp_config *cfg,
					__be32 inside)
{
	struct natxdp_key seed = { .saddr = inside };
	__u32 count = cfg->pool_count, first, i;

	if (!count || count > NATXDP_POOL_MAX)
		return not_opened(NATXDP_DROP_NO_PORT);
	first = (__u32)(port_hash(&seed) >> 32) % count;
	s->tried = 0;
	for (i = 0; i < NATXDP_POOL_MAX; i++) {
		if (i >= count)
			break;
		port_claim(s, (first + i) % count);
		if (s->slot != -EEXIST)
			break;
	}
	count_event(NATXDP_EVENT_PORT_TRIES, s->tried);
	if (s->slot == -EEXIST)
		return not_opened(NATXDP_DROP_NO_PORT);
	return s->slot < 0 ? not_opened(NATXDP_DROP_TABLE_FULL) : s->slot;
}

/* The outbound entry that belongs to an inbound one which has its port. */
static __always_inline void open_outbound(struct natxdp_flow *out, const struct natxdp_flow *in,
					  __u32 in_slot)
{
	out->new_saddr = in->key.daddr;
	out->new_daddr = in->key.saddr;
	out->new_sport = in->key.dport;
	out->new_dport = in->key.sport;
	out->pool = in->pool;
	out->peer = in_slot;
	rewrite_prepare(out);
}

static __always_inline int open_both(struct natxdp_flow *out, struct port_search *s,
				     const struct natxdp_config *cfg)
{
	__u32 now = out->first_seen, due = now + initial_timeout(cfg, out->key.proto);
	struct natxdp_flow *in;
	int in_slot, slot;

	in_slot = open_inbound(s, cfg, out->key.saddr);
	if (in_slot < 0)
		return in_slot;
	open_outbound(out, &s->in, in_slot);
	slot = flow_claim_swept(out, now);
	in = flow_at(in_slot);
	if (!in)
		return not_opened(NATXDP_DROP_INTERNAL);
	if (slot < 0) {
		flow_remove(in, in_slot, now);
		if (slot == -EEXIST) /* another CPU was faster: its flow is as good */
			slot = flow_find(&out->key);
		return slot < 0 ? not_opened(NATXDP_DROP_TABLE_FULL) : slot;
	}
	in->peer = slot;
	due_by(slot / NATXDP_WAYS, due);
	due_by(in_slot / NATXDP_WAYS, due);
	count_event(NATXDP_EVENT_FLOWS_OPENED, 1);
	return slot;
}

static __always_inline void open_fill(struct open_scratch *scratch, const struct natxdp_key *key)
{
	struct natxdp_flow *out = &scratch->out, *in = &scratch->search.in;
	__u32 now = ticks_now();

	__builtin_memset(scratch, 0, sizeof(*scratch));
	out->key = *key;
	out->first_seen = now;
	out->last_seen = now;
	in->key.saddr = key->daddr;
	in->key.sport = key->dport;
	in->key.proto = key->proto;
	in->key.side = key->side ? NATXDP_SIDE_OUTSIDE : NATXDP_SIDE_SINGLE;
	in->new_saddr = key->daddr;
	in->new_sport = key->dport;
	in->new_daddr = key->saddr;
	in->new_dport = key->sport;
	in->first_seen = now;
	in->last_seen = now;
	in->flags = NATXDP_FLOW_INBOUND;
}

/* Returns the slot of the flow's entry for this packet, or a reason as not_opened(). */
__noinline int flow_open(struct xdp_md *ctx, const struct open_request *req)
{
	struct natxdp_config *cfg = config_get();
	struct open_scratch *scratch;
	__u32 zero = 0;
	int reason;

	scratch = bpf_map_lookup_elem(&open_scratch, &zero);
	if (!req || !cfg || !scratch)
		return not_opened(NATXDP_DROP_INTERNAL);
	reason = classify(&req->key, req->kind, req->tcp_flags, cfg);
	if (reason != CLASSIFY_OPEN)
		return not_opened(reason);
	if (req->ttl <= 1)
		return not_opened(NATXDP_PASS_TTL);

	open_fill(scratch, &req->key);
	reason = open_routes(ctx, req, cfg, &scratch->out, &scratch->search.in);
	if (reason)
		return reason;
	return open_both(&scratch->out, &scratch->search, cfg);
}

#endif
