/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What both hooks have in common. The core knows a packet by hook_ctx, which is
 * the context of the hook, and by the functions hook_*() of hook_xdp.bpf.h or
 * hook_tc.bpf.h, whichever the file of the entry points includes first.
 */
#ifndef NATXDP_HOOK_COMMON_BPF_H
#define NATXDP_HOOK_COMMON_BPF_H

#include <linux/if_ether.h>
#include <bpf/bpf_endian.h>

#include <natxdp/config.h>

/* What the kernel knows of a checksum that covers a pseudo header: its CHECKSUM_*. */
enum hook_sum {
	HOOK_SUM_NONE,	      /* nothing */
	HOOK_SUM_UNNECESSARY, /* that it is right */
	HOOK_SUM_COMPLETE,    /* the sum over all bytes behind the Ethernet header */
	HOOK_SUM_PARTIAL,     /* that it is to be completed when the frame leaves */
};

/* An Ethernet header in words: clang copies the bytes of packed structs one by one. */
struct hook_eth {
	__u32 word[3];
	__u16 type;
};

static __always_inline void hook_eth_copy(void *to, const void *from)
{
	__u32 *t = to;
	const __u32 *f = from;

	t[0] = f[0];
	t[1] = f[1];
	t[2] = f[2];
	*(__u16 *)(t + 3) = *(const __u16 *)(f + 3);
}

/* For an IPv4 packet to a neighbour. */
static __always_inline void hook_eth_set(struct hook_eth *eth, const struct natxdp_next_hop *nh)
{
	const __u32 *macs = (const void *)nh->dst_mac; /* both */

	eth->word[0] = macs[0];
	eth->word[1] = macs[1];
	eth->word[2] = macs[2];
	eth->type = bpf_htons(ETH_P_IP);
}

#endif
