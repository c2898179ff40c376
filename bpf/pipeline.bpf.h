/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Source NAT, at either hook. This file is the way of a packet:
 *
 *   parse -> flow_find -> hit:  forward (TTL, rewrite, count, next hop)
 *                      -> miss: flow_open (classify, route, port, insert),
 *                               then as a hit, or the end with a reason
 *
 * A packet of the inside may have come by a tunnel, which was taken off it before
 * (natxdp_tunnelled() in tunnel_entry.bpf.h); what goes there is put into it by tunnel_wrap().
 */
#ifndef NATXDP_PIPELINE_BPF_H
#define NATXDP_PIPELINE_BPF_H

#include <linux/errno.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bring_all.bpf.h"
#include "classify.bpf.h"
#include "clock.bpf.h"
#include "count.bpf.h"
#include "frag.bpf.h"
#include "hairpin.bpf.h"
#include "icmp.bpf.h"
#include "insert.bpf.h"
#include "maps.bpf.h"
#include "mss.bpf.h"
#include "nexthop.bpf.h"
#include "open.bpf.h"
#include "parse.bpf.h"
#include "record.bpf.h"
#include "reply.bpf.h"
#include "rewrite.bpf.h"
#include "sweep.bpf.h"
#include "table.bpf.h"
#include "tcp.bpf.h"

/*
 * What came by a tunnel gets through to the outside, translated, or not at all: to the host and
 * its kernel another inside host would be the same one.
 */
static __always_inline int tunnel_reason(int reason, const struct packet *pkt)
{
	if (!TUNNEL_FLOWS || !pkt->tenant)
		return reason;
	switch (reason) {
	case NATXDP_PASS_NOT_IPV4:
	case NATXDP_PASS_NOT_UNICAST:
	case NATXDP_PASS_HOST:
	case NATXDP_PASS_NO_NAT:
		return NATXDP_DROP_INNER;
	}
	return reason;
}

static __always_inline int finish(int reason, const struct packet *pkt)
{
	reason = tunnel_reason(reason, pkt);
	count_packet(reason, packet_count(pkt), packet_bytes(pkt));
	switch (reason) {
#define VERDICT_FORWARD HOOK_DROP /* forwarded packets do not come here */
#define VERDICT_PASS HOOK_PASS
#define VERDICT_DROP HOOK_DROP
#define VERDICT_REPLY HOOK_DROP
#define X(id, verdict, name, text) \
	case NATXDP_##id:          \
		return VERDICT_##verdict;
		NATXDP_REASONS(X)
#undef X
	}
	return HOOK_DROP;
}

/* The TCP part of flow_touch(). */
static __always_inline void flow_touch_tcp(struct natxdp_flow *f, const struct packet *pkt,
					   __u32 slot, const struct natxdp_config *cfg, __u32 now)
{
	__u8 flags = f->flags, seen = tcp_seen(flags, pkt->tcp_flags);

	if (seen == flags)
		return;
	f->flags = seen;
	tcp_changed(slot, flags);
	/* the timeout may have become shorter than the sweeper knows */
	if (flags & NATXDP_FLOW_INBOUND)
		slot = f->peer;
	due_by(slot / NATXDP_WAYS, now + tcp_soonest(cfg));
}

/* The entry has seen one more packet. */
static __always_inline void flow_touch(struct natxdp_flow *f, const struct packet *pkt, __u32 slot,
				       const struct natxdp_config *cfg)
{
	__u32 now = ticks_now();

	f->packets += packet_count(pkt);
	f->bytes += packet_bytes(pkt);
	/* a RST from the outside refreshes nothing: it may be forged */
	if (!(f->flags & NATXDP_FLOW_INBOUND) ||
	    (cfg->features & NATXDP_INBOUND_REFRESH && !(pkt->tcp_flags & TCP_RST)))
		f->last_seen = now;
	if (f->key.proto == IPPROTO_TCP && pkt->kind == PACKET_PORTS)
		flow_touch_tcp(f, pkt, slot, cfg, now);
}

/* The neighbour of an entry, looked up again if it is stale. */
static __always_inline struct natxdp_next_hop *forward_next_hop(hook_ctx *ctx,
								struct natxdp_flow *f)
{
	struct natxdp_next_hop *nh;

