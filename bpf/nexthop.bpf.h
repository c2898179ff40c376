/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where a translated packet goes. The route is looked up when a flow opens
 * and kept as an index into a table of neighbours. User space marks entries
 * STALE when routes or neighbours change; then the next packet of each flow
 * looks up its own route again.
 */
#ifndef NATXDP_NEXTHOP_BPF_H
#define NATXDP_NEXTHOP_BPF_H

#include <linux/if_ether.h>

#include "count.bpf.h"
#include "parse.bpf.h"

#define AF_INET 2 /* sys/socket.h is not for BPF */

enum { NEXT_HOP_REFLECT = 0 }; /* one-armed: back to where the packet came from */

static __always_inline struct natxdp_next_hop *next_hop_at(__u32 index)
{
	return bpf_map_lookup_elem(&next_hops, &index);
}

/* Index of the interface in egress_devs, or -1. */
__noinline int next_hop_dev(__u32 ifindex)
{
	struct bpf_devmap_val *dev;
	__u32 i, key;

	for (i = 0; i < NATXDP_DEVS_MAX; i++) {
		key = i; /* else i lives on the stack, and the verifier loses it */
		dev = bpf_map_lookup_elem(&egress_devs, &key);
		if (dev && dev->ifindex == ifindex)
			return i;
	}
	return -1;
}

/*
 * Find or make the entry of a neighbour, and bring it up to date. Returns its
 * index, or -1 if the table is full.
 */
static __always_inline int next_hop_put(const struct natxdp_next_hop_key *key,
					const struct natxdp_next_hop *fresh)
{
	struct natxdp_next_hop *first, *nh;
	__u32 *known, index;

	known = bpf_map_lookup_elem(&next_hop_index, key);
	if (known) {
		index = *known;
	} else {
		first = next_hop_at(0);
		if (!first || first->used >= NATXDP_NEXT_HOPS_MAX - 1)
			return -1;
		index = __sync_fetch_and_add(&first->used, 1) + 1;
		nh = next_hop_at(index);
		if (!nh)
			return -1;
		*nh = *fresh;
		/* two CPUs at once: the loser's entry works too, nobody finds it again */
		bpf_map_update_elem(&next_hop_index, key, &index, BPF_NOEXIST);
		return index;
	}
	nh = next_hop_at(index);
	if (!nh)
		return -1;
	mac_copy(nh->dst_mac, fresh->dst_mac);
	mac_copy(nh->src_mac, fresh->src_mac);
	nh->dev = fresh->dev;
	barrier();
	nh->state = fresh->state; /* last: who reads VALID reads whole addresses */
	return index;
}

struct next_hop_query {
	__be32 saddr; /* of the packet as it goes to be routed */
	__be32 daddr;
	__u32 ifindex;	 /* at which it came in */
	__u8 learned[6]; /* where it must go back to if there is no route, or 0 */
	__u8 frame_dst[6];
};

struct next_hop_answer {
	int index; /* into next_hops, -1: let the kernel find the way */
	int dev;   /* into egress_devs, -1: another interface, or no route */
};

static __always_inline int next_hop_learned(const struct next_hop_query *q)
{
	struct natxdp_next_hop_key key = { .ifindex = q->ifindex };
	struct natxdp_next_hop nh = { .ifindex = q->ifindex, .state = NATXDP_NEXT_HOP_VALID };

	mac_copy(key.mac, q->learned);
	mac_copy(nh.dst_mac, q->learned);
	mac_copy(nh.src_mac, q->frame_dst);
	nh.dev = next_hop_dev(q->ifindex);
	return next_hop_put(&key, &nh);
}

/* Not on the stack, which is short here. */
struct next_hop_scratch {
	struct bpf_fib_lookup fib;
	struct natxdp_next_hop_key key;
	struct natxdp_next_hop nh;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct next_hop_scratch);
} next_hop_scratch SEC(".maps");

/*
 * A global function: its cost for the verifier counts once, and it is off the
 * way of established packets.
 */
__noinline int next_hop_find(struct xdp_md *ctx, const struct next_hop_query *q,
			     struct next_hop_answer *answer)
{
	struct next_hop_scratch *s;
	__u32 zero = 0;
	long ret;

	s = bpf_map_lookup_elem(&next_hop_scratch, &zero);
	if (!q || !answer || !s)
		return -1;
	count_event(NATXDP_EVENT_NEXT_HOP_LOOKUPS, 1);
	__builtin_memset(s, 0, sizeof(*s));
	s->fib.family = AF_INET;
	s->fib.ipv4_src = q->saddr;
	s->fib.ipv4_dst = q->daddr;
	s->fib.ifindex = q->ifindex;
	ret = bpf_fib_lookup(ctx, &s->fib, sizeof(s->fib), 0);
	answer->index = -1;
	answer->dev = -1;
	if (ret != BPF_FIB_LKUP_RET_SUCCESS && ret != BPF_FIB_LKUP_RET_NO_NEIGH)
		return 0;
	answer->dev = next_hop_dev(s->fib.ifindex);
	if (answer->dev < 0)
		return 0;
	s->key.ifindex = s->fib.ifindex;
	s->key.addr = s->fib.ipv4_dst; /* of the gateway, if there is one */
	s->nh.ifindex = s->fib.ifindex;
	s->nh.addr = s->fib.ipv4_dst;
	s->nh.dev = answer->dev;
	s->nh.state = NATXDP_NEXT_HOP_STALE; /* no neighbour yet */
	if (ret == BPF_FIB_LKUP_RET_SUCCESS) {
		s->nh.state = NATXDP_NEXT_HOP_VALID;
		mac_copy(s->nh.dst_mac, s->fib.dmac);
		mac_copy(s->nh.src_mac, s->fib.smac);
	}
	answer->index = next_hop_put(&s->key, &s->nh);
	return 0;
}

/* The next hop of an entry is stale: look up its route again. Returns 0. */
__noinline int next_hop_refresh(struct xdp_md *ctx, struct natxdp_flow *f)
{
	struct next_hop_answer answer = {};
	struct next_hop_query q = {};

	if (!f)
		return -EINVAL;
	q.saddr = f->key.saddr;
	q.daddr = f->new_daddr;
	q.ifindex = ctx->ingress_ifindex;
	next_hop_find(ctx, &q, &answer);
	if (answer.index > 0)
		f->next_hop = answer.index;
	return 0;
}

#endif
