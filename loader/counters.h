/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The counters of all CPUs, and the names that include/natxdp/reasons.h gives them. */
#ifndef NATXDP_COUNTERS_H
#define NATXDP_COUNTERS_H

#include <netinet/in.h>
#include <linux/types.h>
#include <stdint.h>

#include <natxdp/reasons.h>

struct nat;

enum verdict { VERDICT_FORWARD, VERDICT_PASS, VERDICT_DROP, VERDICT_REPLY, VERDICTS };

struct counter_name {
	enum verdict verdict;
	const char *name;
	const char *text;
};

extern const char *const verdict_names[VERDICTS];
extern const struct counter_name reason_names[NATXDP_REASON_COUNT];
extern const struct counter_name event_names[NATXDP_EVENT_COUNT]; /* no verdict */

/* Of what hosts have sent: without the probes (probe.h). Returns 0 or -errno. */
int counters_read(const struct nat *nat, struct natxdp_counters *sum);

/* Flows in the table now. */
uint64_t counters_flows(const struct natxdp_counters *sum);

#endif
