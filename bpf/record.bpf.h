/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The life of a flow as it is counted and recorded: opened, established,
 * closed. All of it happens beside the way of an established packet.
 */
#ifndef NATXDP_RECORD_BPF_H
#define NATXDP_RECORD_BPF_H

#include <natxdp/record.h>
#include <natxdp/state.h>

#include "count.bpf.h"
#include "rewrite.bpf.h"
#include "table.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096); /* set by the loader */
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct natxdp_agent);
} agent SEC(".maps");

/*
 * Is this flow one of those that are sampled? By what stays the same over its
 * life, so that its records come together or not at all.
 */
static __always_inline int record_sampled(const struct natxdp_flow *f, __u32 sample)
{
	__u64 h = f->key.word[0] ^ ((__u64)f->key.sport << 40 | (__u64)f->key.dport << 16);

	if (sample < 2)
		return 1;
	h *= 0xd6e8feb86659fd93ull;
	return (__u32)(h >> 32) % sample == 0;
}

/* What user space sends to prove that it is translated, by whatever tunnel. */
static __always_inline int record_is_probe(const struct natxdp_key *key,
					   const struct natxdp_key *probe)
{
	struct natxdp_key same = *probe;

	same.tenant = key->tenant;
	return key->word[0] == same.word[0] && key->word[1] == same.word[1];
}

/*
 * @key is that of @f before it was removed. No wakeup: the agent looks by
 * itself ten times a second, which costs the data plane nothing.
 */
static __always_inline void record_write(const struct natxdp_flow *f, const struct natxdp_key *key,
					 const struct natxdp_flow *in, __u32 kind, __u32 flags,
					 __u32 now)
{
	struct natxdp_record *r;
	struct natxdp_agent *a;
	__u32 zero = 0;

	a = bpf_map_lookup_elem(&agent, &zero);
	if (!a || !(a->wanted & 1 << kind) || record_is_probe(key, &a->probe) ||
	    !record_sampled(f, a->sample))
		return;
	r = bpf_ringbuf_reserve(&records, sizeof(*r), 0);
	if (!r) {
		count_event_atomic(NATXDP_EVENT_RECORDS_LOST, 1);
		return;
	}
	r->key = *key;
	r->new_saddr = new_saddr(f);
	r->new_daddr = new_daddr(f);
	r->new_sport = new_sport(f);
	r->new_dport = new_dport(f);
	r->kind = kind;
	r->pool = f->pool;
	r->flags = flags | (f->flags & NATXDP_FLOW_HAIRPIN ? NATXDP_RECORD_HAIRPIN : 0);
	r->packets_out = f->packets;
	r->bytes_out = f->bytes;
	r->packets_in = in ? in->packets : 0;
	r->bytes_in = in ? in->bytes : 0;
	r->state = natxdp_flow_state(key->proto, f->flags, in ? in->flags : 0,
				     in && in->packets != 0);
	r->first_seen = f->first_seen;
	r->last_seen = in && (__s32)(in->last_seen - f->last_seen) > 0 ? in->last_seen :
									 f->last_seen;
	r->now = now;
	r->reserved = 0;
	bpf_ringbuf_submit(r, BPF_RB_NO_WAKEUP);
	count_event_atomic(NATXDP_EVENT_RECORDS_WRITTEN, 1);
}

/* @slot: the entry of the direction that leaves. */
__noinline int flow_opened(__u32 slot)
{
	struct natxdp_flow *f = flow_at(slot);
	struct natxdp_key key;

	count_event(NATXDP_EVENT_FLOWS_OPENED, 1);
	if (!f)
		return 0;
	key = f->key;
	tunnel_opened(key.tenant);
	record_write(f, &key, NULL, NATXDP_RECORD_OPEN, 0, f->first_seen);
	return 0;
}

/* A copy of a flow that another node has: it is not ours to count and to record. */
static __always_inline int flow_is_copy(const struct natxdp_flow *f)
{
	__u32 index = f->pool;
	struct natxdp_pool *pool = bpf_map_lookup_elem(&ext_pool, &index);

	return pool && pool->flags & NATXDP_POOL_STANDBY;
}

/*
 * The outbound entry at @slot was removed just now, and is unchanged but for
 * its mark; @proto and @tenant are what its key had. The other
 * direction may have been removed, too.
 */
__noinline int flow_closed(__u32 slot, __u32 proto, __u32 tenant, __u32 now)
{
	struct natxdp_flow *f = flow_at(slot), *in;
	struct natxdp_key key;
	__u32 flags = 0, state;

	count_event_atomic(NATXDP_EVENT_FLOWS_EXPIRED, 1);
	in = f ? flow_at(f->peer) : NULL;
	if (!in || flow_is_copy(f))
		return 0;
	if (in->key.saddr != new_daddr(f) || in->key.daddr != new_saddr(f) ||
	    in->key.sport != new_dport(f) || in->key.dport != new_sport(f)) {
		in = NULL;
		flags |= NATXDP_RECORD_HALF;
	}
	key = f->key;
	key.proto = proto;
	key.tenant = tenant;
	if (tenant == NATXDP_TENANT_ENDED) {
		key.tenant = TUNNEL_FLOWS && in ? in->next_hop : NATXDP_TENANT_NONE;
		flags |= NATXDP_RECORD_ENDED;
	}
	state = natxdp_flow_state(proto, f->flags, in ? in->flags : 0, in && in->packets != 0);
	if (!flags &&
	    (state == NATXDP_STATE_TCP_ESTABLISHED || state == NATXDP_STATE_TCP_HALF_CLOSED))
		count_event_atomic(NATXDP_EVENT_IDLE_TIMEOUTS, 1);
	record_write(f, &key, in, NATXDP_RECORD_CLOSE, flags, now);
	return 0;
}

/*
 * A segment has changed what its direction, the entry at @slot, has seen;
 * @before are the flags until then. A repeated SYN changes nothing.
 */
__noinline int tcp_changed(__u32 slot, __u32 before)
{
	struct natxdp_flow *f = flow_at(slot), *peer;
	__u32 was, is, after;

	peer = f ? flow_at(f->peer) : NULL;
	if (!peer)
		return 0;
	after = f->flags;
	if (after & NATXDP_FLOW_INBOUND) {
		was = natxdp_flow_state(IPPROTO_TCP, peer->flags, before, 1);
		is = natxdp_flow_state(IPPROTO_TCP, peer->flags, after, 1);
	} else {
		was = natxdp_flow_state(IPPROTO_TCP, before, peer->flags, 1);
		is = natxdp_flow_state(IPPROTO_TCP, after, peer->flags, 1);
		if ((after & NATXDP_SEEN_MASK) == NATXDP_SEEN_SYN)
			count_event(NATXDP_EVENT_TCP_ATTEMPTS, 1);
	}
	if (was == NATXDP_STATE_TCP_OPENING &&
	    (is == NATXDP_STATE_TCP_ESTABLISHED || is == NATXDP_STATE_TCP_HALF_CLOSED))
		count_event(NATXDP_EVENT_TCP_ESTABLISHED, 1);
	return 0;
}

#endif
