/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Opening a flow: a packet that had no entry, and may get one. It leaves, or
 * it was invited (from the outside to a mapping); or it turns back on the box
 * to another inside host (hairpin.bpf.h).
 */
#ifndef NATXDP_OPEN_BPF_H
#define NATXDP_OPEN_BPF_H

#include "classify.bpf.h"
#include "clock.bpf.h"
#include "hosts.bpf.h"
#include "mapping_new.bpf.h"
#include "nexthop.bpf.h"
#include "pair.bpf.h"
#include "record.bpf.h"
#include "sockets.bpf.h"
#include "sweep.bpf.h"

/* What flow_open() has to know of the packet; it does not see the frame. */
struct open_request {
	struct natxdp_key key;
	struct natxdp_key other; /* of open_hairpin(): that of the other inside host */
	__u32 kind;		 /* enum packet_kind */
	__u32 ifindex;
	__u8 tcp_flags;
	__u8 ttl;
	__u8 src_mac[6];
	__u8 dst_mac[6];
	__u8 pad[2];
};

/* Not on the stack, which is short here. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct open_request);
} open_request SEC(".maps");

/* Why an insert failed, as not_opened(). */
static __always_inline int open_failed(int err)
{
	if (err == -EADDRNOTAVAIL)
		return not_opened(NATXDP_REPLY_NO_PORT);
	if (err == -EAGAIN)
		return not_opened(NATXDP_DROP_RACE);
	if (err == -EPERM)
		return not_opened(NATXDP_DROP_UNSOLICITED);
	return not_opened(err == -ENOSPC ? NATXDP_DROP_TABLE_FULL : NATXDP_DROP_INTERNAL);
}

/* For how long a new flow may be idle at the least. */
static __always_inline __u32 first_timeout(const struct natxdp_config *cfg, __u8 proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return tcp_soonest(cfg);
	case IPPROTO_UDP:
		return cfg->timeout[NATXDP_TIMEOUT_UDP];
	case IPPROTO_ICMP:
		return cfg->timeout[NATXDP_TIMEOUT_ICMP];
	default:
		return cfg->timeout[NATXDP_TIMEOUT_OTHER];
	}
}

/*
 * The way from @saddr to @daddr. Inside hosts without a route are reached by
 * the router from which their packet came, and so is the outside when it was
 * the outside that began. Returns an index into next_hops, or a reason as
 * not_opened().
 */
__noinline int open_route(hook_ctx *ctx, const struct open_request *req, __be32 saddr, __be32 daddr,
			  __u32 side)
{
	struct next_hop_query q = { .saddr = saddr, .daddr = daddr };
	struct next_hop_answer answer = {};
	int index, inside = side == NATXDP_SIDE_INSIDE;

	if (!req)
		return not_opened(NATXDP_DROP_INTERNAL);
	q.ifindex = req->ifindex;
	if (!req->key.side)
		return NEXT_HOP_REFLECT;
	next_hop_find(ctx, &q, &answer);
	index = answer.index;
	if (!inside && answer.dev > NATXDP_DEV_OUTSIDE) /* it does not leave */
		return not_opened(NATXDP_PASS_NO_NAT);
	if (inside ? answer.dev <= NATXDP_DEV_OUTSIDE : answer.dev < 0) {
		if (req->key.side != side)
			return not_opened(NATXDP_DROP_NO_ROUTE);
		mac_copy(q.learned, req->src_mac);
		mac_copy(q.frame_dst, req->dst_mac);
		index = next_hop_learned(&q);
	}
	return index < 0 ? not_opened(NATXDP_DROP_NEXT_HOPS) : index;
}

/*
 * The way to the inside host of a mapping: a router that is not in the host's
 * routes is the one from which the mapping's first packet came.
 */
__noinline int open_reach(hook_ctx *ctx, const struct open_request *req,
			  const struct natxdp_flow *mapping)
{
	struct next_hop_answer answer = {};
	struct next_hop_query q = {};

	if (!req || !mapping)
		return not_opened(NATXDP_DROP_INTERNAL);
	if (!req->key.side)
		return NEXT_HOP_REFLECT;
	q.saddr = req->key.saddr;
	q.daddr = mapping->new_daddr;
	q.ifindex = req->ifindex;
	next_hop_find(ctx, &q, &answer);
	if (answer.dev > NATXDP_DEV_OUTSIDE)
		return answer.index < 0 ? not_opened(NATXDP_DROP_NEXT_HOPS) : answer.index;
	return mapping->next_hop ? mapping->next_hop : not_opened(NATXDP_DROP_NO_ROUTE);
}

