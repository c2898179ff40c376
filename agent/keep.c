/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "keep.h"

#include <string.h>

struct keep *keep_open(struct natxdp_agent *map)
{
	struct keep *keep = (struct keep *)map->keep;

	if (keep->version != KEEP_VERSION || keep->current > 1) {
		memset(keep, 0, sizeof(*keep));
		keep->version = KEEP_VERSION;
	}
	keep_add(keep, KEEP_STARTS, 1);
	return keep;
}

const struct keep_base *keep_last(const struct keep *keep)
{
	return &keep->base[keep->current];
}

void keep_save(struct keep *keep, const struct totals *totals, uint64_t time_ms)
{
	struct keep_base *next = &keep->base[!keep->current];

	next->totals = *totals;
	next->time_ms = time_ms;
	/* a kill before this line leaves the old base, after it the new one */
	__atomic_store_n(&keep->current, !keep->current, __ATOMIC_RELEASE);
}

void keep_totals(const struct keep *keep, uint64_t records_lost_in_kernel, struct totals *totals)
{
	totals->sum[METRIC_AGENT_STARTS] = keep->count[KEEP_STARTS];
	totals->sum[METRIC_FLOW_RECORDS] = keep->count[KEEP_RECORDS];
	totals->sum[METRIC_FLOW_RECORDS_LOST] = keep->count[KEEP_RECORDS_LOST] +
						records_lost_in_kernel;
	totals->sum[METRIC_METRIC_DATA_LOST] = keep->count[KEEP_DATA_LOST];
	totals->sum[METRIC_API_ERRORS] = keep->count[KEEP_API_ERRORS];
}
