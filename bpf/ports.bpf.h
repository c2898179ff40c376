/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * External ports. A port is free for a destination if the key of the answers
 * is not in the flow table: so the same port serves many destinations, and
 * claiming it is inserting the inbound entry. A port on which a socket of the
 * host would hear the answers is not free.
 *
 * First a few ports from a random start. When those are taken, the range is
 * nearly full for this destination: it gets a map of its ports, so that each
 * of them is found before the first flow is refused. Small ranges are looked
 * at as a whole; of large ones without a map (there are few) a part, from a
 * cursor on. That no port was free is remembered for a moment.
 */
#ifndef NATXDP_PORTS_BPF_H
#define NATXDP_PORTS_BPF_H

#include "bring.bpf.h"
#include "clock.bpf.h"
#include "count.bpf.h"
#include "portmap.bpf.h"
#include "rewrite.bpf.h"
#include "sockets.bpf.h"
#include "table.bpf.h"

enum port_search_limits {
	PORT_TRIES_RANDOM = 16,
	PORT_TRIES_CROWDED = 2, /* for a destination whose cursor is in use */
	PORT_TRIES_MOST = 1024, /* looked for in the flow table by one packet: some 100 us */
	PORT_TRIES_AGAIN = 16,	/* of those whose bits say that they are taken */
	PORT_TRIES_NO_ROOM = 8, /* full groups, not taken ports */
	PORT_FULL_TICKS = 8,	/* 134 ms */
};

struct port_search {
	struct natxdp_flow in; /* the inbound entry, complete but for the port */
	__u32 port_min;
	__u32 span; /* ports in the range */
	__u32 mask; /* 2^n - 1 >= span - 1: an odd stride visits every number below 2^n */
	__u32 at;   /* in the permutation, or word of the map */
	__u32 stride;
	__u32 tried;
	__u32 words; /* of the map that were passed */
	__u32 crowded;
	__u32 bare; /* a protocol without ports */
	__u32 no_room;
	__u32 now;		/* tick; here, too, and not on the stack */
	struct natxdp_key seed; /* of the random start */
	int slot;		/* of the claimed entry, or -errno */
	__u64 destination;	/* hash of; here, because the stack is full on Linux 6.1 */
};

/* bpf_loop() takes only what is on the caller's own stack. */
struct port_walk {
	struct port_search *search;
	hook_ctx *ctx;
};

/* Claim a port if it is free; returns 1 to end the search. */
static __always_inline long port_test(struct port_walk *walk, __u32 port)
{
	struct port_search *s = walk->search;

	s->tried++;
	s->in.key.dport = bpf_htons(port);
	s->slot = -EEXIST;
	/* where most ports are taken, a look costs less than asking for sockets and claiming */
	if ((s->crowded && flow_find(&s->in.key) != NATXDP_SLOT_NONE) || before_has(&s->in.key) ||
	    host_owns(walk->ctx, &s->in.key))
		return 0;
	rewrite_prepare(&s->in);
	s->slot = flow_claim(&s->in);
	if (s->slot == -ENOSPC)
		return ++s->no_room >= PORT_TRIES_NO_ROOM;
	return s->slot >= 0;
}

/* One step through the permutation of the range (bpf_loop). */
static long port_try(__u32 i, struct port_walk *walk)
{
	struct port_search *s = walk->search;
	__u32 at = s->at & s->mask;

	s->at = at + s->stride;
	if (at >= s->span || port_is_host(s->port_min + at))
		return 0;
	return port_test(walk, s->port_min + at);
}

/* The number of the lowest bit of @bits, which is not 0. */
static __always_inline __u32 lowest_bit(__u64 bits)
{
	__u32 n, at = 0;

	for (n = 32; n; n /= 2) {
		if (bits << (64 - n))
			continue;
		bits >>= n;
		at += n;
	}
	return at;
}

/* The ports of the word s->at of the map that seem to be free, as bits. */
static __always_inline __u64 port_map_free(const struct port_search *s, const struct port_map *map)
{
	__u32 first = s->port_min, last = first + s->span - 1, word = s->at % PORT_MAP_WORDS;
	struct natxdp_host_ports *host;
	__u32 zero = 0;
	__u64 free;

	host = bpf_map_lookup_elem(&host_ports, &zero);
	if (!host || word < first / 64 || word > last / 64)
		return 0;
	free = ~(map->taken[word] | host->word[word]);
	if (word == first / 64)
		free &= ~0ull << first % 64;
	if (word == last / 64)
		free &= ~0ull >> (63 - last % 64);
	return free;
}

/*
 * A port that seems to be free, and nobody's from here on; -ENOENT if there is none
 * in this word of the map, -EAGAIN if another CPU was faster. A function of
 * its own because of the stack.
 */
