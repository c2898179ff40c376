/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The flow table at memory speed: it is mmapped, and no lock is taken. The
 * data plane goes on writing meanwhile, so an entry is copied and its key
 * looked at again, and changed only by compare and swap of its key.
 */
#ifndef NATXDP_TABLE_H
#define NATXDP_TABLE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <natxdp/config.h>
#include <natxdp/flow.h>
#include <natxdp/state.h>

struct nat;

/* Both directions of a flow or mapping, as they were at one look. */
struct flow_view {
	struct natxdp_flow out;
	struct natxdp_flow in; /* all 0 if it is gone or not there yet */
	uint32_t slot;	       /* of out */
};

/*
 * The tenant of an outbound entry that table_end_flow() has ended. No packet
 * has it, and no inbound entry: so nothing finds the entry, and the sweeper
 * takes it for one whose other direction is gone, and gives back what it held.
 */

struct table {
	struct natxdp_flow *entries;
	uint32_t count; /* of entries */
	uint32_t next;	/* where table_next() goes on */
};

enum table_access { TABLE_READ, TABLE_WRITE };

/* Returns 0 or -errno. */
int table_open(struct table *table, const struct nat *nat, enum table_access access);
void table_close(struct table *table);

/* What stands at one slot. False unless that is an outbound entry, of a flow or a mapping. */
bool table_at(const struct table *table, uint32_t slot, struct flow_view *view);

/* The next flow, or the next flow or mapping; false at the end of the table. */
bool table_next(struct table *table, struct flow_view *view);
bool table_next_any(struct table *table, struct flow_view *view);

/* As table_next_any(), but false before the slot @end. */
bool table_next_until(struct table *table, uint32_t end, struct flow_view *view);
void table_rewind(struct table *table);

/*
 * The flow whose outbound entry has @key. Looks at the places where it may
 * stand. False if there is none.
 */
bool table_find(const struct table *table, const struct natxdp_geometry *geometry,
		const struct natxdp_key *key, struct flow_view *view);

bool flow_view_is_mapping(const struct flow_view *view);

/*
 * Ends a flow for its packets, at once. False if it has ended by itself
 * meanwhile. The buckets of both slots are to be due then.
 */
bool table_end_flow(struct table *table, const struct flow_view *view, uint32_t now);

/* Which external addresses have flows or mappings. Returns 0 or -errno. */
int table_pools_used(const struct nat *nat, bool used[NATXDP_POOL_MAX]);

/* The clock of the data plane. */
uint32_t table_ticks_now(void);
double table_seconds(uint32_t ticks);

enum natxdp_state flow_view_state(const struct flow_view *view);
uint32_t flow_view_age(const struct flow_view *view, uint32_t now);
uint32_t flow_view_idle(const struct flow_view *view, uint32_t now);

#endif
