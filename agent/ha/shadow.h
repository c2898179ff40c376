/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a peer has been told of our flow table, and what it has to be told yet.
 *
 * Nothing tells us of changes: the table's tags, one byte an entry, are
 * compared with a copy of them. That finds every new and every closed flow within a
 * scan, costs the data plane nothing, cannot overflow, and a peer that knows
 * nothing is the same as one that knows an old state. What the tags do not
 * show, the TCP state and the time of the last packet, is looked at twice in a
 * flow's first second, and in a slow walk over the whole table.
 */
#ifndef NATXDP_AGENT_HA_SHADOW_H
#define NATXDP_AGENT_HA_SHADOW_H

#include <natxdp/config.h>

#include "stream.h"
#include "table.h"

enum { SHADOW_NO_SLOT = 0xff };

/* What is read; all of it stays with the caller, and may change between calls. */
struct shadow_source {
	const struct table *table;
	const struct natxdp_tags *tags; /* mmapped */
	const struct natxdp_config *config;
	/* By index into ext_pool: the slot if its flows are ours to tell, or SHADOW_NO_SLOT. */
	uint8_t slot[NATXDP_POOL_MAX];
	__be32 addr[NATXDP_POOL_MAX]; /* by the same index */
};

struct shadow;

/* NULL without memory: 25 bytes for each entry of the table. */
struct shadow *shadow_new(const struct shadow_source *source);
void shadow_free(struct shadow *shadow);

/* The peer knows nothing any more. */
void shadow_forget(struct shadow *shadow);

/* source->slot has changed: what is not ours any more is forgotten, what is now is told. */
void shadow_moved(struct shadow *shadow);

/*
 * Goes on with a lap over the tags, and puts what has changed. Returns true when the lap is
 * over, false when @stream has no room for more or @most records were put.
 */
bool shadow_scan(struct shadow *shadow, struct stream *stream, unsigned int most, int64_t now);

/* Looks again at young flows, and at @slots entries of the slow walk. */
void shadow_walk(struct shadow *shadow, struct stream *stream, uint32_t slots, int64_t now);

/* Flows that the peer knows of, and about how many it does not. */
uint32_t shadow_known(const struct shadow *shadow);
uint32_t shadow_behind(const struct shadow *shadow);

#endif
