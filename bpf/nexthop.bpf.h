/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where a translated packet goes. The route is looked up when a flow opens
 * and kept as an index into a table of neighbours. User space marks entries
 * STALE when routes or neighbours change; then the next packet of each flow
 * looks up its own route again.
 *
 * Entries have no count of users, which flows would have to keep exactly. An
 * entry is stamped when a flow opens by it, and when the sweeper finds that a
 * flow of it still lives: it looks at each within its timeout. What was not
 * stamped for so long is free, and is taken when there are no new ones left.
 */
#ifndef NATXDP_NEXTHOP_BPF_H
#define NATXDP_NEXTHOP_BPF_H

#include <linux/if_ether.h>

#include "clock.bpf.h"
#include "count.bpf.h"
#include "parse.bpf.h"
#include "table.bpf.h"

#define AF_INET 2 /* sys/socket.h is not for BPF */

enum {
	NEXT_HOP_REFLECT = 0, /* one-armed: back to where the packet came from */
	NEXT_HOP_TRIES = 256, /* entries looked at for one that is free, about 1 us */
};

static __always_inline struct natxdp_next_hop *next_hop_at(__u32 index)
{
	return bpf_map_lookup_elem(&next_hops, &index);
}

/* Index of the interface in egress_devs, or -1. */
__noinline int next_hop_dev(__u32 ifindex)
{
	struct natxdp_config *cfg = config_get();
	__u32 i;

	if (!cfg || !ifindex)
		return -1;
#pragma clang loop unroll(disable)
	for (i = 0; i < NATXDP_DEVS_MAX; i++) {
		if (cfg->dev[i] == ifindex)
			return i;
	}
	return -1;
}

/* Is this the entry of the neighbour? */
static __always_inline int next_hop_is(const struct natxdp_next_hop *nh,
				       const struct natxdp_next_hop_key *key)
{
	if (nh->ifindex != key->ifindex || nh->addr != key->addr)
		return 0;
	return key->addr || mac_equal(nh->dst_mac, key->mac);
}

/*
 * Stamp the entry that the index of neighbours names, against a CPU that takes
 * it for another one at the same moment. Returns 0 if that was faster.
 */
static __always_inline int next_hop_hold(struct natxdp_next_hop *nh,
					 const struct natxdp_next_hop_key *key, __u32 now)
{
	__u32 seen = READ_ONCE(nh->seen);

	if (seen != now && seen)
		seen = __sync_val_compare_and_swap(&nh->seen, seen, now);
	return seen && next_hop_is(nh, key);
}

/* A flow that uses the entry lives (sweeper). */
static __always_inline void next_hop_seen(__u32 index, __u32 now)
{
	struct natxdp_next_hop *nh = next_hop_at(index);

	if (index && nh)
		WRITE_ONCE(nh->seen, now);
}

struct next_hop_walk {
	__u32 at;
	__u32 unseen_since;
	int index;
};

static long next_hop_try(__u32 i, struct next_hop_walk *walk)
{
	__u32 index = (walk->at + i) % (NATXDP_NEXT_HOPS_MAX - 1) + 1, seen;
	struct natxdp_next_hop *nh = next_hop_at(index);

	if (!nh)
		return 1;
	seen = READ_ONCE(nh->seen);
	if (!seen || (__s32)(seen - walk->unseen_since) >= 0)
		return 0;
	if (__sync_val_compare_and_swap(&nh->seen, seen, 0) != seen)
		return 0;
	walk->index = index;
	return 1;
}

/* An entry that no flow uses, not to be found by its old neighbour. Returns its index or -1. */
__noinline int next_hop_reclaim(__u32 unseen_since)
{
	struct next_hop_walk walk = { .unseen_since = unseen_since, .index = -1 };
	struct natxdp_next_hop_key old = {};
	struct natxdp_next_hop *nh;

	if (!unseen_since)
		return -1;
	walk.at = bpf_get_prandom_u32() % NATXDP_NEXT_HOPS_MAX;
	bpf_loop(NEXT_HOP_TRIES, next_hop_try, &walk, 0);
	if (walk.index < 0)
		return -1;
	nh = next_hop_at(walk.index);
	if (!nh)
		return -1;
	old.ifindex = nh->ifindex;
	old.addr = nh->addr;
	if (!old.addr)
		mac_copy(old.mac, nh->dst_mac);
	bpf_map_delete_elem(&next_hop_index, &old);
	return walk.index;
}

/* Returns the index of a new entry, or -1 if there is none. */
static __always_inline int next_hop_add(const struct natxdp_next_hop *fresh, __u32 now)
{
	struct natxdp_next_hop *first = next_hop_at(0), *nh;
	int index;

	if (!first)
		return -1;
	if (first->used < NATXDP_NEXT_HOPS_MAX - 1)
		index = __sync_fetch_and_add(&first->used, 1) + 1;
	else
		index = next_hop_reclaim(first->seen);
	nh = index < 0 ? NULL : next_hop_at(index);
	if (!nh)
		return -1;
	*nh = *fresh;
	barrier();
	WRITE_ONCE(nh->seen, now); /* last: now it is what it says */
	return index;
}

/*
 * Find or make the entry of a neighbour, and bring it up to date. Returns its
 * index, or -1 if the table is full.
 */
static __always_inline int next_hop_put(const struct natxdp_next_hop_key *key,
					const struct natxdp_next_hop *fresh)
{
	__u32 *known, now = ticks_now();
	struct natxdp_next_hop *nh;
	int index = 0;

	now = now ? now : 1;
	known = bpf_map_lookup_elem(&next_hop_index, key);
	if (known)
		index = *known;
	nh = next_hop_at(index);
	if (!index || !nh || !next_hop_hold(nh, key, now)) {
		index = next_hop_add(fresh, now);
		/* two CPUs at once: the loser's entry works too, nobody finds it again */
		if (index > 0)
			bpf_map_update_elem(&next_hop_index, key, &index, BPF_ANY);
		return index;
	}
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
__noinline int next_hop_find(hook_ctx *ctx, const struct next_hop_query *q,
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
	/* the MTU is looked at elsewhere; without a length TC compares that of the frame */
	s->fib.tot_len = sizeof(struct iphdr);
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
__noinline int next_hop_refresh(hook_ctx *ctx, struct natxdp_flow *f)
{
	struct next_hop_answer answer = {};
	struct next_hop_query q = {};

	if (!f)
		return -EINVAL;
	q.saddr = f->key.saddr;
	q.daddr = natxdp_new_daddr(f, TUNNEL_FLOWS);
	q.ifindex = hook_ifindex(ctx);
	next_hop_find(ctx, &q, &answer);
	if (answer.index > 0)
		f->next_hop = answer.index;
	return 0;
}

#endif
