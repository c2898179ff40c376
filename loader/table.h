/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Reading the flow table at memory speed: it is mmapped, and no lock is
 * taken. The data plane goes on writing meanwhile, so an entry is copied and
 * its key looked at again.
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

/* Both directions of a flow, as they were at one look. */
struct flow_view {
	struct natxdp_flow out;
	struct natxdp_flow in; /* all 0 if it is gone or not there yet */
};

struct table {
	const struct natxdp_flow *entries;
	uint32_t count; /* of entries */
	uint32_t next;	/* where table_next() goes on */
};

/* Returns 0 or -errno. */
int table_open(struct table *table, const struct nat *nat);
void table_close(struct table *table);

/* The next flow; false at the end of the table. */
bool table_next(struct table *table, struct flow_view *view);

/* Which external addresses have flows. Returns 0 or -errno. */
int table_pools_used(const struct nat *nat, bool used[NATXDP_POOL_MAX]);

/* The clock of the data plane. */
uint32_t table_ticks_now(void);
double table_seconds(uint32_t ticks);

enum natxdp_state flow_view_state(const struct flow_view *view);
uint32_t flow_view_age(const struct flow_view *view, uint32_t now);
uint32_t flow_view_idle(const struct flow_view *view, uint32_t now);

#endif