/* Count a new flow of an inside host against its limits. Returns 0 or a reason, not_opened(). */
static __always_inline int open_admit(const struct natxdp_config *cfg, __be32 inside, __u8 *flags)
{
	int reason;

	if (!cfg->limit_flows && !cfg->limit_rate)
		return 0;
	reason = host_admit(cfg, inside, ticks_now());
	if (reason)
		return not_opened(reason);
	*flags |= NATXDP_FLOW_COUNTED;
	return 0;
}

/* An insert that failed: give back what was held for it, and say why. */
__noinline int open_undo(struct pair *p, int err)
{
	__u32 slot = NATXDP_SLOT_NONE, now;

	if (!p)
		return not_opened(NATXDP_DROP_INTERNAL);
	now = p->out.first_seen;
	if (p->out.flags & NATXDP_FLOW_MAPPED)
		mapping_drop(&p->out, &p->out.key, now);
	if (p->out.flags & NATXDP_FLOW_COUNTED)
		host_release(p->out.key.saddr);
	if (err == -EEXIST) { /* another CPU was faster: its flow is as good */
		slot = flow_find(&p->out.key);
		err = -EADDRNOTAVAIL;
	}
	return slot == NATXDP_SLOT_NONE ? open_failed(err) : (int)slot;
}

/* Remember at the inbound entry of a mapping how its inside host was last reached. */
__noinline int mapping_reach(__u32 slot, __u32 next_hop)
{
	struct natxdp_flow *out = flow_at(slot), *in;

	in = out ? flow_at(out->peer) : NULL;
	if (in)
		in->next_hop = next_hop;
	return 0;
}

/*
 * Take the mapping of the inside end of @key, and let its remote address in
 * where the filtering asks for that. Returns the mapping's slot or an error.
 */
static __always_inline int open_mapping(hook_ctx *ctx, const struct natxdp_key *key, __u32 next_hop)
{
	struct natxdp_config *cfg = config_get();
	struct natxdp_flow *external;
	int slot, let_in;

	if (!key || !cfg)
		return -EINVAL;
	slot = mapping_get(ctx, key);
	if (slot < 0)
		return slot;
	mapping_reach(slot, next_hop);
	external = flow_at(slot);
	if (!external || cfg->filtering[class_of(key->proto)] != NATXDP_FILTERING_ADDRESS_DEPENDENT)
		return slot;
	let_in = mapping_let_in(key, external);
	if (let_in >= 0) {
		mapping_reach(let_in, next_hop);
		return slot;
	}
	mapping_let_go(slot, ticks_now());
	return let_in;
}

/* From the inside to the outside. Returns the slot of its entry, or as not_opened(). */
__noinline int open_leaving(hook_ctx *ctx, const struct open_request *req)
{
	struct natxdp_config *cfg = config_get();
	struct natxdp_flow *external = NULL;
	int out, in, slot, err;
	__u8 flags = 0;
	struct pair *p = pair_get();

	if (!req || !cfg || !p)
		return not_opened(NATXDP_DROP_INTERNAL);
	out = open_route(ctx, req, req->key.saddr, req->key.daddr, NATXDP_SIDE_OUTSIDE);
	if (out < 0)
		return out;
	if (TUNNEL_FLOWS)
		in = tunnel_route(ctx, req->key.tenant);
	else
		in = open_route(ctx, req, req->key.daddr, req->key.saddr, NATXDP_SIDE_INSIDE);
	if (in < 0)
		return in;
	err = open_admit(cfg, req->key.saddr, &flags);
	if (err)
		return err;
	if (cfg->mapping[class_of(req->key.proto)]) {
		err = open_mapping(ctx, &req->key, in);
		external = err < 0 ? NULL : flow_at(err);
		if (!external) {
			if (flags & NATXDP_FLOW_COUNTED)
				host_release(req->key.saddr);
			return open_failed(err);
		}
		flags |= NATXDP_FLOW_MAPPED;
	}
	pair_init(p, &req->key, ticks_now());
	p->out.flags = flags;
	p->out.next_hop = out;
	p->search.in.next_hop = in;
	p->due = p->out.first_seen + first_timeout(cfg, req->key.proto);
	if (external) {
		pair_set_external(p, external->new_saddr, external->new_sport, external->pool);
		/* the mapping is from before that socket, or for other remote ends */
		slot = host_owns(ctx, &p->search.in.key) ? -EADDRNOTAVAIL : pair_claim(p);
	} else {
		slot = pair_allocate(ctx, p);
	}
	if (slot < 0)
		return open_undo(p, slot);
	flow_opened(slot);
	return slot;
}

