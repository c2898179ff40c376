/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The inside is reached without a tunnel. What both kinds of NAT have to answer,
 * this file and tunnel_geneve.bpf.h, whichever the file of the entry points
 * includes; here the answers are constants, of which no instruction is left.
 */
#ifndef NATXDP_TUNNEL_BPF_H
#define NATXDP_TUNNEL_BPF_H

#include <natxdp/event.h>

/* Whether flows go through tunnels: those that do have a label in them. */
enum { TUNNEL_FLOWS = 0 };

#include "nexthop.bpf.h"

/* The key of the map frags. */
struct frag_key {
	struct natxdp_frag_key of;
};

static __always_inline void frag_set_tenant(struct frag_key *fk, __u16 tenant)
{
}

/* The label that the packet has which is looked at. */
static __always_inline void tunnel_label(struct natxdp_flow *f)
{
}

/* A packet of @f, an outbound entry, has come: its label may be another one than before. */
static __always_inline void tunnel_relabel(struct natxdp_flow *f)
{
}

/* The way into the tunnel @index, for a new flow. Returns @index, or a reason as not_opened(). */
static __always_inline int tunnel_route(hook_ctx *ctx, __u32 index)
{
	return index;
}

/* The neighbour by which the tunnel is reached, looked up again if it is stale. */
static __always_inline struct natxdp_next_hop *tunnel_next_hop(hook_ctx *ctx, __u32 index)
{
	return NULL;
}

/* A flow has been opened through the tunnel @index. */
static __always_inline void tunnel_opened(__u32 index)
{
}

/* An entry of the direction from the outside lives: so does the neighbour that it uses. */
static __always_inline void tunnel_seen(const struct natxdp_flow *in, __u32 now)
{
	next_hop_seen(in->next_hop, now);
}

/*
 * Put @pkt, one of @f, an inbound entry, into its tunnel, and that to @nh if there is one.
 * Returns 0 or a reason.
 */
static __always_inline int tunnel_wrap(hook_ctx *ctx, const struct natxdp_flow *f,
				       const struct packet *pkt, const struct natxdp_next_hop *nh)
{
	return 0;
}

/* Put an answer to the packet that is looked at into the tunnel by which it came. Returns as before. */
static __always_inline int tunnel_wrap_answer(hook_ctx *ctx)
{
	return 0;
}

/* Largest inner packet on the way into a tunnel; 0: no limit. */
static __always_inline __u32 tunnel_mtu(void)
{
	return 0;
}

#endif