	if (TUNNEL_FLOWS && f->flags & NATXDP_FLOW_INBOUND)
		return tunnel_next_hop(ctx, f->next_hop);
	nh = next_hop_at(f->next_hop);
	if (!nh || !f->next_hop || nh->state == NATXDP_NEXT_HOP_VALID)
		return nh;
	next_hop_refresh(ctx, f);
	return next_hop_at(f->next_hop);
}

/* Send a frame that was made of @pkt back to where that came from. */
static __always_inline int answer(hook_ctx *ctx, const struct packet *pkt, int reason)
{
	int failed = TUNNEL_FLOWS && pkt->tenant ? tunnel_wrap_answer(ctx) : 0;

	if (failed)
		return finish(failed, pkt);
	count_packet(reason, packet_count(pkt), packet_bytes(pkt));
	return hook_reflect(ctx);
}

/* A packet that ends here, perhaps with an answer to its sender. */
static __always_inline int refuse(hook_ctx *ctx, const struct packet *pkt, int reason)
{
	struct reply_icmp icmp = {};
	struct natxdp_config *cfg;
	int limited;

	switch (reason) {
	case NATXDP_REPLY_RST:
		if (reply_rst(ctx, pkt))
			return finish(NATXDP_DROP_MIDSTREAM, pkt);
		return answer(ctx, pkt, reason);
	case NATXDP_REPLY_TTL:
		icmp.type = ICMP_TIME_EXCEEDED;
		limited = NATXDP_DROP_TTL;
		break;
	case NATXDP_REPLY_NO_PORT: /* RFC 5508, REQ-8 */
		icmp.type = ICMP_DEST_UNREACH;
		icmp.code = ICMP_PKT_FILTERED;
		limited = NATXDP_DROP_NO_PORT;
		break;
	case NATXDP_REPLY_TOO_BIG: /* RFC 4787, REQ-13 */
		cfg = config_get();
		icmp.type = ICMP_DEST_UNREACH;
		icmp.code = ICMP_FRAG_NEEDED;
		icmp.mtu = cfg ? cfg->egress_mtu : 0;
		if (TUNNEL_FLOWS && !pkt->tenant)
			icmp.mtu = tunnel_mtu();
		limited = NATXDP_DROP_TOO_BIG;
		break;
	case NATXDP_PASS_NO_NAT:
		if (!TUNNEL_FLOWS || !pkt->tenant)
			return finish(reason, pkt);
		eth_swap(pkt->eth);
		return answer(ctx, pkt, NATXDP_RETURNED);
	default:
		return finish(reason, pkt);
	}
	/* no error about an error, nor about a later fragment (RFC 1122, section 3.2.2) */
	if (pkt->kind == PACKET_ERROR || pkt->kind == PACKET_FRAGMENT || !reply_allowed())
		return finish(limited, pkt);
	if (reply_icmp(ctx, &icmp))
		return finish(limited, pkt);
	return answer(ctx, pkt, reason);
}

/*
 * Why a packet that has a flow cannot go on: 0 if it can. A packet that is too
 * large and may be cut goes on through the kernel, which cuts it; into a tunnel nobody could.
 */
static __always_inline int forward_check(const struct packet *pkt, __u8 flags,
					 const struct natxdp_config *cfg, int *cut)
{
	__u32 mtu;

	if (pkt->ip->ttl <= 1)
		return NATXDP_REPLY_TTL;
	mtu = TUNNEL_FLOWS && flags & NATXDP_FLOW_INBOUND ? tunnel_mtu() : 0;
	if (mtu && packet_longest(pkt) > mtu)
		return NATXDP_REPLY_TOO_BIG;
	*cut = !(flags & (NATXDP_FLOW_INBOUND | NATXDP_FLOW_HAIRPIN)) && cfg->egress_mtu &&
	       packet_longest(pkt) > cfg->egress_mtu;
	if (*cut && pkt->ip->frag_off & bpf_htons(IP_DONT_FRAGMENT))
		return NATXDP_REPLY_TOO_BIG;
	return 0;
}

