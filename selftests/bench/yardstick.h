/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The NAT with the kernel's hash map where it has its flow table: the usual
 * design, to measure against and for nothing else. Everything but the table is
 * the shipped code. YARDSTICK_TYPE is the type of the map.
 *
 * The key leads to the entry, so a hit is one lookup and the entry's address is
 * used as it is. Only the way of a new flow speaks of slots: a slot is the
 * number of a key that this CPU has used just now.
 *
 * There is no sweep, which is another measurement: nothing may expire.
 */
#ifndef BENCH_YARDSTICK_H
#define BENCH_YARDSTICK_H

#define NATXDP_TABLE_BPF_H /* these two are what this file replaces */
#define NATXDP_SWEEP_BPF_H
/* and no table but ours takes over flows */
#define NATXDP_INSERT_BPF_H
#define NATXDP_BRING_BPF_H
#define NATXDP_BRING_ALL_BPF_H

#include <linux/errno.h>

#include "maps.bpf.h"

#define READ_ONCE(x) (*(const volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x) *)&(x) = (v))

enum { RECENT_KEYS = 8 };

struct {
	__uint(type, YARDSTICK_TYPE);
	__uint(max_entries, 1);
	__type(key, struct natxdp_key);
	__type(value, struct natxdp_flow);
} yardstick_flows SEC(".maps");

struct recent_keys {
	struct natxdp_key key[RECENT_KEYS];
	__u32 next;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct recent_keys);
} recent_keys SEC(".maps");

static __always_inline __u32 recent_put(const struct natxdp_key *key)
{
	struct recent_keys *recent;
	__u32 zero = 0, slot;

	recent = bpf_map_lookup_elem(&recent_keys, &zero);
	if (!recent)
		return NATXDP_SLOT_NONE;
	slot = recent->next++ % RECENT_KEYS;
	barrier_var(slot); /* or clang drops the bound, which the array implies */
	recent->key[slot] = *key;
	return slot;
}

static __always_inline struct natxdp_flow *flow_at(__u32 slot)
{
	struct recent_keys *recent;
	__u32 zero = 0;

	recent = bpf_map_lookup_elem(&recent_keys, &zero);
	if (!recent)
		return NULL;
	slot %= RECENT_KEYS;
	barrier_var(slot); /* or clang drops the bound, which the array implies */
	return bpf_map_lookup_elem(&yardstick_flows, &recent->key[slot]);
}

__noinline __u32 flow_find(const struct natxdp_key *key)
{
	struct natxdp_key copy;

	if (!key)
		return NATXDP_SLOT_NONE;
	copy = *key;
	return bpf_map_lookup_elem(&yardstick_flows, &copy) ? recent_put(&copy) : NATXDP_SLOT_NONE;
}

static __always_inline __u32 flow_find_fast(const struct natxdp_key *key)
{
	return flow_find(key);
}

__noinline int flow_claim(const struct natxdp_flow *flow)
{
	struct natxdp_key key;
	long err;

	if (!flow)
		return -EINVAL;
	key = flow->key;
	err = bpf_map_update_elem(&yardstick_flows, &key, flow, BPF_NOEXIST);
	if (err)
		return err == -EEXIST ? -EEXIST : -ENOSPC;
	return recent_put(&key);
}

static __always_inline void due_by(__u32 bucket, __u32 tick)
{
}

static __always_inline int flow_remove(struct natxdp_flow *f, __u32 slot, __u32 now)
{
	struct natxdp_key key = f->key;

	WRITE_ONCE(f->last_seen, now);
	return !bpf_map_delete_elem(&yardstick_flows, &key);
}

static __always_inline struct natxdp_flow *flow_peer(const struct natxdp_flow *f)
{
	struct natxdp_key reverse;

	natxdp_reverse_key(f, &reverse);
	return bpf_map_lookup_elem(&yardstick_flows, &reverse);
}

#define CLOCK_MONOTONIC 1

const volatile struct natxdp_geometry before; /* there is none */
#define bring_find flow_find
#define bring_by_packet flow_find
#define before_has(key) 0
#define bring_later(key)
#define bring_for_open(key)
#define bring_wished() NATXDP_SLOT_NONE
#define bring_waits() 0

static __always_inline int sweep_home(const struct natxdp_key *key, __u32 now)
{
	return 0;
}

static int sweep_tick(void *map, int *key, struct sweep *state)
{
	return 0;
}

#include "natxdp.bpf.c"

SEC("xdp.frags")
int yardstick(struct xdp_md *ctx)
{
	struct natxdp_key key = { .side = NATXDP_SIDE_SINGLE };
	struct packet pkt = {};
	struct natxdp_flow *f;
	int reason, slot;

	reason = parse(ctx, &pkt, &key);
	if (reason != PARSE_OK)
		return finish(reason, &pkt);
	if (pkt.kind > PACKET_BARE)
		return finish(NATXDP_DROP_INTERNAL, &pkt);
	f = bpf_map_lookup_elem(&yardstick_flows, &key);
	if (f)
		return forward_by(ctx, &pkt, f, 0, config_get());
	slot = miss(ctx, &pkt, &key);
	if (slot < 0)
		return refuse(ctx, &pkt, not_opened(slot));
	return forward(ctx, &pkt, slot);
}

#endif
