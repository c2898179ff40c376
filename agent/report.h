/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Top talkers of an interval, as events in the embedded metric format, to CloudWatch Logs. */
#ifndef NATXDP_AGENT_REPORT_H
#define NATXDP_AGENT_REPORT_H

#include <stdint.h>

#include "sketch.h"
#include "talkers.h"

struct agent;
struct report;

/* NULL without memory. */
struct report *report_start(struct agent *agent);
void report_stop(struct report *report);

/* An interval has ended. */
void report_interval(struct report *report, int64_t wall_ms);

/*
 * One event; CloudWatch makes TopTalkerBytes with the dimensions NatId, Kind
 * and Rank of it, so that who talks most changes and the number of metrics does
 * not. NULL without memory; to be freed.
 */
char *report_event(const char *nat_id, const char *zone, enum talker_kind kind, unsigned int rank,
		   const struct sketch_item *item, int64_t wall_ms);

#endif
