/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Endpoint-independent mapping (RFC 4787, REQ-1) in the same table: a mapping
 * is a pair of entries like a flow, with no remote end in its keys and
 * NATXDP_TENANT_MAPPING in them, so that no packet finds it by itself. Flows
 * take their external end from it and hold it; when the last one goes, it
 * goes. With address-dependent filtering a second such pair, with the remote
 * address and no port, says who may send. Established packets see none of it.
 */
#ifndef NATXDP_MAPPING_BPF_H
#define NATXDP_MAPPING_BPF_H

#include "table.bpf.h"

static __always_inline void mapping_key(const struct natxdp_key *flow, __be32 remote,
					struct natxdp_key *key)
{
	*key = *flow;
	key->daddr = remote;
	key->dport = 0;
	key->tenant = NATXDP_TENANT_MAPPING;
}

/* In the count of flows that hold a mapping: it is on its way out, and nobody may hold it. */
#define MAPPING_CLOSED (1ull << 63)

/* One flow more, unless the mapping is on its way out. Returns its entry or NULL. */
static __always_inline struct natxdp_flow *mapping_hold(__u32 slot, const struct natxdp_key *key)
{
	struct natxdp_flow *f = flow_at(slot);

	if (!f || __sync_fetch_and_add(&f->packets, 1) & MAPPING_CLOSED)
		return NULL;
	if (f->key.word[0] == key->word[0] && f->key.word[1] == key->word[1])
		return f;
	__sync_fetch_and_add(&f->packets, -1);
	return NULL;
}

/*
 * Nobody holds the mapping, and nobody will from here on: then it can be removed. Counting and
 * closing are one step, so that a mapping never comes back after another one was made for its key.
 */
static __always_inline int mapping_close(struct natxdp_flow *f)
{
	return !__sync_val_compare_and_swap(&f->packets, 0, MAPPING_CLOSED);
}

/* One flow less; the sweeper does the rest. */
__noinline int mapping_let_go(__u32 slot, __u32 now)
{
	struct natxdp_flow *f = flow_at(slot);

	if (!f)
		return 0;
	WRITE_ONCE(f->last_seen, now);
	__sync_fetch_and_add(&f->packets, -1);
	due_by(slot / NATXDP_WAYS, now + 1);
	return 0;
}

static __always_inline void mapping_release(const struct natxdp_key *key, __u32 now)
{
	__u32 slot = flow_find(key);

	if (slot != NATXDP_SLOT_NONE)
		mapping_let_go(slot, now);
}

/* Let go of all that a flow holds. @was: its key when it lived. */
static __always_inline void mapping_drop(const struct natxdp_flow *out,
					 const struct natxdp_key *was, __u32 now)
{
	struct natxdp_key key;

	mapping_key(was, 0, &key);
	mapping_release(&key, now);
	if (out->flags & NATXDP_FLOW_HAIRPIN) { /* and the mapping of the other inside host */
		key.saddr = out->new_daddr;
		key.sport = out->new_dport;
		mapping_release(&key, now);
	}
	mapping_key(was, was->daddr, &key);
	mapping_release(&key, now);
}

#endif
