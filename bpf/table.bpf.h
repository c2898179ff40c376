/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The flow table: find, claim, remove.
 *
 *   flow_find()    the slot of a key; flow_find_fast() for packets, which most often have one
 *   flow_claim()   insert an entry; makes its key unique; flow_claim_by() has its memory given
 *   flow_remove()  make an entry unfindable; flow_free() when its grace is over
 *   flow_at()      the entry of a slot; flow_peer() the one of the other direction
 *   flow_mark()    change the mark of an entry, by compare and swap
 *   due_by()       have the sweeper look at a slot's bucket
 *
 * The life of a slot is FREE -> live -> DEAD -> FREE. Only flow_claim() takes
 * a FREE slot: it sets its tag, fills in the entry, and publishes its key last,
 * under the lock of the key. A live entry turns DEAD, and FREE after its grace,
 * by compare and swap. So a packet that has found an entry can use it without a
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
/*
 * An atomic operation whose result nobody takes is not ordered with anything
 * on arm64 (STADD, STCLR); with it, it is both acquire and release (LDADDAL).
 */
#define atomic_fetched(result) barrier_var(result)
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))

/* Of flow_claim(), against other CPUs that insert keys of the same stripe. */
enum { CLAIM_TRIES = 8 };

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

/*
 * Is one of the entries of @bucket that @match names the one with this key? Then its slot.
 * Global, so that the verifier walks through it once and not once a bucket of a search:
 * 60,000 instead of 400,000 instructions a program, which is most of the time of a load.
 */
__noinline __u32 bucket_search(__u32 bucket, __u64 match, const struct natxdp_key *key)
{
	struct natxdp_bucket *b = bpf_map_lookup_elem(&flow_table, &bucket);
	__u32 way;
	int i;

	if (!b || !key)
		return NATXDP_SLOT_NONE;
#pragma clang loop unroll(disable)
	for (i = 0; i < NATXDP_WAYS && match; i++) {
		way = natxdp_tags_first(match);
		if (b->way[way].key.word[0] == key->word[0] &&
		    b->way[way].key.word[1] == key->word[1])
			return bucket * NATXDP_WAYS + way;
		match &= match - 1;
	}
	return NATXDP_SLOT_NONE;
}

/* Let the CPU fetch a cache line while the program goes on: nothing waits for the value. */
static __always_inline void fetch_line(const void *line)
{
	(void)*(const volatile __u32 *)line;
}

/* The tags of both groups of a key. */
static __always_inline void fetch_tags(const struct natxdp_home *home)
{
	__u32 group, part = home->slot / NATXDP_WAYS % NATXDP_GROUP_BUCKETS;
	struct natxdp_tags *tags;
	int choice;

	for (choice = 0; choice < NATXDP_CHOICES; choice++) {
		group = home->group[choice];
		tags = bpf_map_lookup_elem(&flow_tags, &group);
		if (tags)
			fetch_line(&tags->word[part]);
	}
}

/*
 * May a group have a tag? Whoever searches mostly finds nothing (a new flow looks four
 * times), and this is a third of the instructions that a walk through the group takes.
 */
static __always_inline int tags_have(const struct natxdp_tags *tags, __u64 tag)
{
	__u64 any = 0;
	int i;

#pragma unroll
	for (i = 0; i < NATXDP_GROUP_BUCKETS; i++) {
		any |= natxdp_tags_equal(READ_ONCE(tags->word[i]), tag);
		barrier_var(any); /* one after the other, or clang keeps all words on the stack */
	}
	return any != 0;
}

/* The slot of the live entry with this key, or NATXDP_SLOT_NONE. */
static __always_inline __u32 flow_search(const struct natxdp_key *key,
					 const struct natxdp_home *home)
{
	__u64 match, tag = home->tag * NATXDP_TAG_ONES;
	struct natxdp_tags *tags;
	__u32 group, at, slot;
	int choice, i;

#pragma clang loop unroll(disable)
	for (choice = 0; choice < NATXDP_CHOICES; choice++) {
		group = home->group[choice];
		tags = bpf_map_lookup_elem(&flow_tags, &group);
		if (!tags)
			return NATXDP_SLOT_NONE;
		if (!tags_have(tags, tag))
			continue;
#pragma clang loop unroll(disable)
		for (i = 0; i < NATXDP_GROUP_BUCKETS; i++) {
			at = (home->slot / NATXDP_WAYS + i) % NATXDP_GROUP_BUCKETS;
			match = natxdp_tags_equal(tags->word[at], tag);
			if (!match)
				continue;
			slot = bucket_search(group * NATXDP_GROUP_BUCKETS + at, match, key);
			if (slot != NATXDP_SLOT_NONE)
				return slot;
		}
	}
	return NATXDP_SLOT_NONE;
}

