/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A packet at the XDP hook: in the driver, before the kernel makes anything of
 * it. The core knows packets by these names alone; see hook.bpf.h.
 */
#ifndef NATXDP_HOOK_BPF_H
#define NATXDP_HOOK_BPF_H

#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "hook.bpf.h"
#include "maps.bpf.h"

typedef struct xdp_md hook_ctx;

/* Verdicts; hook_reflect() and hook_redirect() return others. */
enum { HOOK_PASS = XDP_PASS, HOOK_DROP = XDP_DROP };
/* To the next program of a dispatcher. */
enum { HOOK_NEXT = XDP_ABORTED };

/* The bytes that can be read and written without a helper: the frame, or its beginning. */
static __always_inline void *hook_data(const hook_ctx *ctx)
{
	return (void *)(long)ctx->data;
}

static __always_inline void *hook_end(const hook_ctx *ctx)
{
	return (void *)(long)ctx->data_end;
}

/* Bytes of the whole frame. */
static __always_inline __u32 hook_len(hook_ctx *ctx)
{
	return bpf_xdp_get_buff_len(ctx);
}

/* The interface at which the frame came in. */
static __always_inline __u32 hook_ifindex(const hook_ctx *ctx)
{
	return ctx->ingress_ifindex;
}

/* Nothing but headers is looked at: see that they can be read. Returns 0 if the frame is ours. */
static __always_inline int hook_prepare(hook_ctx *ctx)
{
	return 0;
}

/* The total length of the IPv4 packet, whose header says @tot_len. */
static __always_inline __u32 hook_total_len(hook_ctx *ctx, __be16 tot_len)
{
	return bpf_ntohs(tot_len);
}

/* Bytes of data in each packet on the wire, if the frame stands for several of them; else 0. */
static __always_inline __u32 hook_segment_size(const hook_ctx *ctx)
{
	return 0;
}

/* In XDP the kernel has no view of its own of a frame's checksums. */
static __always_inline enum hook_sum hook_sum(const hook_ctx *ctx)
{
	return HOOK_SUM_NONE;
}

/* The sum over the bytes behind the IPv4 header has grown. For HOOK_SUM_COMPLETE. */
static __always_inline void hook_sum_add(hook_ctx *ctx, __u32 delta)
{
}

/* Send the frame back to where it came from. */
static __always_inline int hook_reflect(hook_ctx *ctx)
{
	return XDP_TX;
}

/* Send the frame to a neighbour, whose addresses it has. HOOK_DROP if the interface is gone. */
static __always_inline int hook_redirect(const struct natxdp_next_hop *nh)
{
	return bpf_redirect_map(&egress_devs, nh->dev, XDP_DROP);
}

/*
 * Cut the frame after @len bytes, or make it longer. What was known of its
 * bytes is to be looked up again. Returns 0 or an error.
 */
static __always_inline int hook_resize(hook_ctx *ctx, __u32 len)
{
	return bpf_xdp_adjust_tail(ctx, (int)(len - hook_len(ctx)));
}

/* Put @len bytes in front of the IP header; those before it are then undefined. */
static __always_inline int hook_push(hook_ctx *ctx, __u32 len, enum hook_sum sum)
{
	return bpf_xdp_adjust_head(ctx, -(int)len);
}

/*
 * The same for the outer headers of a tunnel, IPv4 and UDP, around the packet that is in the
 * frame. Returns 0 or an error.
 */
static __always_inline int hook_encap(hook_ctx *ctx, __u32 len)
{
	return bpf_xdp_adjust_head(ctx, -(int)len);
}

/* Has the kernel made something of the frame that nothing can be taken out of, or put around? */
static __always_inline int hook_is_merged(const hook_ctx *ctx)
{
	return 0;
}

/* See that the first @len bytes of the frame can be read, if it has so many. */
static __always_inline void hook_pull_to(hook_ctx *ctx, __u32 len)
{
}

/* Bytes behind the Ethernet header: of the first buffer, which costs nothing to know. */
static __always_inline __u32 hook_room(const hook_ctx *ctx)
{
	return hook_end(ctx) - hook_data(ctx) - ETH_HLEN;
}

/* What the field of a header says of a length of @len. */
static __always_inline __u32 hook_length(__u32 len)
{
	return len;
}

/* Take the @len bytes behind the Ethernet header away, more than it has. Returns 0 or an error. */
static __always_inline int hook_pop(hook_ctx *ctx, __u32 len)
{
	void *eth = hook_data(ctx), *to = eth + len, *next = eth + ETH_HLEN, *end = to + ETH_HLEN;

	/* clang knows from elsewhere that they are there, the verifier does not */
	barrier_var(next);
	barrier_var(end);
	if ((!__builtin_constant_p(len) && next > hook_end(ctx)) || end > hook_end(ctx))
		return -EINVAL;
	hook_eth_copy(to, eth);
	return bpf_xdp_adjust_head(ctx, (int)len);
}

#endif