static __noinline int port_map_next(struct port_search *s)
{
	__u32 word = s->at % PORT_MAP_WORDS, first = s->stride & 63, port;
	struct port_map *map = port_map_find(s->destination);
	__u64 free = map ? port_map_free(s, map) : 0;

	if (!free)
		return -ENOENT;
	free = free >> first | free << ((64 - first) & 63);
	port = word * 64 + (lowest_bit(free) + first) % 64;
	return port_map_set(map, port) ? (int)port : -EAGAIN;
}

static __noinline int port_map_put_back(struct port_search *s)
{
	struct port_map *map = port_map_find(s->destination);

	if (map)
		port_map_clear(map, bpf_ntohs(s->in.key.dport));
	return 0;
}

/* One step through the map: the next word, or a port of this one (bpf_loop). */
static long port_map_try(__u32 i, struct port_walk *walk)
{
	struct port_search *s = walk->search;
	int port = port_map_next(s);

	if (port == -EAGAIN)
		return 0;
	if (port < 0) {
		s->at++;
		return ++s->words > PORT_MAP_WORDS;
	}
	if (port_test(walk, port))
		return 1;
	if (s->slot == -ENOSPC) {
		port_map_put_back(s);
		s->at++;
	}
	return s->tried >= PORT_TRIES_MOST;
}

/* The same destination always uses the same hint. Two that share one only lose time. */
static __always_inline struct natxdp_port_hint *port_hint_at(__u64 destination)
{
	__u32 index = destination % NATXDP_PORT_HINTS;

	return bpf_map_lookup_elem(&port_hints, &index);
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
	s->at = (h & 0xffffffff) * s->span >> 32; /* in the range, or the first step goes nowhere */
	s->stride = (h >> 32) | 1;
}

/* Without a map: a part of the range, from where the last packet has ended. */
static __always_inline void port_search_crowded(struct port_walk *walk,
						struct natxdp_port_hint *hint)
{
	struct port_search *s = walk->search;
	__u64 destination = s->destination;
	__u32 seen = 0, steps = s->mask + 1;

	s->at = destination;
	if (hint->destination == destination) {
		s->at = hint->cursor;
		seen = hint->seen;
	}
	s->stride = (destination >> 32) | 1;
	if (steps > PORT_TRIES_MOST)
		steps = PORT_TRIES_MOST;
	bpf_loop(steps, port_try, walk, 0);
	hint->destination = destination;
	hint->cursor = s->at;
	seen = s->slot < 0 ? seen + steps : 0;
	/* after a full round without a free port the next rounds will not find one soon */
	hint->full_until = seen > s->mask ? s->now + PORT_FULL_TICKS : 0;
	hint->seen = seen > s->mask ? 0 : seen;
}

static __always_inline void port_search_map(struct port_walk *walk, struct port_map *map)
{
	struct port_search *s = walk->search;

	map->used = s->now;
	if (map->full_until && (__s32)(map->full_until - s->now) > 0)
		return;
	s->at = (s->port_min + s->at) / 64;
	s->words = 0;
	bpf_loop(PORT_MAP_WORDS + PORT_TRIES_MOST, port_map_try, walk, 0);
	if (s->slot != -EEXIST || s->words <= PORT_MAP_WORDS)
		return;
	s->at = map->again;
	s->stride = 1;
	bpf_loop(PORT_TRIES_AGAIN, port_try, walk, 0);
	map->again = s->at;
	if (s->slot < 0)
		map->full_until = s->now + PORT_FULL_TICKS;
}

/* As port_claim(), for a protocol with ports and a range that is known. */
static __always_inline void port_search(struct port_walk *walk)
{
	struct port_search *s = walk->search;
	struct natxdp_port_hint *hint = port_hint_at(s->destination);
	struct port_map *map;
	int known;

	if (!hint)
		return;
	s->now = ticks_now();
	known = hint->destination == s->destination;
	if (known && hint->full_until && (__s32)(hint->full_until - s->now) > 0)
		return;
	port_shuffle(s);
	map = s->mask >= PORT_TRIES_MOST ? port_map_find(s->destination) : NULL;
	s->crowded = map || known;
	if (!map) {
		bpf_loop(known ? PORT_TRIES_CROWDED : PORT_TRIES_RANDOM, port_try, walk, 0);
		if (s->slot != -EEXIST)
			return;
		s->crowded = 1;
		if (s->mask >= PORT_TRIES_MOST && !port_map_take(s->destination, s->now))
			map = port_map_find(s->destination);
	}
	if (map)
		port_search_map(walk, map);
	else
		port_search_crowded(walk, hint);
}

/*
 * Claim a port of one external address: @s->in holds the inbound entry. The
 * slot is left in @s->slot, or -EEXIST if no port is free, -ENOSPC if the flow
 * table has no room. Returns 0.
 */
__noinline int port_claim(hook_ctx *ctx, struct port_search *s, __u32 pool_index)
{
	struct port_walk walk = { .search = s, .ctx = ctx };
	struct natxdp_pool *pool;

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
	port_search(&walk);
	return 0;
}

#endif