/* Returns the slot of the live entry with this key, or NATXDP_SLOT_NONE. */
__noinline __u32 flow_find(const struct natxdp_key *key)
{
	struct natxdp_home home;

	if (!key)
		return NATXDP_SLOT_NONE;
	flow_home(key, &home);
	fetch_tags(&home);
	return flow_search(key, &home);
}

/*
 * The same for packets, inlined for the most likely case: the entry stands where it is
 * looked for first. The tag is asked only so that a wrong guess is known before the
 * entry comes from memory; a right guess of the CPU loads both at once.
 */
static __always_inline __u32 flow_find_fast(const struct natxdp_key *key)
{
	struct natxdp_bucket *b;
	struct natxdp_home home;
	struct natxdp_tags *tags;
	__u32 bucket, way;

	flow_home(key, &home);
	tags = bpf_map_lookup_elem(&flow_tags, &home.group[0]);
	bucket = home.group[0] * NATXDP_GROUP_BUCKETS + home.slot / NATXDP_WAYS;
	way = home.slot % NATXDP_WAYS;
	b = bpf_map_lookup_elem(&flow_table, &bucket);
	if (!tags || !b)
		return NATXDP_SLOT_NONE;
	if (((const __u8 *)tags)[home.slot % NATXDP_GROUP_SLOTS] == home.tag &&
	    b->way[way].key.word[0] == key->word[0] && b->way[way].key.word[1] == key->word[1])
		return bucket * NATXDP_WAYS + way;
	return flow_find(key);
}

/* Have the sweeper look at a bucket at a tick, or earlier. */
static __always_inline void due_by(__u32 bucket, __u32 tick)
{
	__u32 group = bucket / NATXDP_GROUP_BUCKETS;
	struct natxdp_due *due;
	__u32 *at, old;
	int i;

	due = bpf_map_lookup_elem(&flow_due, &group);
	if (!due)
		return;
	at = &due->tick[bucket % NATXDP_GROUP_BUCKETS];
	tick = tick ? tick : 1;	  /* 0 means never */
	for (i = 0; i < 4; i++) { /* against others who change the same bucket */
		old = READ_ONCE(*at);
		if (old && (__s32)(old - tick) <= 0)
			return;
		if (__sync_val_compare_and_swap(at, old, tick) == old)
			return;
	}
}

/* Nobody uses the slot any more. */
static __always_inline void slot_release(__u32 slot)
{
	__u32 group = slot / NATXDP_GROUP_SLOTS;
	struct natxdp_tags *tags = bpf_map_lookup_elem(&flow_tags, &group);
	__u64 tag = 0xffull << slot % NATXDP_WAYS * 8, *word, before;

	if (!tags)
		return;
	word = &tags->word[slot / NATXDP_WAYS % NATXDP_GROUP_BUCKETS];
	before = __sync_fetch_and_and(word, ~tag);
	atomic_fetched(before);
}

/*
 * Take a free slot for a key, as near as possible to where it is looked for
 * first. Returns NATXDP_SLOT_NONE if both groups are full.
 */