/* Translate, and remember that. Returns 0, or an error with the packet untouched. */
static __always_inline int forward_translate(hook_ctx *ctx, const struct packet *pkt,
					     struct natxdp_flow *f, __u32 slot,
					     const struct natxdp_config *cfg)
{
	int err;

	if (pkt->kind == PACKET_ERROR) { /* is translated already, and refreshes nothing */
		count_event(NATXDP_EVENT_ERRORS_TRANSLATED, 1);
		return 0;
	}
	err = rewrite(ctx, pkt, f);
	if (err)
		return err;
	flow_touch(f, pkt, slot, cfg);
	/* another fragment is another flow to a load balancer */
	if (TUNNEL_FLOWS && pkt->tenant && pkt->kind != PACKET_FRAGMENT)
		tunnel_relabel(f);
	if (pkt->tcp_flags & TCP_SYN && cfg->mss_clamp)
		mss_clamp(ctx, sizeof(struct ethhdr) + pkt->len - pkt->l4_len, cfg->mss_clamp);
	return 0;
}

/*
 * The rest of forward_by() where the inside is behind tunnels. @nh: NULL if it is to go by the
 * kernel. The frame may leave by the interface at which it came, or by another one.
 */
static __always_inline int forward_tunnelled(hook_ctx *ctx, struct packet *pkt,
					     const struct natxdp_flow *f,
					     const struct natxdp_next_hop *nh)
{
	int inbound = f->flags & NATXDP_FLOW_INBOUND, failed, verdict;

	if (nh || inbound) /* or else the kernel takes one off */
		rewrite_ttl(pkt->ip);
	if (nh && !inbound) {
		mac_copy(pkt->eth->h_dest, nh->dst_mac);
		mac_copy(pkt->eth->h_source, nh->src_mac);
	}
	failed = inbound ? tunnel_wrap(ctx, f, pkt, nh) : 0;
	if (failed)
		return finish(failed, pkt);
	if (!nh)
		return finish(inbound ? NATXDP_IN_VIA_KERNEL : NATXDP_OUT_VIA_KERNEL, pkt);
	verdict = nh->ifindex == hook_ifindex(ctx) ? hook_reflect(ctx) : hook_redirect(nh);
	if (verdict == HOOK_DROP)
		return finish(NATXDP_DROP_NO_DEVICE, pkt);
	count_packet(inbound ? NATXDP_IN_FORWARDED : NATXDP_OUT_FORWARDED, packet_count(pkt),
		     packet_bytes(pkt));
	return verdict;
}

/* @f: the packet's entry, which stands at @slot. */
static __always_inline int forward_by(hook_ctx *ctx, struct packet *pkt, struct natxdp_flow *f,
				      __u32 slot, const struct natxdp_config *cfg)
{
	struct natxdp_next_hop *nh;
	int inbound, via_kernel, reason, verdict;

	if (!f || !cfg)
		return finish(NATXDP_DROP_INTERNAL, pkt);
	inbound = f->flags & NATXDP_FLOW_INBOUND;
	reason = forward_check(pkt, f->flags, cfg, &via_kernel);
	if (reason)
		return refuse(ctx, pkt, reason);
	nh = forward_next_hop(ctx, f);
	if (!nh || forward_translate(ctx, pkt, f, slot, cfg))
		return finish(NATXDP_DROP_INTERNAL, pkt);
	via_kernel |= f->next_hop != NEXT_HOP_REFLECT && nh->state != NATXDP_NEXT_HOP_VALID;
	if (TUNNEL_FLOWS)
		return forward_tunnelled(ctx, pkt, f, via_kernel ? NULL : nh);
	if (via_kernel)
		return finish(inbound ? NATXDP_IN_VIA_KERNEL : NATXDP_OUT_VIA_KERNEL, pkt);
	rewrite_ttl(pkt->ip);
	if (f->next_hop == NEXT_HOP_REFLECT) {
		eth_swap(pkt->eth);
		verdict = hook_reflect(ctx);
	} else {
		mac_copy(pkt->eth->h_dest, nh->dst_mac);
		mac_copy(pkt->eth->h_source, nh->src_mac);
		verdict = hook_redirect(nh);
	}
	if (verdict == HOOK_DROP)
		return finish(NATXDP_DROP_NO_DEVICE, pkt);
	count_packet(inbound ? NATXDP_IN_FORWARDED : NATXDP_OUT_FORWARDED, packet_count(pkt),
		     packet_bytes(pkt));
	return verdict;
}

static __always_inline int forward(hook_ctx *ctx, struct packet *pkt, __u32 slot)
{
	struct natxdp_config *cfg = config_get();

	return forward_by(ctx, pkt, flow_at(slot), slot, cfg);
}

