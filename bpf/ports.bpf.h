/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * External ports. A port is free for a destination if the key of the answers
 * is not in the flow table: so the same port serves many destinations, and
 * claiming it is inserting the inbound entry. A port on which a socket of the
 * host would hear the answers is not free.
 *
 * First a few ports from a random start. When those are taken, the range is
 * nearly full for this destination: a cursor that is kept for it goes on
 * through a permutation of the whole range, so that every port is found
 * before the first flow is refused, and a refusal is remembered for a moment.
 */
#ifndef NATXDP_PORTS_BPF_H
#define NATXDP_PORTS_BPF_H

#include "bring.bpf.h"
#include "count.bpf.h"
#include "rewrite.bpf.h"
#include "sockets.bpf.h"
#include "table.bpf.h"

enum port_search_limits {
	PORT_TRIES_RANDOM = 16,
	PORT_TRIES_CROWDED = 2, /* for a destination whose cursor is in use */
	PORT_TRIES_NO_ROOM = 8, /* full buckets, not taken ports */
	PORT_FULL_TICKS = 8,	/* 134 ms */
};

struct port_search {
	struct natxdp_flow in; /* the inbound entry, complete but for the port */
	__u32 port_min;
	__u32 span; /* ports in the range */
	__u32 mask; /* 2^n - 1 >= span - 1: an odd stride visits every number below 2^n */
	__u32 at;   /* in the permutation */
	__u32 stride;
	__u32 tried;
	__u32 bare; /* a protocol without ports */
	__u32 no_room;
	struct natxdp_key seed; /* of the random start */
	int slot;		/* of the claimed entry, or -errno */
	__u64 destination;	/* hash of; here, because the stack is full on Linux 6.1 */
};

static __always_inline int port_is_host(__u32 port)
{
	struct natxdp_host_ports *ports;
	__u32 zero = 0;

	ports = bpf_map_lookup_elem(&host_ports, &zero);
	return ports && (ports->word[(port >> 6) & 1023] >> (port & 63) & 1);
}

/* bpf_loop() takes only what is on the caller's own stack. */
struct port_walk {
	struct port_search *search;
	hook_ctx *ctx;
};

/* One step of the search; returns 1 to end it (bpf_loop). */
static long port_try(__u32 i, struct port_walk *walk)
{
	struct port_search *s = walk->search;
	__u32 at = s->at & s->mask, port;

	s->at = at + s->stride;
	if (at >= s->span)
		return 0;
	port = s->port_min + at;
	if (port_is_host(port))
		return 0;
	s->tried++;
	s->in.key.dport = bpf_htons(port);
	s->slot = -EEXIST;
	/* a look without the lock first: when this matters, most ports are taken */
	if (flow_find(&s->in.key) != NATXDP_SLOT_NONE || before_has(&s->in.key) ||
	    host_owns(walk->ctx, &s->in.key))
		return 0;
	rewrite_prepare(&s->in);
	s->slot = flow_claim(&s->in);
	if (s->slot == -ENOSPC)
		return ++s->no_room >= PORT_TRIES_NO_ROOM;
	return s->slot >= 0;
}

/* The same destination always uses the same hint. Two that share one only lose time. */
static __always_inline struct natxdp_port_hint *port_hint_at(__u64 destination)
{
	__u32 index = destination % NATXDP_PORT_HINTS;

	return bpf_map_lookup_elem(&port_hints, &index);
}

static __always_inline __u64 port_hash(const struct natxdp_key *key)
{
	const struct natxdp_geometry *g = (const void *)&geometry;

	barrier_var(g);
	return natxdp_hash(g->hash_key, key);
}

/*
 * Random start and stride. The hash under the secret key makes them hard to
 * guess (RFC 6056, section 3.1): bpf_get_prandom_u32() alone is predictable.
 */
static __always_inline void port_shuffle(struct port_search *s)
{
	__u64 h;

	s->seed = s->in.key;
	s->seed.daddr = bpf_get_prandom_u32();
	h = port_hash(&s->seed);
	s->at = h;
	s->stride = (h >> 32) | 1;
}

static __always_inline void port_search_crowded(struct port_walk *walk,
						struct natxdp_port_hint *hint, __u32 now)
{
	struct port_search *s = walk->search;
	__u64 destination = s->destination;
	int known = hint->destination == destination;
	long steps;

	s->at = known ? hint->cursor : (__u32)destination;
	s->stride = (destination >> 32) | 1;
	steps = bpf_loop(s->mask + 1, port_try, walk, 0);
	hint->destination = destination;
	hint->cursor = s->at;
	/* after a full round without a free port the next rounds will not find one soon */
	hint->full_until = s->slot < 0 && steps > s->mask ? now + PORT_FULL_TICKS : 0;
}

/*
 * Claim a port of one external address: @s->in holds the inbound entry. The
 * slot is left in @s->slot, or -EEXIST if no port is free, -ENOSPC if the flow
 * table has no room. Returns 0.
 */
__noinline int port_claim(hook_ctx *ctx, struct port_search *s, __u32 pool_index)
{
	struct port_walk walk = { .search = s, .ctx = ctx };
	struct natxdp_port_hint *hint;
	struct natxdp_pool *pool;
	__u32 now;
	int known;

	if (!s)
		return -EINVAL;
	s->slot = -EEXIST;
	pool = bpf_map_lookup_elem(&ext_pool, &pool_index);
	if (!pool || pool->flags & (NATXDP_POOL_DRAINING | NATXDP_POOL_STANDBY) ||
	    pool->port_max < pool->port_min)
		return 0;
	s->in.pool = pool_index;
	s->in.key.daddr = pool->addr;
	s->in.key.dport = 0;
	if (s->bare) { /* one inside host a destination and external address */
		rewrite_prepare(&s->in);
		s->slot = flow_claim(&s->in);
		return 0;
	}
	s->port_min = pool->port_min;
	s->span = pool->port_max - pool->port_min + 1;
	s->mask = s->span - 1;
	s->mask |= s->mask >> 1;
	s->mask |= s->mask >> 2;
	s->mask |= s->mask >> 4;
	s->mask |= s->mask >> 8;
	s->no_room = 0;

	s->destination = port_hash(&s->in.key);
	hint = port_hint_at(s->destination);
	if (!hint)
		return 0;
	now = ticks_now();
	known = hint->destination == s->destination;
	if (known && hint->full_until && (__s32)(hint->full_until - now) > 0)
		return 0;
	port_shuffle(s);
	bpf_loop(known ? PORT_TRIES_CROWDED : PORT_TRIES_RANDOM, port_try, &walk, 0);
	if (s->slot == -EEXIST)
		port_search_crowded(&walk, hint, now);
	return 0;
}

#endif
