/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * IP fragments. Only the first one carries ports; it leaves them here for the
 * others (RFC 4787, REQ-14). The table is small and forgets the oldest, so a
 * flood of first fragments costs other fragmented datagrams, nothing else.
 */
#ifndef NATXDP_FRAG_BPF_H
#define NATXDP_FRAG_BPF_H

#include <natxdp/event.h>

#include "bring.bpf.h"
#include "clock.bpf.h"
#include "open.bpf.h"
#include "parse.bpf.h"
#include "table.bpf.h"

enum frag_limits {
	FRAG_DATAGRAMS = 8192,
	/* what a CPU hands over in a tick: 60 times a second (RFC 4787, REQ-14a) */
	FRAG_HELD_PER_SENDER = 32,
	FRAG_HELD_PER_SIDE = 64,
	FRAG_SIDES = 4,
	FRAG_SENDERS = 256,
	FRAG_TICKS = 179, /* 3 s: a datagram is not longer on its way in pieces */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FRAG_DATAGRAMS);
	__type(key, struct frag_key);
	__type(value, struct natxdp_frag);
} frags SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} held_frags SEC(".maps");

/*
 * How many fragments this CPU has handed to user space in this tick: first of
 * each side, then of each sender, by the hash of its address.
 */
struct frag_budget {
	__u32 tick;
	__u32 held;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FRAG_SIDES + FRAG_SENDERS);
	__type(key, __u32);
	__type(value, struct frag_budget);
} frag_budget SEC(".maps");

/* What a fragment says of itself. Returns its length in bytes, or -EINVAL. */
static __always_inline int frag_read(hook_ctx *ctx, const struct natxdp_key *key,
				     struct frag_key *fk, __u32 *offset)
{
	struct iphdr *ip = hook_data(ctx) + sizeof(struct ethhdr);

	if ((void *)(ip + 1) > hook_end(ctx))
		return -EINVAL;
	fk->of.saddr = key->saddr;
	fk->of.daddr = key->daddr;
	fk->of.id = ip->id;
	fk->of.proto = key->proto;
	fk->of.side = key->side;
	frag_set_tenant(fk, key->tenant);
	*offset = (bpf_ntohs(ip->frag_off) & IP_OFFSET_MASK) * 8;
	return bpf_ntohs(ip->tot_len) - ip->ihl * 4;
}

/*
 * The first fragment of a datagram has found its flow, or its way to the host.
 * These are global functions for the sake of the caller's stack.
 */
__noinline int frag_remember(hook_ctx *ctx, const struct natxdp_key *key, __u32 host)
{
	struct natxdp_frag frag = { .tick = ticks_now(), .host = host };
	struct frag_key fk = {};
	__u32 offset;
	int len;

	if (!key)
		return -EINVAL;
	len = frag_read(ctx, key, &fk, &offset);
	if (len < 0)
		return len;
	frag.sport = key->sport;
	frag.dport = key->dport;
	frag.end = len;
	return bpf_map_update_elem(&frags, &fk, &frag, BPF_ANY);
}

/*
 * Fragments must not overlap: the second could put other ports, or other data,
 * over what was looked at (RFC 1858, RFC 3128). The whole datagram is refused.
 */
static __always_inline int frag_overlaps(struct natxdp_frag *frag, __u32 from, __u32 len)
{
	if (from < frag->end)
		frag->refused = 1;
	else if (from == frag->end)
		frag->end = from + len;
	return frag->refused;
}

/*
 * A fragment that is not the first: complete @key with the ports of the first.
 * Returns the slot of its flow, NATXDP_SLOT_NONE if the first one is not known,
 * or a reason as not_opened().
 */
__noinline int frag_find(hook_ctx *ctx, struct natxdp_key *key)
{
	struct frag_key fk = {};
	struct natxdp_frag *frag;
	__u32 slot, offset;
	int len;

	if (!key)
		return not_opened(NATXDP_DROP_INTERNAL);
	len = frag_read(ctx, key, &fk, &offset);
	if (len < 0)
		return not_opened(NATXDP_DROP_MALFORMED);
	frag = bpf_map_lookup_elem(&frags, &fk);
	if (!frag || (__s32)(ticks_now() - frag->tick) > FRAG_TICKS)
		return NATXDP_SLOT_NONE;
	if (frag_overlaps(frag, offset, len))
		return not_opened(NATXDP_DROP_OVERLAP);
	if (frag->host)
		return not_opened(NATXDP_PASS_HOST);
	key->sport = frag->sport;
	key->dport = frag->dport;
	slot = bring_find(key);
	return slot == NATXDP_SLOT_NONE ? not_opened(NATXDP_DROP_FRAGMENT) : (int)slot;
}

static __always_inline int frag_afford(__u32 index, __u32 now, __u32 most)
{
	struct frag_budget *budget = bpf_map_lookup_elem(&frag_budget, &index);

	if (!budget)
		return -ENOENT;
	if (budget->tick != now) {
		budget->tick = now;
		budget->held = 0;
	}
	if (budget->held >= most)
		return -EBUSY;
	budget->held++;
	return 0;
}

/*
 * A sender that floods uses up its own share, and little of its side's. Who
 * shares with it is drawn again in every tick.
 */
static __always_inline int frag_may_hold(const struct frag_key *fk)
{
	__u32 now = ticks_now(), sender;
	int err;

	sender = (fk->of.saddr * geometry.hash_key[1]) >> 32;
	sender = ((sender ^ now) * geometry.hash_key[2]) >> 32;
	sender %= FRAG_SENDERS;
	err = frag_afford(FRAG_SIDES + sender, now, FRAG_HELD_PER_SENDER);
	return err ? err : frag_afford(fk->of.side % FRAG_SIDES, now, FRAG_HELD_PER_SIDE);
}

/*
 * A fragment came before the first one: hand it to user space, which sends it
 * again when the first one has come (RFC 4787, REQ-14). Returns 0, or an error
 * if nobody takes it.
 */
__noinline int frag_hold(hook_ctx *ctx, const struct natxdp_key *key)
{
	__u32 offset, len = hook_len(ctx);
	struct frag_key fk = {};
	struct natxdp_held held = {};

	if (!key || frag_read(ctx, key, &fk, &offset) < 0)
		return -EINVAL;
	if (frag_may_hold(&fk))
		return -EBUSY;
	held.ifindex = hook_ifindex(ctx);
	held.len = len;
	held.saddr = fk.of.saddr;
	held.daddr = fk.of.daddr;
	held.id = fk.of.id;
	held.proto = fk.of.proto;
	held.side = fk.of.side;
	return bpf_perf_event_output(ctx, &held_frags, (__u64)len << 32 | BPF_F_CURRENT_CPU, &held,
				     sizeof(held));
}

#endif