/* Returns the slot of the flow's entry for this packet, or a reason as not_opened(). */
static __always_inline int flow_open(hook_ctx *ctx, struct open_request *req)
{
	struct natxdp_config *cfg = config_get();
	int what;

	if (!cfg)
		return not_opened(NATXDP_DROP_INTERNAL);
	what = classify(&req->key, req->kind, req->tcp_flags, cfg);
	if (what >= 0)
		return not_opened(what);
	if (req->ttl <= 1 && what == CLASSIFY_LEAVING)
		return not_opened(NATXDP_REPLY_TTL);
	if (what != CLASSIFY_LEAVING && host_owns(ctx, &req->key))
		return not_opened(NATXDP_PASS_HOST);
	switch (what) {
	case CLASSIFY_UNWANTED:
		return not_opened(NATXDP_DROP_UNSOLICITED);
	case CLASSIFY_INVITED:
		return open_invited(ctx, req);
	case CLASSIFY_HAIRPIN:
		return open_hairpin(ctx, req);
	default:
		return open_leaving(ctx, req);
	}
}

/* Returns the slot of a new flow, or the reason why there is none as not_opened(). */
static __always_inline int miss(hook_ctx *ctx, const struct packet *pkt,
				const struct natxdp_key *key)
{
	struct open_request *req;
	__u32 zero = 0, slot;

	slot = before.groups ? bring_by_packet(key) : NATXDP_SLOT_NONE;
	if (slot != NATXDP_SLOT_NONE)
		return slot;
	if (before.groups)
		bring_for_open(key);
	if (before_has(key)) /* there is no room for it here; it must not end as unknown */
		return not_opened(NATXDP_DROP_TABLE_FULL);
	req = bpf_map_lookup_elem(&open_request, &zero);
	if (!req)
		return not_opened(NATXDP_DROP_INTERNAL);
	req->key = *key;
	req->kind = pkt->kind;
	req->ifindex = hook_ifindex(ctx);
	req->tcp_flags = pkt->tcp_flags;
	req->ttl = pkt->ip->ttl;
	mac_copy(req->src_mac, pkt->eth->h_source);
	mac_copy(req->dst_mac, pkt->eth->h_dest);
	return flow_open(ctx, req);
}

/* As icmp_error(); its flow may have to be brought first. */
static __always_inline int error_find(hook_ctx *ctx, enum natxdp_side side, __u32 tenant)
{
	int slot = icmp_error(ctx, side, tenant);

	if (before.groups && slot < 0 && bring_wished() != NATXDP_SLOT_NONE)
		slot = icmp_error(ctx, side, tenant);
	return slot;
}

/* @tenant: of the packets of this side, NATXDP_TENANT_* or the tunnel by which this one came. */
static __always_inline int natxdp(hook_ctx *ctx, enum natxdp_side side, __u32 tenant)
{
	struct natxdp_key key = { .side = side, .tenant = tenant };
	struct packet pkt = { .tenant = natxdp_is_tunnel(tenant) ? tenant : NATXDP_TENANT_NONE };
	int reason, slot;

	if (bring_waits())
		return HOOK_NEXT;
	reason = parse(ctx, &pkt, &key);
	if (reason != PARSE_OK)
		return finish(reason, &pkt);
	if (pkt.kind <= PACKET_BARE)
		slot = flow_find_fast(&key);
	else if (pkt.kind == PACKET_ERROR)
		slot = error_find(ctx, side, tenant);
	else if (pkt.kind == PACKET_FRAGMENT)
		slot = frag_find(ctx, &key);
	else
		slot = -1;
	if (slot == -1)
		slot = miss(ctx, &pkt, &key);
	if (slot == not_opened(NATXDP_DROP_TABLE_FULL))
		sweep_home(&key, ticks_now());
	if (pkt.first && (slot >= 0 || slot == not_opened(NATXDP_PASS_HOST)))
		frag_remember(ctx, &key, slot < 0);
	/* what was stripped cannot be sent through the program again */
	if (slot == not_opened(NATXDP_DROP_FRAGMENT) && !pkt.tenant && !frag_hold(ctx, &key))
		slot = not_opened(NATXDP_HELD_FRAGMENT);
	if (slot < 0)
		return refuse(ctx, &pkt, not_opened(slot));
	return forward(ctx, &pkt, slot);
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

	clock_set();
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

#endif
