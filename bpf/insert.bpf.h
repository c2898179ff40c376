/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A flow that another table had, as include/natxdp/insert.h tells. This runs in
 * a process, which a packet may interrupt: nothing of the memory that a packet
 * has for itself on its CPU is used here, but the stack, which is long here.
 */
#ifndef NATXDP_INSERT_BPF_H
#define NATXDP_INSERT_BPF_H

#include <natxdp/insert.h>

#include "clock.bpf.h"
#include "count.bpf.h"
#include "hosts.bpf.h"
#include "mapping.bpf.h"
#include "nexthop.bpf.h"
#include "rewrite.bpf.h"
#include "sweep.bpf.h"
#include "table.bpf.h"

/* Ages of another host may lie a little after now. */
static __always_inline void insert_tick(__u32 *tick, __u32 now)
{
	if (tick_reached(*tick, now))
		*tick = now;
}

/* Is this a flow of this NAT, in its two directions? Returns 0 or -errno. */
static __always_inline int insert_check(const struct natxdp_flow *out, const struct natxdp_flow *in,
					const struct natxdp_config *cfg)
{
	__u32 pool_index = out->pool;
	struct natxdp_key reverse;
	struct natxdp_pool *pool;

	natxdp_reverse_key_of(out, &reverse, TUNNEL_FLOWS);
	if (reverse.word[0] != in->key.word[0] || reverse.word[1] != in->key.word[1])
		return -EINVAL;
	natxdp_reverse_key_of(in, &reverse, TUNNEL_FLOWS);
	if (reverse.word[0] != out->key.word[0] || reverse.word[1] != out->key.word[1])
		return -EINVAL;
	if (out->flags & NATXDP_FLOW_INBOUND || !(in->flags & NATXDP_FLOW_INBOUND) ||
	    (out->flags ^ in->flags) & NATXDP_FLOW_HAIRPIN)
		return -EINVAL;
	if (out->key.proto == NATXDP_PROTO_FREE || out->key.proto == NATXDP_PROTO_DEAD ||
	    (out->key.tenant != NATXDP_TENANT_NONE && out->key.tenant != NATXDP_TENANT_MAPPING))
		return -EINVAL;
	if (out->key.side != (cfg->two_armed ? NATXDP_SIDE_INSIDE : NATXDP_SIDE_SINGLE))
		return -EINVAL;
	pool = bpf_map_lookup_elem(&ext_pool, &pool_index);
	if (!pool || pool_index >= cfg->pool_count || pool->addr != out->new_saddr)
		return -EADDRNOTAVAIL;
	return 0;
}

static __always_inline int insert_deadline(const struct natxdp_flow *out,
					   const struct natxdp_flow *in,
					   const struct natxdp_config *cfg, __u32 now, __u32 *due)
{
	if (out->key.tenant == NATXDP_TENANT_MAPPING) {
		*due = now + cfg->timeout[NATXDP_TIMEOUT_UDP];
		return 0;
	}
	*due = flow_deadline(out, in, cfg);
	return tick_reached(now, *due) ? -ETIME : 0;
}

/* What is later in one direction of a flow that is here already. */
static __always_inline void insert_merge(struct natxdp_flow *f, const struct natxdp_flow *given,
					 int replace)
{
	if (given->packets > f->packets) {
		f->packets = given->packets;
		f->bytes = given->bytes;
	}
	if (tick_reached(f->last_seen, given->last_seen)) {
		if (!replace)
			return;
	} else {
		f->last_seen = given->last_seen;
	}
	f->flags = (f->flags & ~NATXDP_SEEN_MASK) | (given->flags & NATXDP_SEEN_MASK);
}

/* Does the outbound entry @f translate as @out does? */
static __always_inline int insert_is_same(const struct natxdp_flow *f,
					  const struct natxdp_flow *out)
{
	return f->new_saddr == out->new_saddr && f->new_sport == out->new_sport &&
	       f->new_daddr == out->new_daddr && f->new_dport == out->new_dport;
}

