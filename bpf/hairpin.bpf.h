/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Hairpinning: from an inside host to the external end of another one, and
 * back to the inside with the sender's external end (RFC 4787, REQ-9).
 */
#ifndef NATXDP_HAIRPIN_BPF_H
#define NATXDP_HAIRPIN_BPF_H

#include "clock.bpf.h"
#include "open.bpf.h"

/* @addr on the stack: Linux 6.1 takes no argument of a global function as a key. */
static __always_inline int hairpin_blocked(__be32 addr)
{
	return bpf_map_lookup_elem(&blocked, &addr) != NULL;
}

/*
 * Does the inside host whose external end @key goes to let in the external end
 * in @from? With endpoint-dependent filtering if a packet of it was refused there.
 */
static __always_inline int hairpin_admits(const struct natxdp_key *key,
					  const struct natxdp_flow *from,
					  const struct natxdp_config *cfg)
{
	switch (cfg->filtering[class_of(key->proto)]) {
	case NATXDP_FILTERING_ENDPOINT_INDEPENDENT:
		return 1;
	case NATXDP_FILTERING_ADDRESS_DEPENDENT:
		return open_invitation(key, from->new_saddr, 0) != NULL;
	default:
		return open_invitation(key, from->new_saddr, from->new_sport) != NULL;
	}
}

/* Was a packet with this key refused before, and would it be again? Then it counts as another. */
__noinline int hairpin_again(const struct natxdp_key *key)
{
	struct natxdp_config *cfg = config_get();
	struct natxdp_key refused;
	struct natxdp_flow *f;
	__u32 slot;

	if (!key || !cfg)
		return 0;
	refused = *key;
	refused.tenant = NATXDP_TENANT_MAPPING;
	slot = flow_find(&refused);
	f = slot == NATXDP_SLOT_NONE ? NULL : flow_at(slot);
	if (!f || hairpin_admits(key, f, cfg))
		return 0;
	f->packets++;
	WRITE_ONCE(f->last_seen, ticks_now());
	return 1;
}

/*
 * A packet to another inside host whose filtering refuses it lets the answer
 * in, as any packet does (RFC 4787, REQ-8; RFC 5128, section 3.3): its flow is
 * inserted under a key that no packet has. That holds the sender's mapping, is
 * what hairpin_admits() asks for, and expires like a flow. Returns the reason.
 */
__noinline int hairpin_refused(const struct natxdp_key *key, const struct natxdp_flow *external,
			       __u32 flags)
{
	struct natxdp_config *cfg = config_get();
	struct natxdp_key refused;
	struct pair *p = pair_get();
	int slot;

	if (!key || !external || !cfg || !p)
		return not_opened(NATXDP_DROP_INTERNAL);
	refused = *key;
	refused.tenant = NATXDP_TENANT_MAPPING;
	pair_init(p, &refused, ticks_now());
	p->out.flags = flags;
	p->out.packets = 1;
	p->due = p->out.first_seen + first_timeout(cfg, key->proto);
	pair_set_external(p, external->new_saddr, external->new_sport, external->pool);
	slot = pair_claim(p);
	if (slot < 0)
		open_undo(p, slot);
	return not_opened(NATXDP_DROP_UNSOLICITED);
}

/*
 * From an inside host to the mapped port of another one (RFC 4787, REQ-9): the
 * receiver sees the sender's external end. Both entries are on the inside.
 */
__noinline int open_hairpin(hook_ctx *ctx, struct open_request *req)
{
	struct natxdp_config *cfg = config_get();
	struct natxdp_flow *target, *external, *in;
	struct natxdp_key *other;
	int to, back, slot, err;
	__u8 flags = NATXDP_FLOW_MAPPED;
	struct pair *p = pair_get();

	if (!req || !cfg || !p)
		return not_opened(NATXDP_DROP_INTERNAL);
	other = &req->other;
	target = open_invitation(&req->key, 0, 0);
	if (!target)
		return not_opened(NATXDP_PASS_HOST);
	*other = req->key;
	other->saddr = target->new_daddr;
	other->sport = target->new_dport;
	if (hairpin_blocked(req->key.saddr) || hairpin_blocked(other->saddr))
		return not_opened(NATXDP_DROP_BLOCKED);
	/* to itself: one entry cannot be both directions */
	if (other->saddr == req->key.saddr && other->sport == req->key.sport)
		return not_opened(NATXDP_DROP_UNSOLICITED);
	if (req->key.proto == IPPROTO_TCP && !tcp_is_opening(req->tcp_flags))
		return not_opened(NATXDP_DROP_UNSOLICITED);
	if (req->ttl <= 1)
		return not_opened(NATXDP_REPLY_TTL);
	if (hairpin_again(&req->key))
		return not_opened(NATXDP_DROP_UNSOLICITED);
	to = open_reach(ctx, req, target);
	if (to < 0)
		return to;
	back = open_route(ctx, req, other->saddr, req->key.saddr, NATXDP_SIDE_INSIDE);
	if (back < 0)
		return back;
	err = open_admit(cfg, req->key.saddr, &flags);
	if (err)
		return err;
	err = open_mapping(ctx, &req->key, back);
	external = err < 0 ? NULL : flow_at(err);
	if (!external) {
		if (flags & NATXDP_FLOW_COUNTED)
			host_release(req->key.saddr);
		return open_failed(err);
	}
	if (!hairpin_admits(&req->key, external, cfg))
		return hairpin_refused(&req->key, external, flags);
	err = mapping_get(ctx, other);
	pair_init(p, &req->key, ticks_now());
	in = &p->search.in;
	p->out.flags = flags | (err < 0 ? 0 : NATXDP_FLOW_HAIRPIN); /* which holds both mappings */
	p->out.next_hop = to;
	in->next_hop = back;
	in->flags = NATXDP_FLOW_INBOUND | NATXDP_FLOW_HAIRPIN;
	p->due = p->out.first_seen + first_timeout(cfg, req->key.proto);
	in->key = *other;
	in->key.daddr = external->new_saddr;
	in->key.dport = external->new_sport;
	in->new_saddr = req->key.daddr;
	in->new_sport = req->key.dport;
	p->out.new_saddr = external->new_saddr;
	p->out.new_sport = external->new_sport;
	p->out.new_daddr = other->saddr;
	p->out.new_dport = other->sport;
	p->out.pool = external->pool;
	in->pool = external->pool;
	if (err < 0)
		slot = err;
	else
		slot = host_owns(ctx, &in->key) ? -EADDRNOTAVAIL : pair_claim(p);
	if (slot < 0)
		return open_undo(p, slot);
	flow_opened(slot);
	return slot;
}

#endif
