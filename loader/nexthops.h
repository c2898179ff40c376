/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The next hops that the data plane has learned, as the watcher sees them. It
 * changes one thing only: VALID to STALE, after which the data plane looks
 * the route up again. So the two do not write the same entry at once: the data
 * plane rewrites what is stale, or what no flow has used for longer than any
 * timeout, and this leaves stale entries alone.
 */
#ifndef NATXDP_NEXTHOPS_H
#define NATXDP_NEXTHOPS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <natxdp/config.h>

struct nat;

enum { NEIGHBOURS_MAX = 64 };

struct neighbour {
	uint32_t ifindex;
	__be32 addr;
	bool reachable;
	uint8_t mac[6]; /* if reachable */
};

/* What has changed since the next hops were last mended. */
struct changes {
	bool all;
	unsigned int count;
	struct neighbour neighbour[NEIGHBOURS_MAX];
};

/* More than fit make it everything. */
void changes_add(struct changes *changes, const struct neighbour *neighbour);

/* Does what has changed make this next hop doubtful? Pure. */
bool changes_concern(const struct changes *changes, const struct natxdp_next_hop *hop);

/* Marks what is concerned, and forgets the changes. Returns 0 or -errno. */
int nexthops_mend(const struct nat *nat, struct changes *changes);

/* Calls @each for every valid next hop that has an address. */
int nexthops_each(const struct nat *nat,
		  void (*each)(const struct natxdp_next_hop *hop, uint32_t index, void *data),
		  void *data);

#endif
