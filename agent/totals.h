/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What has happened since the NAT was loaded, by metric: pure functions of the
 * data plane's counters.
 */
#ifndef NATXDP_AGENT_TOTALS_H
#define NATXDP_AGENT_TOTALS_H

#include <stdbool.h>
#include <stdint.h>

#include "counters.h"
#include "metrics.h"

struct totals {
	/*
	 * Of metrics of kind SUM with dimensions NAT. Those from here on in the list have others, and
	 * no place in what is kept: its layout is that of agents before.
	 */
	uint64_t sum[METRIC_ENDPOINT_PACKETS_FROM];
	uint64_t reason_packets[NATXDP_REASON_COUNT];
	uint64_t reason_bytes[NATXDP_REASON_COUNT];
};

/* Fills in what the data plane counts and leaves the rest of @totals->sum. */
void totals_count(struct totals *totals, const struct natxdp_counters *counters);

/* Of a packet that ended for this reason: who sent it, as far as the reason tells. */
enum totals_side { SIDE_UNKNOWN, SIDE_SOURCE, SIDE_DESTINATION };

enum totals_side totals_reason_side(enum natxdp_reason reason);

/* Should the NAT have forwarded the packet? */
bool totals_reason_is_fault(enum natxdp_reason reason);

#endif