static __always_inline __u32 slot_take(const struct natxdp_home *home)
{
	__u32 group = home->group[0], other = home->group[1], used, at, way;
	struct natxdp_tags *tags, *others;
	__u64 word, free;
	int i;

	tags = bpf_map_lookup_elem(&flow_tags, &group);
	others = bpf_map_lookup_elem(&flow_tags, &other);
	if (!tags || !others)
		return NATXDP_SLOT_NONE;
	used = natxdp_tags_used(tags);
	if (used >= NATXDP_FIRST_CHOICE && natxdp_tags_used(others) < used) {
		tags = others;
		group = other;
	}
#pragma clang loop unroll(disable)
	for (i = 0; i < NATXDP_GROUP_BUCKETS; i++) {
		at = (home->slot / NATXDP_WAYS + i) % NATXDP_GROUP_BUCKETS;
		word = READ_ONCE(tags->word[at]);
		free = natxdp_tags_free(word);
		if (!free)
			continue;
		way = home->slot % NATXDP_WAYS;
		way = (natxdp_tags_first(natxdp_tags_turn(free, way)) + way) % NATXDP_WAYS;
		if (__sync_val_compare_and_swap(&tags->word[at], word,
						word | (__u64)home->tag << way * 8) == word)
			return (group * NATXDP_GROUP_BUCKETS + at) * NATXDP_WAYS + way;
	}
	return NATXDP_SLOT_NONE;
}

/*
 * Insert an entry. Returns its slot, -EEXIST if its key is taken, -ENOSPC if
 * both groups are full. @home is memory for it.
 *
 * No search under the lock: its holder only makes sure that since the search
 * began nobody has inserted a key of the same stripe.
 */
__noinline int flow_claim_by(const struct natxdp_flow *flow, struct natxdp_home *home)
{
	__u32 slot = NATXDP_SLOT_NONE, inserts, nothing = 0, key;
	struct flow_lock *lock;
	struct natxdp_flow *f;
	int tries, err = -ENOSPC;

	if (!flow || !home)
		return -EINVAL;
	flow_home(&flow->key, home);
	key = home->stripe;
	lock = bpf_map_lookup_elem(&flow_locks, &key);
	if (!lock)
		return -EINVAL;
	fetch_tags(home);
	for (tries = 0; tries < CLAIM_TRIES; tries++) {
		/* nothing of the search is read before; clang makes a plain load of adding 0 */
		barrier_var(nothing);
		inserts = __sync_fetch_and_add(&lock->inserts, nothing);
		if (flow_search(&flow->key, home) != NATXDP_SLOT_NONE) {
			err = -EEXIST;
			break;
		}
		if (slot == NATXDP_SLOT_NONE)
			slot = slot_take(home);
		f = slot == NATXDP_SLOT_NONE ? NULL : flow_at(slot);
		if (!f)
			break;
		f->key.word[0] = flow->key.word[0];
		__builtin_memcpy((void *)f + sizeof(f->key), (const void *)flow + sizeof(f->key),
				 sizeof(*f) - sizeof(f->key));
		bpf_spin_lock(&lock->lock);
		if (lock->inserts == inserts) {
			/*
			 * What makes the entry findable, after all else of it, and only then the
			 * count: who reads the new count must find the entry.
			 */
			__sync_lock_test_and_set(&f->key.word[1], flow->key.word[1]);
			inserts = __sync_fetch_and_add(&lock->inserts, 1);
			atomic_fetched(inserts);
			bpf_spin_unlock(&lock->lock);
			return slot;
		}
		bpf_spin_unlock(&lock->lock);
	}
	if (slot != NATXDP_SLOT_NONE)
		slot_release(slot);
	return err;
}

/* Not on the stack, which is short where flow_claim() is called: by packets, alone on their CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct natxdp_home);
} claim_home SEC(".maps");

static __always_inline int flow_claim(const struct natxdp_flow *flow)
{
	__u32 zero = 0;

	return flow_claim_by(flow, bpf_map_lookup_elem(&claim_home, &zero));
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

/* The grace of a DEAD entry is over: its slot may be used again. */
static __always_inline void flow_free(struct natxdp_flow *f, const struct natxdp_key *seen,
				      __u32 slot)
{
	if (flow_mark(f, seen, NATXDP_PROTO_FREE))
		slot_release(slot);
}

/* The other direction of a flow, or NULL if that slot holds something else. */
static __always_inline struct natxdp_flow *flow_peer(const struct natxdp_flow *f)
{
	struct natxdp_flow *peer = flow_at(f->peer);
	struct natxdp_key reverse;

	natxdp_reverse_key_of(f, &reverse, TUNNEL_FLOWS);
	if (!peer || peer->key.word[0] != reverse.word[0] || peer->key.word[1] != reverse.word[1])
		return NULL;
	return peer;
}

#endif
