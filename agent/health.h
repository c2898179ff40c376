/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Is the data path in order? Decided from facts that the agent gathers at each
 * sample: pure, so that each way to be ill is a line of a table in a test.
 */
#ifndef NATXDP_AGENT_HEALTH_H
#define NATXDP_AGENT_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

struct health_facts {
	bool active;		 /* the NAT translates */
	unsigned int links;	 /* interfaces it was loaded on */
	unsigned int attached;	 /* of them those that still have its program */
	int64_t linkless_ms;	 /* how long an interface has had no carrier, or is down */
	const char *linkless;	 /* which, for people */
	int64_t sweep_age_ms;	 /* since the timer last passed over the whole table */
	int64_t counters_age_ms; /* since the counters could be read */
	bool draining;		 /* somebody asked this node to leave */
	const char *unproven;	 /* NULL, or why a test packet did not get through */
};

enum {
	HEALTH_LINK_MAX_MS = 2000, /* drivers take it away for a moment when XDP is attached */
	HEALTH_SWEEP_MAX_MS = 15000,
	HEALTH_COUNTERS_MAX_MS = 30000,
};

/* NULL: well. Else what is wrong, for people. */
const char *health_fault(const struct health_facts *facts);

/* May new traffic come here? As health_fault(), and not while it drains. */
const char *health_unready(const struct health_facts *facts);

#endif
