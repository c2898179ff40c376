/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the agent remembers over its own death, in the mmapped map `agent`:
 * the totals at the end of the last interval that was taken, and what only the
 * agent counts. It lives and dies with the counters, so that it fits them.
 */
#ifndef NATXDP_AGENT_KEEP_H
#define NATXDP_AGENT_KEEP_H

#include <natxdp/record.h>

#include "totals.h"

enum { KEEP_VERSION = 1 };

/* Counted by the agent, since the NAT was loaded. */
enum keep_count {
	KEEP_STARTS,
	KEEP_RECORDS,
	KEEP_RECORDS_LOST,
	KEEP_DATA_LOST,
	KEEP_API_ERRORS,
	KEEP_COUNTS,
};

/* One of two: what is being written is never what is read. */
struct keep_base {
	struct totals totals;
	uint64_t time_ms; /* wall clock; 0: never written */
};

struct keep {
	uint64_t version;
	uint64_t current; /* which base counts */
	uint64_t count[KEEP_COUNTS];
	struct keep_base base[2];
	uint64_t drain; /* an operator asked for it; last, as it came after version 1 was out */
};

_Static_assert(sizeof(struct keep) <= sizeof(((struct natxdp_agent *)0)->keep),
	       "more to keep than the map has room for");

/* Begins anew if what is there is of another version. Counts a start. */
struct keep *keep_open(struct natxdp_agent *map);

/* The totals from which the next interval counts: all 0 at the first. */
const struct keep_base *keep_last(const struct keep *keep);

void keep_save(struct keep *keep, const struct totals *totals, uint64_t time_ms);

static inline void keep_add(struct keep *keep, enum keep_count count, uint64_t n)
{
	keep->count[count] += n;
}

/* Adds what the agent counts to the totals. */
void keep_totals(const struct keep *keep, uint64_t records_lost_in_kernel, struct totals *totals);

#endif
