/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The flow table: find, claim, remove.
 *
 * The life of a slot is FREE -> live -> DEAD -> FREE. Only flow_claim() takes
 * a FREE slot, under the lock of its stripe, which also makes keys unique.
 * A live entry turns DEAD, and FREE after its grace, by compare and swap. So a packet that has found an entry can use it without a
 * lock: the entry does not change its meaning while the packet is on its way.
 *
 * find and claim are global functions: the verifier looks at each of them
 * once, instead of once for every path that leads to them.
 */
#ifndef NATXDP_TABLE_BPF_H
#define NATXDP_TABLE_BPF_H

#include <linux/errno.h>

#include "maps.bpf.h"

#define READ_ONCE(x) (*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))

static __always_inline void flow_home(const struct natxdp_key *key, struct natxdp_home *home)
{
	const struct natxdp_geometry *g = (const void *)&geometry;

	barrier_var(g); /* or clang takes the values of before loading, zeros */
	natxdp_home(g, key, home);
}

static __always_inline struct natxdp_flow *flow_at(__u32 slot)
{
	__u32 bucket = slot / NATXDP_WAYS;
	struct natxdp_bucket *b;

	b = bpf_map_lookup_elem(&flow_table, &bucket);
	if (!b)
		return NULL;
	barrier_var(b); /* or clang adds the offset before the test, which the verifier forbids */
	return &b->way[slot % NATXDP_WAYS];
}

/* Returns the slot of the live entry with this key, or NATXDP_SLOT_NONE. */
__noinline __u32 flow_find(const struct natxdp_key *key)
{
	struct natxdp_home home;
	struct natxdp_bucket *b;
	__u64 low, high;
	int choice, i;

	if (!key)
		return NATXDP_SLOT_NONE;
	low = key->word[0];
	high = key->word[1];
	flow_home(key, &home);
	for (choice = 0; choice < NATXDP_CHOICES; choice++) {
		__u32 bucket = home.bucket[choice];

		b = bpf_map_lookup_elem(&flow_table, &bucket);
		if (!b)
			return NATXDP_SLOT_NONE;
			/* unrolled, it would keep the places of all ways on the stack, for a hit on the first */
#pragma clang loop unroll(disable)
		for (i = 0; i < NATXDP_WAYS; i++) {
			__u32 way = (home.way + i) % NATXDP_WAYS;

			if (b->way[way].key.word[0] == low && b->way[way].key.word[1] == high)
				return bucket * NATXDP_WAYS + way;
		}
	}
	return NATXDP_SLOT_NONE;
}

/* Have the sweeper look at a bucket at a tick, or earlier. */
static __always_inline void due_by(__u32 bucket, __u32 tick)
{
	__u32 group = bucket / NATXDP_DUE_GROUP;
	struct natxdp_due *due;
	__u32 *at, old;
	int i;

	due = bpf_map_lookup_elem(&flow_due, &group);
	if (!due)
		return;
	at = &due->tick[bucket % NATXDP_DUE_GROUP];
	tick = tick ? tick : 1;	  /* 0 means never */
	for (i = 0; i < 4; i++) { /* against others who change the same bucket */
		old = READ_ONCE(*at);
		if (old && (__s32)(old - tick) <= 0)
			return;
		if (__sync_val_compare_and_swap(at, old, tick) == old)
			return;
	}
}

/* Masks of the ways of a bucket, one bit each, gathered without a branch. */
struct bucket_masks {
	__u32 same; /* holds the key */
	__u32 free;
};

/*
 * Sixteen comparisons under the lock would be 2^16 paths for the verifier.
 * The empty asm keeps clang from turning the arithmetic back into branches,
 * and from doing all ways at once, which needs 200 bytes of stack.
 */
static __always_inline void bucket_scan(const struct natxdp_bucket *b, const struct natxdp_key *key,
					struct bucket_masks *masks)
{
	__u64 same = 0, free = 0, differs, used;
	int way;

#pragma unroll
	for (way = 0; way < NATXDP_WAYS; way++) {
		differs = (b->way[way].key.word[0] ^ key->word[0]) |
			  (b->way[way].key.word[1] ^ key->word[1]);
		barrier_var(differs);
		same |= (~(differs | -differs) >> 63) << way;
		barrier_var(same);
		used = b->way[way].key.proto;
		barrier_var(used);
		free |= ((used - 1) >> 63) << way;
		barrier_var(free);
	}
	masks->same = same;
	masks->free = free;
}