/* The key of @item->out is here, at @slot. */
static __always_inline int insert_again(__u32 slot, struct natxdp_insertion *item, __u32 due)
{
	struct natxdp_flow *f = flow_at(slot), *peer;
	int replace = item->flags & NATXDP_INSERT_REPLACE;

	peer = f ? flow_peer(f) : NULL;
	if (!peer || !insert_is_same(f, &item->out))
		return -EEXIST;
	item->in.peer = slot;
	item->out.peer = f->peer;
	if (item->out.key.tenant == NATXDP_TENANT_MAPPING)
		return NATXDP_INSERT_EXISTED;
	insert_merge(f, &item->out, replace);
	insert_merge(peer, &item->in, replace);
	due_by(slot / NATXDP_WAYS, due);
	return NATXDP_INSERT_EXISTED;
}

/* A flow, not a mapping, ends before its time. */
__noinline int insert_end(__u32 slot, __u32 now)
{
	struct natxdp_flow *f = flow_at(slot);
	struct natxdp_key key;

	if (!f || f->flags & NATXDP_FLOW_INBOUND || f->key.tenant != NATXDP_TENANT_NONE)
		return NATXDP_INSERT_NONE;
	key = f->key;
	sweep_end(f, slot, flow_peer(f), &key, now);
	return NATXDP_INSERT_DONE;
}

/*
 * What stands in the way of a flow: one with its outbound key, one with its inbound key. But a
 * flow of an external address that is ours is nobody else's to end.
 */
__noinline int insert_make_way(const struct natxdp_insertion *item, __u32 now)
{
	struct natxdp_flow *f;
	__u32 slot;

	if (!item)
		return -EINVAL;
	slot = flow_find(&item->out.key);
	f = slot == NATXDP_SLOT_NONE ? NULL : flow_at(slot);
	if (f && !insert_is_same(f, &item->out) && (f->pool == item->out.pool || flow_is_copy(f)))
		insert_end(slot, now);
	slot = flow_find(&item->in.key);
	f = slot == NATXDP_SLOT_NONE ? NULL : flow_at(slot);
	if (f && (f->new_daddr != item->in.new_daddr || f->new_dport != item->in.new_dport ||
		  f->new_saddr != item->in.new_saddr || f->new_sport != item->in.new_sport))
		insert_end(f->peer, now);
	return 0;
}

__noinline int insert_remove(const struct natxdp_flow *out, __u32 now)
{
	struct natxdp_flow *f;
	__u32 slot;

	if (!out)
		return -EINVAL;
	slot = flow_find(&out->key);
	f = slot == NATXDP_SLOT_NONE ? NULL : flow_at(slot);
	if (!f || f->new_saddr != out->new_saddr || f->new_sport != out->new_sport)
		return NATXDP_INSERT_NONE;
	return insert_end(slot, now);
}

/* A next hop that is always looked up. Returns its index, or -ENOSPC. */
static __always_inline int insert_route(const struct natxdp_config *cfg)
{
	struct natxdp_next_hop_key key = {};
	struct natxdp_next_hop nh = { .state = NATXDP_NEXT_HOP_STALE };
	int index;

	if (!cfg->two_armed)
		return NEXT_HOP_REFLECT;
	index = next_hop_put(&key, &nh);
	return index < 0 ? -ENOSPC : index;
}

static __always_inline int insert_hold_one(const struct natxdp_key *key)
{
	__u32 slot = flow_find(key);

	return slot != NATXDP_SLOT_NONE && mapping_hold(slot, key) ? 0 : -ENOENT;
}

/* The counterpart of mapping_drop(). */
__noinline int insert_hold(const struct natxdp_flow *out, __u32 now)
{
	struct natxdp_key key;

	if (!out)
		return -EINVAL;
	mapping_key(&out->key, 0, &key);
	if (insert_hold_one(&key))
		return -ENOENT;
	if (out->flags & NATXDP_FLOW_HAIRPIN) {
		key.saddr = out->new_daddr;
		key.sport = out->new_dport;
		if (insert_hold_one(&key)) {
			mapping_key(&out->key, 0, &key);
			mapping_release(&key, now);
			return -ENOENT;
		}
	}
	mapping_key(&out->key, out->key.daddr, &key);
	insert_hold_one(&key); /* only where addresses are let in */
	return 0;
}