/* The mapping that an external end belongs to, as its inbound entry; NULL if nobody may send. */
static __always_inline struct natxdp_flow *open_invitation(const struct natxdp_key *key,
							   __be32 remote, __be16 port)
{
	struct natxdp_key in = *key;
	__u32 slot;

	in.saddr = remote;
	in.sport = port;
	in.side = key->side ? NATXDP_SIDE_OUTSIDE : NATXDP_SIDE_SINGLE;
	in.tenant = NATXDP_TENANT_MAPPING;
	slot = flow_find(&in);
	return slot == NATXDP_SLOT_NONE ? NULL : flow_at(slot);
}

/* From the outside to a mapped port. Returns the slot of the inbound entry, or as not_opened(). */
__noinline int open_invited(hook_ctx *ctx, const struct open_request *req)
{
	struct natxdp_config *cfg = config_get();
	struct natxdp_flow *mapping, *external;
	struct natxdp_key key = {};
	int out, in, slot, err;
	__u8 flags = NATXDP_FLOW_MAPPED;
	struct pair *p = pair_get();

	if (!req || !cfg || !p)
		return not_opened(NATXDP_DROP_INTERNAL);
	mapping = open_invitation(&req->key,
				  cfg->filtering[class_of(req->key.proto)] ==
						  NATXDP_FILTERING_ENDPOINT_INDEPENDENT ?
					  0 :
					  req->key.saddr,
				  0);
	if (!mapping)
		return not_opened(NATXDP_DROP_UNSOLICITED);
	if (in_prefixes(&inside_nets, req->key.saddr))
		return not_opened(NATXDP_DROP_MARTIAN);
	key.saddr = mapping->new_daddr;
	key.sport = mapping->new_dport;
	key.daddr = req->key.saddr;
	key.dport = req->key.sport;
	key.proto = req->key.proto;
	key.side = req->key.side ? NATXDP_SIDE_INSIDE : NATXDP_SIDE_SINGLE;
	if (bpf_map_lookup_elem(&blocked, &key.saddr))
		return not_opened(NATXDP_DROP_BLOCKED);
	if (req->ttl <= 1)
		return not_opened(NATXDP_REPLY_TTL);
	in = open_reach(ctx, req, mapping);
	if (in < 0)
		return in;
	out = open_route(ctx, req, key.saddr, key.daddr, NATXDP_SIDE_OUTSIDE);
	if (out < 0)
		return out;
	err = open_admit(cfg, key.saddr, &flags);
	if (err)
		return err;
	err = open_mapping(ctx, &key, in);
	external = err < 0 ? NULL : flow_at(err);
	if (!external) {
		if (flags & NATXDP_FLOW_COUNTED)
			host_release(key.saddr);
		return open_failed(err);
	}
	pair_init(p, &key, ticks_now());
	p->out.flags = flags;
	p->out.next_hop = out;
	p->search.in.next_hop = in;
	p->due = p->out.first_seen + first_timeout(cfg, key.proto);
	pair_set_external(p, external->new_saddr, external->new_sport, external->pool);
	/* the mapping has gone, and what let the sender in is not swept yet */
	if (p->search.in.key.word[0] != req->key.word[0] ||
	    p->search.in.key.word[1] != req->key.word[1])
		slot = -EPERM;
	else
		slot = pair_claim(p);
	if (slot < 0) {
		err = open_undo(p, slot);
		if (err < 0)
			return err;
		/* another CPU was faster: its flow is as good */
		slot = flow_find(&req->key);
		return slot < 0 ? not_opened(NATXDP_DROP_RACE) : slot;
	}
	flow_opened(slot);
	return p->out.peer;
}

#endif
