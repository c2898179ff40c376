/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Mappings in the making: the one that a new flow takes, and who may send to it. */
#ifndef NATXDP_MAPPING_NEW_BPF_H
#define NATXDP_MAPPING_NEW_BPF_H

#include "clock.bpf.h"
#include "mapping.bpf.h"
#include "pair.bpf.h"

/*
 * What lets a remote address in may be left from a mapping that has gone, with
 * another external end: nobody holds it then. Remove it.
 */
__noinline int mapping_outlived(__u32 slot, const struct natxdp_flow *external, __u32 now)
{
	struct natxdp_flow *f = flow_at(slot), *peer;

	if (!f || !external ||
	    (f->new_saddr == external->new_saddr && f->new_sport == external->new_sport) ||
	    !mapping_close(f))
		return 0;
	peer = flow_peer(f);
	if (peer)
		flow_remove(peer, f->peer, now);
	return flow_remove(f, slot, now);
}

/*
 * The same for who had the external end before: what let the remote address
 * in to that inside end is in the way of the new owner, until it is swept.
 */
__noinline int mapping_evict(const struct natxdp_key *in, __u32 now)
{
	struct natxdp_flow *f, *peer;
	__u32 slot;

	if (!in)
		return 0;
	slot = flow_find(in);
	f = slot == NATXDP_SLOT_NONE ? NULL : flow_at(slot);
	peer = f ? flow_peer(f) : NULL;
	if (!f || !peer || !mapping_close(peer))
		return 0;
	flow_remove(peer, f->peer, now);
	return flow_remove(f, slot, now);
}

/* A mapping in the making, held by the caller from the beginning. */
static __always_inline void mapping_init(struct pair *p, const struct natxdp_key *key)
{
	struct natxdp_config *cfg = config_get();
	__u32 now = ticks_now();

	pair_init(p, key, now);
	p->out.packets = 1;
	p->due = now + (cfg ? cfg->timeout[NATXDP_TIMEOUT_UDP] : 0);
}

/*
 * The mapping of the inside end in @flow, made if there is none, and held.
 * Returns the entry's slot, -EADDRNOTAVAIL, -ENOSPC or -EINVAL. Uses up what
 * stands in open_pair.
 */
__noinline int mapping_get(hook_ctx *ctx, const struct natxdp_key *flow)
{
	struct pair *p = pair_get();
	struct natxdp_key key;
	int slot, tries;

	if (!p || !flow)
		return -EINVAL;
	mapping_key(flow, 0, &key);
	for (tries = 0; tries < 2; tries++) {
		slot = flow_find(&key);
		if (slot >= 0 && mapping_hold(slot, &key))
			return slot;
		mapping_init(p, &key);
		slot = pair_allocate(ctx, p);
		if (slot != -EEXIST) /* else another CPU has made it: hold that one */
			return slot;
	}
	return -EAGAIN;
}

/*
 * Let the remote address of @flow in to the external end of @external. Returns
 * as mapping_get() does.
 */
__noinline int mapping_let_in(const struct natxdp_key *flow, const struct natxdp_flow *external)
{
	struct pair *p = pair_get();
	struct natxdp_key key;
	int slot, tries;

	if (!p || !flow || !external)
		return -EINVAL;
	mapping_key(flow, flow->daddr, &key);
	for (tries = 0; tries < 2; tries++) {
		slot = flow_find(&key);
		if (slot >= 0)
			mapping_outlived(slot, external, ticks_now());
		if (slot >= 0 && mapping_hold(slot, &key))
			return slot;
		mapping_init(p, &key);
		pair_set_external(p, external->new_saddr, external->new_sport, external->pool);
		slot = pair_claim(p);
		if (slot != -EEXIST)
			return slot;
		mapping_evict(&p->search.in.key, ticks_now());
	}
	return -EAGAIN;
}

#endif