/* Both entries, the inbound one first as in pair.bpf.h. Returns 0 or -errno. */
__noinline int insert_pair(struct natxdp_insertion *item, __u32 due, __u32 now)
{
	struct natxdp_home home = {};
	struct natxdp_flow *f;
	int in_slot, slot;

	if (!item)
		return -EINVAL;
	rewrite_prepare(&item->in);
	rewrite_prepare(&item->out);
	item->in.peer = NATXDP_SLOT_NONE; /* until there is one: the sweeper leaves it alone */
	in_slot = flow_claim_by(&item->in, &home);
	if (in_slot < 0)
		return in_slot;
	item->out.peer = in_slot;
	slot = flow_claim_by(&item->out, &home);
	f = flow_at(in_slot);
	if (!f)
		return -EINVAL;
	if (slot < 0) {
		flow_remove(f, in_slot, now);
		return slot;
	}
	f->peer = slot;
	item->in.peer = slot;
	due_by(slot / NATXDP_WAYS, due);
	due_by(in_slot / NATXDP_WAYS, due);
	return 0;
}

/* What a flow holds besides its entries, and the entries. Returns 0 or -errno. */
static __always_inline int insert_new(struct natxdp_insertion *item, __u32 due, __u32 now)
{
	struct natxdp_flow *out = &item->out;
	int err;

	if (out->flags & NATXDP_FLOW_MAPPED && insert_hold(out, now))
		return -ENOENT;
	err = out->flags & NATXDP_FLOW_COUNTED ? host_count(out->key.saddr, now) : 0;
	if (!err) {
		err = insert_pair(item, due, now);
		if (err && out->flags & NATXDP_FLOW_COUNTED)
			host_release(out->key.saddr);
	}
	if (err && out->flags & NATXDP_FLOW_MAPPED)
		mapping_drop(out, &out->key, now);
	return err;
}

/* What is not there yet. Returns an enum natxdp_insert_result or -errno. */
static __always_inline int insert_fresh(struct natxdp_insertion *item,
					const struct natxdp_config *cfg, __u32 due, __u32 now)
{
	int err;

	if (item->flags & NATXDP_INSERT_ROUTE) {
		err = insert_route(cfg);
		if (err < 0)
			return err;
		item->out.next_hop = item->in.next_hop = err;
	}
	if (item->out.key.tenant == NATXDP_TENANT_MAPPING)
		item->out.packets = 0;
	err = insert_new(item, due, now);
	if (err)
		return err;
	if (item->out.key.tenant != NATXDP_TENANT_MAPPING)
		count_event_atomic(NATXDP_EVENT_FLOWS_INSERTED, 1);
	return NATXDP_INSERT_DONE;
}

__noinline int insert_try(struct natxdp_insertion *item, __u32 now)
{
	struct natxdp_config *cfg = config_get();
	__u32 due, slot;
	int err;

	if (!item || !cfg)
		return -EINVAL;
	err = insert_check(&item->out, &item->in, cfg);
	if (!err)
		err = insert_deadline(&item->out, &item->in, cfg, now, &due);
	if (err)
		return err;
	slot = flow_find(&item->out.key);
	return slot == NATXDP_SLOT_NONE ? insert_fresh(item, cfg, due, now) :
					  insert_again(slot, item, due);
}

/* Returns an enum natxdp_insert_result or -errno. */
__noinline int insert_flow(struct natxdp_insertion *item)
{
	__u32 now = ticks_now();
	int ret;

	if (!item)
		return -EINVAL;
	if (item->flags & NATXDP_INSERT_REMOVE)
		return insert_remove(&item->out, now);
	insert_tick(&item->out.last_seen, now);
	insert_tick(&item->in.last_seen, now);
	insert_tick(&item->out.first_seen, now);
	insert_tick(&item->in.first_seen, now);
	ret = insert_try(item, now);
	if (ret != -EEXIST || !(item->flags & NATXDP_INSERT_REPLACE))
		return ret;
	insert_make_way(item, now);
	return insert_try(item, now);
}

SEC("xdp")
int natxdp_insert(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct natxdp_insertion *item = data, work;
	int i;

	for (i = 0; i < NATXDP_INSERT_BATCH; i++, item++) {
		if ((void *)(item + 1) > end)
			break;
		work = *item; /* the verifier lets functions have the stack, not the packet */
		/* the label of a flow in a tunnel is its load balancer's, and of use here only */
		item->result = TUNNEL_FLOWS ? -EOPNOTSUPP : insert_flow(&work);
		item->out.peer = work.out.peer;
		item->in.peer = work.in.peer;
	}
	return XDP_PASS;
}

#endif