static __always_inline __u32 count_bits8(__u32 x)
{
	x = x - ((x >> 1) & 0x55);
	x = (x & 0x33) + ((x >> 2) & 0x33);
	return (x + (x >> 4)) & 0xf;
}

/* The first way in @mask (not 0), counted from @start. */
static __always_inline __u32 first_way(__u32 mask, __u32 start)
{
	__u32 turned = ((mask | mask << 8) >> start) & 0xff;
	__u32 below = (turned & -turned) - 1; /* ones below the lowest one */

	return (start + count_bits8(below)) % NATXDP_WAYS;
}

/*
 * Insert an entry. Returns its slot, -EEXIST if its key is taken, -ENOSPC if
 * both buckets are full.
 */
__noinline int flow_claim(const struct natxdp_flow *flow)
{
	struct bucket_masks first, second;
	struct natxdp_bucket *b0, *b1, *b;
	struct natxdp_home home;
	struct flow_lock *lock;
	struct natxdp_flow *f;
	__u32 bucket, mask, way;

	if (!flow)
		return -EINVAL;
	flow_home(&flow->key, &home);
	b0 = bpf_map_lookup_elem(&flow_table, &home.bucket[0]);
	b1 = bpf_map_lookup_elem(&flow_table, &home.bucket[1]);
	lock = bpf_map_lookup_elem(&flow_locks, &home.stripe);
	if (!b0 || !b1 || !lock)
		return -EINVAL;

	bpf_spin_lock(&lock->lock);
	bucket_scan(b0, &flow->key, &first);
	bucket_scan(b1, &flow->key, &second);
	if (first.same | second.same) {
		bpf_spin_unlock(&lock->lock);
		return -EEXIST;
	}
	if (count_bits8(first.free) > NATXDP_WAYS - NATXDP_FIRST_BUCKET ||
	    count_bits8(first.free) >= count_bits8(second.free)) {
		b = b0;
		mask = first.free;
		bucket = home.bucket[0];
	} else {
		b = b1;
		mask = second.free;
		bucket = home.bucket[1];
	}
	if (!mask) {
		bpf_spin_unlock(&lock->lock);
		return -ENOSPC;
	}
	way = first_way(mask, home.way);
	f = &b->way[way % NATXDP_WAYS];
	f->key.word[0] = flow->key.word[0];
	__builtin_memcpy((void *)f + sizeof(f->key), (const void *)flow + sizeof(f->key),
			 sizeof(*f) - sizeof(f->key));
	/* the second word of the key makes the entry findable: last, and as a full barrier */
	__sync_lock_test_and_set(&f->key.word[1], flow->key.word[1]);
	bpf_spin_unlock(&lock->lock);
	return bucket * NATXDP_WAYS + way;
}

/*
 * Change the protocol byte of an entry, if its key is still the one that was
 * looked at. Several CPUs may sweep the same bucket: one of them gets it.
 */
static __always_inline int flow_mark(struct natxdp_flow *f, const struct natxdp_key *seen,
				     __u8 mark)
{
	struct natxdp_key marked = *seen;

	marked.proto = mark;
	return __sync_val_compare_and_swap(&f->key.word[1], seen->word[1], marked.word[1]) ==
	       seen->word[1];
}

/*
 * Nobody finds the entry from here on; the sweeper frees it after its grace.
 * Returns 0 if somebody else has removed it already.
 */
static __always_inline int flow_remove(struct natxdp_flow *f, __u32 slot, __u32 now)
{
	struct natxdp_key key = f->key;

	if (key.proto == NATXDP_PROTO_FREE || key.proto == NATXDP_PROTO_DEAD)
		return 0;
	WRITE_ONCE(f->last_seen, now);
	if (!flow_mark(f, &key, NATXDP_PROTO_DEAD))
		return 0;
	due_by(slot / NATXDP_WAYS, now + NATXDP_GRACE_TICKS);
	return 1;
}

/* The other direction of a flow, or NULL if that slot holds something else. */
static __always_inline struct natxdp_flow *flow_peer(const struct natxdp_flow *f)
{
	struct natxdp_flow *peer = flow_at(f->peer);
	struct natxdp_key reverse;

	natxdp_reverse_key(f, &reverse);
	if (!peer || peer->key.word[0] != reverse.word[0] || peer->key.word[1] != reverse.word[1])
		return NULL;
	return peer;
}

#endif
