/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A packet at the TC hook: clsact ingress, behind GRO, where it is an sk_buff.
 * The same names as in hook_xdp.bpf.h, which says what they mean.
 */
#ifndef NATXDP_HOOK_BPF_H
#define NATXDP_HOOK_BPF_H

#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "hook.bpf.h"
#include "maps.bpf.h"

typedef struct __sk_buff hook_ctx;

/* What passes goes to the filters after this one. */
enum { HOOK_PASS = TC_ACT_UNSPEC, HOOK_DROP = TC_ACT_SHOT };
/* There is no dispatcher at TC. */
enum { HOOK_NEXT = TC_ACT_SHOT };

enum hook_tc_limits {
	HOOK_IP_HEADER_MAX = 60,
	HOOK_TCP_HEADER_MAX = 60,
	HOOK_HEADERS = ETH_HLEN + HOOK_IP_HEADER_MAX + HOOK_TCP_HEADER_MAX,
	/* an ICMP error is summed up whole, see sum_bytes() */
	HOOK_ICMP = ETH_HLEN + HOOK_IP_HEADER_MAX + 1536,
};

/* The part of the kernel's sk_buff that no field of __sk_buff shows. */
struct sk_buff {
	__u8 ip_summed : 2;
	__u8 encapsulation : 1;
} __attribute__((preserve_access_index));

static __always_inline void *hook_data(const hook_ctx *ctx)
{
	return (void *)(long)ctx->data;
}

static __always_inline void *hook_end(const hook_ctx *ctx)
{
	return (void *)(long)ctx->data_end;
}

static __always_inline __u32 hook_len(hook_ctx *ctx)
{
	return ctx->len;
}

static __always_inline __u32 hook_ifindex(const hook_ctx *ctx)
{
	return ctx->ifindex;
}

/* How many bytes of a frame that is not all linear have to be. */
static __always_inline __u32 hook_wanted(const hook_ctx *ctx)
{
	struct iphdr *ip = hook_data(ctx) + ETH_HLEN;
	struct tcphdr *tcp = (void *)(ip + 1);

	if ((void *)(ip + 1) > hook_end(ctx))
		return HOOK_HEADERS;
	if (ip->protocol == IPPROTO_ICMP)
		return HOOK_ICMP;
	if (ip->ihl != 5 || (void *)(tcp + 1) > hook_end(ctx))
		return HOOK_HEADERS;
	/* what was sent by TCP of this machine often has no more than its headers there */
	return ip->protocol == IPPROTO_TCP && tcp->syn ? HOOK_HEADERS : 0;
}

static __always_inline int hook_pull_to(hook_ctx *ctx, __u32 len)
{
	__u32 linear = hook_end(ctx) - hook_data(ctx);

	if (len > ctx->len)
		len = ctx->len;
	return len > linear ? bpf_skb_pull_data(ctx, len) : 0;
}

/* A global function: its ways are verified once. */
__noinline int hook_pull(hook_ctx *ctx)
{
	return hook_pull_to(ctx, hook_wanted(ctx));
}

/* A frame with a tag in the descriptor is for the interface of that VLAN, which comes later. */
static __always_inline int hook_prepare(hook_ctx *ctx)
{
	if (hook_end(ctx) - hook_data(ctx) < ctx->len)
		hook_pull(ctx);
	return ctx->vlan_present;
}

/* What is too long for the field has 0 there ("BIG TCP", since Linux 6.3). */
static __always_inline __u32 hook_total_len(hook_ctx *ctx, __be16 tot_len)
{
	return tot_len || !ctx->gso_size ? bpf_ntohs(tot_len) : ctx->len - ETH_HLEN;
}

static __always_inline __u32 hook_segment_size(const hook_ctx *ctx)
{
	return ctx->gso_size;
}

/*
 * The helpers for checksums read it, and tell nobody. One call of this is
 * cheaper than the two calls of bpf_l4_csum_replace() that addresses and ports
 * would take.
 */
static __always_inline enum hook_sum hook_sum(const hook_ctx *ctx)
{
	const struct sk_buff *skb = (const void *)ctx;

	return BPF_CORE_READ_BITFIELD_PROBED(skb, ip_summed);
}

static __always_inline void hook_sum_add(hook_ctx *ctx, __u32 delta)
{
	bpf_csum_update(ctx, delta);
}

static __always_inline int hook_reflect(hook_ctx *ctx)
{
	__u32 ifindex = ctx->ifindex;

	barrier_var(ifindex); /* else clang joins two loads, and the verifier is lost */
	return bpf_redirect(ifindex, 0);
}

/* By its number: if the interface has just gone, the kernel drops the frame after us. */
static __always_inline int hook_redirect(const struct natxdp_next_hop *nh)
{
	return bpf_redirect(nh->ifindex, 0);
}

/* Besides, the frame becomes linear and stands for one packet. */
static __always_inline int hook_resize(hook_ctx *ctx, __u32 len)
{
	/* a change of the length is what makes the kernel forget a complete sum */
	if (bpf_skb_change_tail(ctx, len + 1, 0))
		return -EINVAL;
	return bpf_skb_change_tail(ctx, len, 0) ? -EINVAL : 0;
}

/*
 * A checksum that is to be completed is then one of what is inside. Said to be
 * a tunnel, so that devices which cannot do that have it done by the kernel.
 */
static __always_inline int hook_push(hook_ctx *ctx, __u32 len, enum hook_sum sum)
{
	return bpf_skb_adjust_room(ctx, len, BPF_ADJ_ROOM_MAC,
				   sum == HOOK_SUM_PARTIAL ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 : 0);
}

/*
 * A frame of several packets is a tunnel of as many, each as long as before; the kernel cuts it,
 * and writes lengths and outer headers of each, where the device does not. Only such frames and
 * those with half a checksum are said to be a tunnel: devices that know nothing of tunnels get
 * a copy of them that is in one piece.
 */
static __always_inline int hook_encap(hook_ctx *ctx, __u32 len)
{
	__u64 flags = 0;

	if (ctx->gso_size || hook_sum(ctx) == HOOK_SUM_PARTIAL)
		flags = BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 |
			BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
	return bpf_skb_adjust_room(ctx, len, BPF_ADJ_ROOM_MAC, flags);
}

/*
 * Several packets in GENEVE (GRO for a tunnel of the host's, or rx-udp-gro-forwarding), or one of
 * a host on the same machine, marked as a tunnel: no helper takes the mark off.
 */
static __always_inline int hook_is_merged(const hook_ctx *ctx)
{
	const struct sk_buff *skb = (const void *)ctx;

	return ctx->gso_size || BPF_CORE_READ_BITFIELD_PROBED(skb, encapsulation);
}

static __always_inline __u32 hook_room(const hook_ctx *ctx)
{
	return ctx->len - ETH_HLEN;
}

/* As hook_total_len(); whoever cuts the frame writes others. */
static __always_inline __u32 hook_length(__u32 len)
{
	return len > 0xffff ? 0 : len;
}

static __always_inline int hook_pop(hook_ctx *ctx, __u32 len)
{
	return bpf_skb_adjust_room(ctx, -(int)len, BPF_ADJ_ROOM_MAC, 0);
}

#endif
