/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which ports are taken for a destination that has few left: one bit a port,
 * for as many destinations as can be so at a time. A bit is set before its
 * port is looked for in the flow table, and cleared after the flow has gone,
 * so a port that is free has a bit that says so, or will have in a moment.
 * The flow table decides; a bit that was set in vain is noticed by looking at
 * some ports again whenever none seems to be free.
 */
#ifndef NATXDP_PORTMAP_BPF_H
#define NATXDP_PORTMAP_BPF_H

#include "table.bpf.h"

enum port_map_limits {
	PORT_MAPS = 32,
	PORT_MAP_WORDS = 65536 / 64,
	PORT_MAP_IDLE_TICKS = 8, /* 134 ms: then another destination may have it */
};

struct port_map {
	__u64 destination; /* hash of, as in struct natxdp_port_hint; 0: of none */
	__u32 used;	   /* tick */
	__u32 full_until;  /* tick until which no port is looked for */
	__u32 again;	   /* port at which looking again goes on */
	__u32 pad;
	__u64 taken[PORT_MAP_WORDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PORT_MAPS);
	__type(key, __u32);
	__type(value, struct port_map);
} port_maps SEC(".maps");

static __always_inline __u64 port_hash(const struct natxdp_key *key)
{
	const struct natxdp_geometry *g = (const void *)&geometry;

	barrier_var(g);
	return natxdp_hash(g->hash_key, key);
}

/* A destination may have either of two. */
static __always_inline __u32 port_map_index(__u64 destination, int choice)
{
	return (destination >> (choice ? 40 : 20)) % PORT_MAPS;
}

static __always_inline struct port_map *port_map_at(__u32 index)
{
	return bpf_map_lookup_elem(&port_maps, &index);
}

/* The one of this destination, or NULL. */
static __always_inline struct port_map *port_map_find(__u64 destination)
{
	struct port_map *map = port_map_at(port_map_index(destination, 0));

	if (map && map->destination == destination)
		return map;
	map = port_map_at(port_map_index(destination, 1));
	return map && map->destination == destination ? map : NULL;
}

/* Take over the one of the two that nobody has used for longer. Returns 0, or -EBUSY. */
__noinline int port_map_take(__u64 destination, __u32 now)
{
	struct port_map *map = port_map_at(port_map_index(destination, 0));
	struct port_map *other = port_map_at(port_map_index(destination, 1));
	int i;

	if (!map || !other)
		return -EBUSY;
	if (map->destination && (!other->destination || (__s32)(other->used - map->used) < 0))
		map = other;
	if (map->destination && (__s32)(now - map->used) < PORT_MAP_IDLE_TICKS)
		return -EBUSY;
	map->destination = 0;
	map->full_until = 0;
	for (i = 0; i < PORT_MAP_WORDS; i++)
		WRITE_ONCE(map->taken[i], 0); /* clang would call memset() */
	map->used = now;
	map->destination = destination;
	return 0;
}

/* Returns whether the bit was clear. */
static __always_inline int port_map_set(struct port_map *map, __u32 port)
{
	__u64 bit = 1ull << (port & 63);

	return !(__sync_fetch_and_or(&map->taken[port >> 6 & (PORT_MAP_WORDS - 1)], bit) & bit);
}

static __always_inline void port_map_clear(struct port_map *map, __u32 port)
{
	__u64 bit = 1ull << (port & 63);

	__sync_fetch_and_and(&map->taken[port >> 6 & (PORT_MAP_WORDS - 1)], ~bit);
	map->full_until = 0;
}

/*
 * The inbound entry of a flow or mapping is gone: its port is free. @out is
 * its outbound entry; @proto and @tenant are what the inbound one had when it lived.
 */
__noinline int port_released(const struct natxdp_flow *out, __u32 proto, __u32 tenant)
{
	struct natxdp_key key;
	struct port_map *map;

	if (!out)
		return 0;
	natxdp_reverse_key_of(out, &key, TUNNEL_FLOWS);
	key.dport = 0;
	key.proto = proto;
	key.tenant = tenant;
	map = port_map_find(port_hash(&key));
	if (map)
		port_map_clear(map, bpf_ntohs(out->new_sport));
	return 0;
}

#endif
