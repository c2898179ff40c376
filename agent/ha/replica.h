/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The flows of one peer, in our table: what it tells of them becomes insertions and
 * removals, in batches, under the locks of the data plane.
 */
#ifndef NATXDP_AGENT_HA_REPLICA_H
#define NATXDP_AGENT_HA_REPLICA_H

#include <natxdp/config.h>
#include <natxdp/insert.h>

#include "table.h"
#include "wire.h"

/* What is read; all of it stays with the caller, and may change between calls. */
struct replica_source {
	const struct table *table;
	const struct natxdp_config *config;
	/* By slot: its address and index into ext_pool here, or 0: not here. */
	struct {
		__be32 addr;
		uint8_t pool;
	} slot[WIRE_SLOTS];
	uint64_t own; /* slots whose flows are ours: nobody tells us of those */
	/* As insert_flows(): fills in the results; 0 or -errno. */
	int (*insert)(void *ctx, struct natxdp_insertion *items, unsigned int count);
	void *ctx;
};

struct replica_counters {
	uint64_t put, removed; /* as told, and done */
	uint64_t evicted;  /* flows that the peer does not have any more, found at a full copy */
	uint64_t not_here; /* refused: of a slot that is ours, or that is not configured */
	uint64_t expired;  /* refused: idle for too long by our time-outs */
	uint64_t full;	   /* refused: no room in a table */
	uint64_t refused;  /* for any other reason */
};

struct replica;

/* NULL without memory. */
struct replica *replica_new(const struct replica_source *source);
void replica_free(struct replica *replica);

void replica_take(struct replica *replica, const struct wire_record *record);

/* What was taken goes into the table. */
void replica_flush(struct replica *replica);

/*
 * After the peer has told all (BEGIN ... COMPLETE): removes what it did not name, @slots entries of
 * the table at a time.
 */
void replica_tick(struct replica *replica, uint32_t slots);

const struct replica_counters *replica_counters(const struct replica *replica);

#endif
