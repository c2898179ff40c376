/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The table before: after an upgrade to a table of another size, flows are
 * brought from there, each with the first packet that asks for it, and all
 * others by natxdp_bring, which user space runs. Nobody writes to the table
 * before any more, so a flow that is brought lacks nothing.
 *
 * Where there is no such table its geometry has no groups. That is known when
 * the program is loaded, so nothing of this is left in it then.
 *
 *   bring_waits()     has the program before the packets still?
 *   bring_find()      the slot of a key in the table, its flow brought if need be
 *   before_has()      is the key taken by a flow that was not brought yet?
 *
 * A flow is inserted first and marked in the table before then: in between it
 * is in both, never in neither, which would end it as an unknown one.
 */
#ifndef NATXDP_BRING_BPF_H
#define NATXDP_BRING_BPF_H

#include <natxdp/bring.h>
#include <natxdp/state.h>

#include "clock.bpf.h"
#include "mapping.bpf.h"
#include "table.bpf.h"

SEC(".rodata.before") const volatile struct natxdp_geometry before = {};

/* The maps flow_table and flow_tags of before; without them, of one element. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct natxdp_bucket);
} before_table SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct natxdp_tags);
} before_tags SEC(".maps");

/*
 * Behind a dispatcher this program is called before the old one, which has
 * every packet until the new tables are active (gate_open() of gate.bpf.c).
 */
static __always_inline int bring_waits(void)
{
	struct natxdp_config *cfg = before.groups ? config_get() : NULL;

	return cfg && !cfg->active;
}

/* Who brings a flow has memory of its own for it: a packet may interrupt a process. */
enum bring_by { BRING_BY_PACKET, BRING_BY_PROCESS, BRING_BY };

struct bring_work {
	struct natxdp_flow out;
	struct natxdp_flow in;
	struct natxdp_key reverse;
	struct natxdp_home home;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BRING_BY);
	__type(key, __u32);
	__type(value, struct bring_work);
} bring_work SEC(".maps");

/* For a flow that another CPU brings at this moment: some ten microseconds. */
enum { BRING_TRIES = 128 };

static __always_inline struct natxdp_flow *before_at(__u32 slot)
{
	__u32 bucket = slot / NATXDP_WAYS;
	struct natxdp_bucket *b;

	b = bpf_map_lookup_elem(&before_table, &bucket);
	if (!b)
		return NULL;
	barrier_var(b);
	return &b->way[slot % NATXDP_WAYS];
}

