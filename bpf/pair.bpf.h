/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The two entries of a flow in the making. The inbound key is claimed first:
 * it is what makes the external port ours. Half an insert is undone.
 */
#ifndef NATXDP_PAIR_BPF_H
#define NATXDP_PAIR_BPF_H

#include "ports.bpf.h"

/* The stack of a program and all that it calls is 512 bytes; a packet has its CPU for itself. */
struct pair {
	struct natxdp_flow out;
	struct port_search search; /* with the inbound entry */
	__u32 due;		   /* tick at which the flow is idle if nothing more comes */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pair);
} open_pair SEC(".maps");

static __always_inline struct pair *pair_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&open_pair, &zero);
}

/* What the answers to the translated packets of @key carry, but for the external end. */
__noinline int pair_init(struct pair *p, const struct natxdp_key *key, __u32 now)
{
	struct natxdp_flow *out, *in;

	if (!p || !key)
		return -EINVAL;
	__builtin_memset(p, 0, sizeof(*p));
	out = &p->out;
	in = &p->search.in;
	out->key = *key;
	out->first_seen = now;
	out->last_seen = now;
	in->key.saddr = key->daddr;
	in->key.sport = key->dport;
	in->key.proto = key->proto;
	in->key.side = key->side ? NATXDP_SIDE_OUTSIDE : NATXDP_SIDE_SINGLE;
	in->key.tenant = TUNNEL_FLOWS ? NATXDP_TENANT_OUTSIDE : key->tenant;
	in->new_saddr = key->daddr;
	in->new_sport = key->dport;
	in->new_daddr = key->saddr;
	in->new_dport = key->sport;
	in->first_seen = now;
	in->last_seen = now;
	in->flags = NATXDP_FLOW_INBOUND;
	tunnel_label(in);
	p->search.bare = key->proto != IPPROTO_TCP && key->proto != IPPROTO_UDP &&
			 key->proto != IPPROTO_ICMP;
	return 0;
}

/* The external end is known: complete both entries. */
static __always_inline void pair_set_external(struct pair *p, __be32 addr, __be16 port, __u8 pool)
{
	p->search.in.key.daddr = addr;
	p->search.in.key.dport = port;
	p->search.in.pool = pool;
	p->out.pool = pool;
	p->out.new_saddr = addr;
	p->out.new_sport = port;
	p->out.new_daddr = p->search.in.key.saddr;
	p->out.new_dport = p->search.in.key.sport;
	tunnel_label(&p->out);
}

/*
 * The inbound entry stands at @in_slot; insert the outbound one. Returns its
 * slot, or -EEXIST if another CPU was faster, -ENOSPC, -EINVAL; then the
 * inbound entry is gone again.
 */
static __always_inline int pair_finish(struct pair *p, __u32 in_slot)
{
	struct natxdp_flow *in;
	int slot;

	p->out.peer = in_slot;
	rewrite_prepare(&p->out);
	slot = flow_claim(&p->out);
	in = flow_at(in_slot);
	if (!in)
		return -EINVAL;
	if (slot < 0) {
		flow_remove(in, in_slot, p->out.first_seen);
		port_released(&p->out, p->out.key.proto, p->search.in.key.tenant);
		return slot;
	}
	in->peer = slot;
	due_by(slot / NATXDP_WAYS, p->due);
	due_by(in_slot / NATXDP_WAYS, p->due);
	return slot;
}

/* Insert both entries, all complete. Returns the outbound slot, or as pair_finish(). */
__noinline int pair_claim(struct pair *p)
{
	int in_slot;

	if (!p)
		return -EINVAL;
	rewrite_prepare(&p->search.in);
	in_slot = flow_claim(&p->search.in);
	return in_slot < 0 ? in_slot : pair_finish(p, in_slot);
}

/* Not a group: all inside hosts use all addresses. */
#define POOL_ANY 0xffffffffu

