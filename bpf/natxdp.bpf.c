/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * natxdp: source NAT in XDP. This file is the way of a packet:
 *
 *   parse -> flow_find -> hit:  forward (TTL, rewrite, count, next hop)
 *                      -> miss: flow_open (classify, route, port, insert),
 *                               then as a hit, or the end with a reason
 */
#include <linux/errno.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "classify.bpf.h"
#include "count.bpf.h"
#include "maps.bpf.h"
#include "nexthop.bpf.h"
#include "open.bpf.h"
#include "parse.bpf.h"
#include "reply.bpf.h"
#include "rewrite.bpf.h"
#include "sweep.bpf.h"
#include "table.bpf.h"
#include "tcp.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline int finish(int reason, __u32 bytes)
{
	count_packet(reason, bytes);
	switch (reason) {
#define VERDICT_FORWARD XDP_ABORTED /* forwarded packets do not come here */
#define VERDICT_PASS XDP_PASS
#define VERDICT_DROP XDP_DROP
#define VERDICT_REPLY XDP_DROP
#define X(id, verdict, name, text) \
	case NATXDP_##id:          \
		return VERDICT_##verdict;
		NATXDP_REASONS(X)
#undef X
	}
	return XDP_DROP;
}

/* The entry has seen one more packet. */
static __always_inline void flow_touch(struct natxdp_flow *f, const struct packet *pkt, __u32 slot)
{
	__u8 flags = f->flags, seen;
	__u32 now = ticks_now();
	struct natxdp_config *cfg;

	f->packets++;
	f->bytes += pkt->len;
	if (f->key.proto != IPPROTO_TCP) {
		f->last_seen = now;
		return;
	}
	/* a RST from the outside refreshes nothing: it may be forged */
	if (!(flags & NATXDP_FLOW_INBOUND) || !(pkt->tcp_flags & TCP_RST))
		f->last_seen = now;
	seen = tcp_seen(flags, pkt->tcp_flags);
	if (seen == flags)
		return;
	f->flags = seen;
	/* the timeout may have become shorter than the sweeper knows */
	cfg = config_get();
	if (flags & NATXDP_FLOW_INBOUND)
		slot = f->peer;
	if (cfg)
		due_by(slot / NATXDP_WAYS, now + tcp_soonest(cfg));
}

/* The neighbour of an entry, looked up again if it is stale. */
static __always_inline struct natxdp_next_hop *forward_next_hop(struct xdp_md *ctx,
								struct natxdp_flow *f)
{
	struct natxdp_next_hop *nh = next_hop_at(f->next_hop);
	struct next_hop_answer answer = {};
	struct next_hop_query q = {};

	if (!nh || !f->next_hop || nh->state == NATXDP_NEXT_HOP_VALID)
		return nh;
	q.saddr = f->key.saddr;
	q.daddr = f->new_daddr;
	q.ifindex = ctx->ingress_ifindex;
	next_hop_find(ctx, &q, &answer);
	if (answer.index <= 0)
		return nh;
	f->next_hop = answer.index;
	return next_hop_at(answer.index);
}

static __always_inline int forward(struct xdp_md *ctx, struct packet *pkt, __u32 slot)
{
	struct natxdp_flow *f = flow_at(slot);
	struct natxdp_next_hop *nh;
	int inbound, via_kernel;

	if (!f)
		return finish(NATXDP_DROP_INTERNAL, pkt->len);
	inbound = f->flags & NATXDP_FLOW_INBOUND;
	if (pkt->ip->ttl <= 1)
		return finish(inbound ? NATXDP_DROP_TTL : NATXDP_PASS_TTL, pkt->len);
	nh = forward_next_hop(ctx, f);
	if (!nh)
		return finish(NATXDP_DROP_INTERNAL, pkt->len);
	via_kernel = f->next_hop != NEXT_HOP_REFLECT && nh->state != NATXDP_NEXT_HOP_VALID;
	if (rewrite(pkt, f, !via_kernel))
		return finish(NATXDP_DROP_INTERNAL, pkt->len);
	flow_touch(f, pkt, slot);
	if (via_kernel)
		return finish(inbound ? NATXDP_IN_VIA_KERNEL : NATXDP_OUT_VIA_KERNEL, pkt->len);
	count_packet(inbound ? NATXDP_IN_FORWARDED : NATXDP_OUT_FORWARDED, pkt->len);
	if (f->next_hop == NEXT_HOP_REFLECT) {
		eth_swap(pkt->eth);
		return XDP_TX;
	}
	mac_copy(pkt->eth->h_dest, nh->dst_mac);
	mac_copy(pkt->eth->h_source, nh->src_mac);
	return bpf_redirect_map(&egress_devs, nh->dev, XDP_DROP);
}

/* Returns the slot of a new flow, or the reason why there is none as not_opened(). */
static __always_inline int miss(struct xdp_md *ctx, const struct packet *pkt,
				const struct natxdp_key *key)
{
	struct open_request req = {
		.key = *key,
		.kind = pkt->kind,
		.ifindex = ctx->ingress_ifindex,
		.tcp_flags = pkt->tcp_flags,
		.ttl = pkt->ip->ttl,
	};

	mac_copy(req.src_mac, pkt->eth->h_source);
	mac_copy(req.dst_mac, pkt->eth->h_dest);
	return flow_open(ctx, &req);
}

/* A packet that did not get a flow. */
static __always_inline int refuse(struct xdp_md *ctx, const struct packet *pkt, int reason)
{
	if (reason != NATXDP_REPLY_RST)
		return finish(reason, pkt->len);
	count_packet(reason, pkt->len);
	return reply_rst(ctx, pkt);
}

static __always_inline int natxdp(struct xdp_md *ctx, enum natxdp_side side)
{
	struct natxdp_key key = { .side = side };
	struct packet pkt = {};
	int reason, opened;
	__u32 slot;

	reason = parse(ctx, &pkt, &key);
	if (reason != PARSE_OK)
		return finish(reason, pkt.len);
	slot = pkt.kind == PACKET_PORTS ? flow_find(&key) : NATXDP_SLOT_NONE;
	if (slot == NATXDP_SLOT_NONE) {
		opened = miss(ctx, &pkt, &key);
		if (opened < 0)
			return refuse(ctx, &pkt, not_opened(opened));
		slot = opened;
	}
	return forward(ctx, &pkt, slot);
}

SEC("xdp.frags")
int natxdp_single(struct xdp_md *ctx)
{
	return natxdp(ctx, NATXDP_SIDE_SINGLE);
}

SEC("xdp.frags")
int natxdp_inside(struct xdp_md *ctx)
{
	return natxdp(ctx, NATXDP_SIDE_INSIDE);
}

SEC("xdp.frags")
int natxdp_outside(struct xdp_md *ctx)
{
	return natxdp(ctx, NATXDP_SIDE_OUTSIDE);
}

/*
 * Start the sweep, or hand it to this program: a running timer keeps calling
 * the program that armed it, so an upgrade runs this again.
 */
SEC("syscall")
int natxdp_arm(void *ctx)
{
	struct sweep *state;
	__u32 zero = 0;
	long err;

	state = bpf_map_lookup_elem(&sweep_state, &zero);
	if (!state)
		return -EINVAL;
	err = bpf_timer_init(&state->timer, &sweep_state, CLOCK_MONOTONIC);
	if (err && err != -EBUSY) /* busy: initialised by an earlier load */
		return err;
	err = bpf_timer_set_callback(&state->timer, sweep_tick);
	if (err)
		return err;
	return bpf_timer_start(&state->timer, 0, 0);
}