/* As bucket_search(). */
__noinline __u32 before_bucket(__u32 bucket, __u64 match, const struct natxdp_key *key)
{
	struct natxdp_bucket *b = bpf_map_lookup_elem(&before_table, &bucket);
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

/* The slot of the live entry with this key in the table before. */
__noinline __u32 before_find(const struct natxdp_key *key)
{
	const struct natxdp_geometry *g = (const void *)&before;
	__u32 group, at, slot;
	struct natxdp_home home;
	struct natxdp_tags *tags;
	int choice, i;
	__u64 match;

	if (!key || !before.groups)
		return NATXDP_SLOT_NONE;
	barrier_var(g);
	natxdp_home(g, key, &home);
#pragma clang loop unroll(disable)
	for (choice = 0; choice < NATXDP_CHOICES; choice++) {
		group = home.group[choice];
		tags = bpf_map_lookup_elem(&before_tags, &group);
		if (!tags)
			return NATXDP_SLOT_NONE;
#pragma clang loop unroll(disable)
		for (i = 0; i < NATXDP_GROUP_BUCKETS; i++) {
			at = (home.slot / NATXDP_WAYS + i) % NATXDP_GROUP_BUCKETS;
			match = natxdp_tags_equal(tags->word[at], home.tag * NATXDP_TAG_ONES);
			if (!match)
				continue;
			slot = before_bucket(group * NATXDP_GROUP_BUCKETS + at, match, key);
			if (slot != NATXDP_SLOT_NONE)
				return slot;
		}
	}
	return NATXDP_SLOT_NONE;
}

static __always_inline int before_has(const struct natxdp_key *key)
{
	return before.groups && before_find(key) != NATXDP_SLOT_NONE;
}

static __always_inline int is_live(const struct natxdp_key *key)
{
	return key->proto != NATXDP_PROTO_FREE && key->proto != NATXDP_PROTO_DEAD;
}

/* When the sweeper is to look at a flow: at once if it has expired, which it then finds. */
static __always_inline __u32 bring_due(const struct bring_work *w, __u32 now)
{
	struct natxdp_config *cfg = config_get();
	__u32 timeout, seen = w->out.last_seen;

	if (!cfg || w->out.key.tenant == NATXDP_TENANT_MAPPING)
		return now + (cfg ? cfg->timeout[NATXDP_TIMEOUT_UDP] : 0);
	if ((__s32)(w->in.last_seen - seen) > 0)
		seen = w->in.last_seen;
	timeout = natxdp_state_timeout(
		natxdp_flow_state(w->out.key.proto, w->out.flags, w->in.flags, w->in.packets != 0));
	barrier_var(timeout);
	return timeout < NATXDP_TIMEOUTS ? seen + cfg->timeout[timeout] : now;
}

/* Copy both entries. Returns 0, or -ENOENT if they are no flow, or only half of one. */
static __always_inline int bring_read(struct bring_work *w, const struct natxdp_flow *f)
{
	struct natxdp_flow *peer;

	w->out = *f;
	if (!is_live(&w->out.key) || w->out.flags & NATXDP_FLOW_INBOUND)
		return -ENOENT;
	if (w->out.key.tenant == NATXDP_TENANT_MAPPING) /* it is not going, if it is still here */
		w->out.packets &= ~MAPPING_CLOSED;
	peer = before_at(w->out.peer);
	if (!peer)
		return -ENOENT;
	w->in = *peer;
	natxdp_reverse_key_of(&w->out, &w->reverse, TUNNEL_FLOWS);
	return w->in.key.word[0] == w->reverse.word[0] && w->in.key.word[1] == w->reverse.word[1] ?
		       0 :
		       -ENOENT;
}

/*
 * Bring the flow or mapping whose outbound entry stands at @from. Returns 0,
 * -ENOENT if there is none, -EEXIST if it is here or its external end is
 * taken, -ENOSPC.
 */
__noinline int bring_entry(__u32 from, __u32 by)
{
	struct natxdp_flow *f = before_at(from), *in, *peer;
	struct bring_work *w = bpf_map_lookup_elem(&bring_work, &by);
	__u32 now = ticks_now(), due;
	int in_slot, slot;

	if (!f || !w || bring_read(w, f))
		return -ENOENT;
	w->in.peer = NATXDP_SLOT_NONE; /* until there is one: the sweeper leaves it alone */
	in_slot = flow_claim_by(&w->in, &w->home);
	if (in_slot < 0)
		return in_slot;
	peer = before_at(w->out.peer);
	w->out.peer = in_slot;
	slot = flow_claim_by(&w->out, &w->home);
	in = flow_at(in_slot);
	if (!in || !peer)
		return -ENOENT;
	if (slot < 0) {
		flow_remove(in, in_slot, now);
		return slot;
	}
	in->peer = slot;
	due = bring_due(w, now);
	due_by(slot / NATXDP_WAYS, due);
	due_by(in_slot / NATXDP_WAYS, due);
	flow_mark(f, &w->out.key, NATXDP_PROTO_DEAD);
	flow_mark(peer, &w->in.key, NATXDP_PROTO_DEAD);
	return 0;
}

static __always_inline int bring_mapping(const struct natxdp_key *key, __u32 by)
{
	__u32 from = before_find(key);

	return from == NATXDP_SLOT_NONE ? 0 : bring_entry(from, by);
}

/* What the flow at @from holds: it comes first, so that the flow can let go of it here. */
__noinline int bring_held(__u32 from, __u32 by)
{
	struct natxdp_flow *f = before_at(from);
	struct natxdp_key key;
	int err;

	if (!f)
		return -ENOENT;
	mapping_key(&f->key, 0, &key);
	err = bring_mapping(&key, by);
	if (err == -ENOSPC)
		return err;
	if (f->flags & NATXDP_FLOW_HAIRPIN) {
		key.saddr = f->new_daddr;
		key.sport = f->new_dport;
		err = bring_mapping(&key, by);
		if (err == -ENOSPC)
			return err;
	}
	mapping_key(&f->key, f->key.daddr, &key);
	err = bring_mapping(&key, by);
	return err == -ENOSPC ? err : 0;
}

/* As bring_entry(), with what the flow holds. */
static __always_inline int bring_flow(__u32 from, __u32 by)
{
	struct natxdp_flow *f = before_at(from);
	int err = 0;

	if (f && is_live(&f->key) && f->flags & NATXDP_FLOW_MAPPED)
		err = bring_held(from, by);
	return err ? err : bring_entry(from, by);
}

/* The rest of bring_find(), where there is a table before. */
__noinline __u32 bring_by_packet(const struct natxdp_key *key)
{
	struct natxdp_flow *f;
	__u32 from, slot;
	int i;

	if (!key)
		return NATXDP_SLOT_NONE;
	from = before_find(key);
	f = from == NATXDP_SLOT_NONE ? NULL : before_at(from);
	if (f)
		bring_flow(f->flags & NATXDP_FLOW_INBOUND ? f->peer : from, BRING_BY_PACKET);
	/* it was not there, is here now, or another CPU is about to have it here */
	for (i = 0; i < BRING_TRIES; i++) {
		slot = flow_find(key);
		if (slot != NATXDP_SLOT_NONE || !f)
			return slot;
	}
	return NATXDP_SLOT_NONE;
}

/* The key that an ICMP error has asked for; deep in the stack, where nothing can be brought. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct natxdp_key);
} bring_wish SEC(".maps");

static __always_inline void bring_later(const struct natxdp_key *key)
{
	__u32 zero = 0;

	if (before.groups)
		bpf_map_update_elem(&bring_wish, &zero, key, BPF_ANY);
}

/* Bring what was wished for with this packet. Returns its slot or NATXDP_SLOT_NONE. */
__noinline __u32 bring_wished(void)
{
	struct natxdp_key *wish, key;
	__u32 zero = 0;

	wish = bpf_map_lookup_elem(&bring_wish, &zero);
	if (!wish || !wish->proto)
		return NATXDP_SLOT_NONE;
	key = *wish;
	wish->word[1] = 0;
	return bring_by_packet(&key);
}

/* Bring the mapping of which @key finds the outbound or the inbound entry. */
__noinline int bring_invitation(const struct natxdp_key *key)
{
	struct natxdp_flow *f;
	__u32 from;

	if (!key)
		return -EINVAL;
	from = before_find(key);
	f = from == NATXDP_SLOT_NONE ? NULL : before_at(from);
	if (!f)
		return -ENOENT;
	return bring_entry(f->flags & NATXDP_FLOW_INBOUND ? f->peer : from, BRING_BY_PACKET);
}

/*
 * What a packet without a flow may need to open one: the mapping of its inside
 * end and who may send to that, or those of the external end that it goes to.
 * Here, because there is no stack for it where they are looked for.
 */
__noinline int bring_for_open(const struct natxdp_key *packet)
{
	struct natxdp_key key;
	struct natxdp_flow *f;
	__u32 slot;

	if (!packet)
		return -EINVAL;
	mapping_key(packet, 0, &key);
	bring_invitation(&key);
	slot = flow_find(&key);
	key.daddr = packet->daddr;
	bring_invitation(&key);
	key = *packet; /* as open_invitation() */
	key.saddr = 0;
	key.sport = 0;
	key.side = packet->side ? NATXDP_SIDE_OUTSIDE : NATXDP_SIDE_SINGLE;
	key.tenant = NATXDP_TENANT_MAPPING;
	bring_invitation(&key);
	key.saddr = packet->saddr;
	bring_invitation(&key);
	f = slot == NATXDP_SLOT_NONE ? NULL : flow_at(slot);
	if (!f)
		return 0;
	key.saddr = f->new_saddr; /* another inside host knows it by that */
	return bring_invitation(&key);
}

static __always_inline __u32 bring_find(const struct natxdp_key *key)
{
	__u32 slot = flow_find(key);

	return slot == NATXDP_SLOT_NONE && before.groups ? bring_by_packet(key) : slot;
}

#endif