/* Is the address for these inside hosts? */
static __always_inline int pool_is_of(__u32 index, __u32 group)
{
	struct natxdp_pool *pool = bpf_map_lookup_elem(&ext_pool, &index);

	return pool && pool->addr && pool->group == group;
}

static __always_inline __u32 pool_group(const struct natxdp_config *cfg, __be32 inside)
{
	struct natxdp_prefix key = { .bits = 32, .addr = inside };
	__u32 *group;

	if (!(cfg->features & NATXDP_POOL_GROUPS))
		return POOL_ANY;
	group = bpf_map_lookup_elem(&inside_nets, &key);
	return group ? *group : 0;
}

/* Of an inside host; @salt is 0 where it is to keep its address. */
static __always_inline __u32 pool_hash(__be32 inside, __u32 salt)
{
	struct natxdp_key seed = { .saddr = inside, .daddr = salt };

	return port_hash(&seed) >> 32;
}

struct pool_choice {
	__u32 group, members, nth, at;
};

/* One step over the addresses (bpf_loop): which is the nth of the group? */
static long pool_step(__u32 i, struct pool_choice *choice)
{
	if (!pool_is_of(i, choice->group))
		return 0;
	choice->at = i;
	return choice->members++ == choice->nth;
}

static __always_inline __u32 pool_members(struct pool_choice *choice, __u32 count)
{
	choice->members = 0;
	choice->nth = POOL_ANY;
	bpf_loop(count, pool_step, choice, 0);
	return choice->members;
}

/*
 * The address that a host tries as its @n-th: those of its group, from one that its hash names,
 * then, for a host of another zone, those of this one. Which of a group are here does not
 * count: so an address that becomes active for others changes nothing for a host. Returns an
 * index, or -1 if there are no more.
 */
__noinline int pool_candidate(__be32 inside, __u32 salt, __u32 n)
{
	struct natxdp_config *cfg = config_get();
	struct pool_choice choice = {};
	__u32 count, members, group, hash;

	if (!cfg)
		return -1;
	count = cfg->pool_count;
	hash = pool_hash(inside, salt);
	group = pool_group(cfg, inside);
	choice.group = group;
	if (group == POOL_ANY)
		return n < count ? (hash % count + n) % count : -1;
	members = pool_members(&choice, count);
	if (n >= members) {
		if (!group)
			return -1;
		n -= members;
		choice.group = 0;
		members = pool_members(&choice, count);
		if (n >= members)
			return -1;
	}
	choice.nth = (hash % members + n) % members;
	choice.members = 0;
	bpf_loop(count, pool_step, &choice, 0);
	return choice.at;
}

/*
 * Find an external port for @p and insert it. Paired pooling (RFC 4787, REQ-2):
 * an inside host keeps its external address as long as that has ports.
 * Returns the outbound slot, -EADDRNOTAVAIL if there is no port, or as
 * pair_finish().
 */
__noinline int pair_allocate(hook_ctx *ctx, struct pair *p)
{
	struct natxdp_config *cfg = config_get();
	__u32 i, salt = 0;
	int index;

	if (!p || !cfg)
		return -EINVAL;
	if (cfg->features & NATXDP_POOLING_ARBITRARY)
		salt = bpf_get_prandom_u32();
	p->search.tried = 0;
	p->search.slot = -EEXIST;
	for (i = 0; i < NATXDP_POOL_MAX; i++) {
		/* a function of its own: the stack is short below here */
		index = pool_candidate(p->out.key.saddr, salt, i);
		if (index < 0)
			break;
		port_claim(ctx, &p->search, index);
		if (p->search.slot != -EEXIST)
			break;
	}
	count_event(NATXDP_EVENT_PORT_TRIES, p->search.tried);
	if (p->search.slot < 0)
		return p->search.slot == -EEXIST ? -EADDRNOTAVAIL : p->search.slot;
	pair_set_external(p, p->search.in.key.daddr, p->search.in.key.dport, p->search.in.pool);
	return pair_finish(p, p->search.slot);
}

#endif
