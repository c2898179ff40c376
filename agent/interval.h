/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * From samples to the values of an interval: sums are differences of totals,
 * gauges are statistics over the samples, peaks the highest rate between two
 * samples. Pure: told the time and the samples.
 */
#ifndef NATXDP_AGENT_INTERVAL_H
#define NATXDP_AGENT_INTERVAL_H

#include <stdbool.h>
#include <stdint.h>

#include "scan.h"
#include "totals.h"

enum { CPUS_MAX = 150 }; /* as many values as PutMetricData takes of one metric */

struct statistic {
	double samples, sum, minimum, maximum;
};

/* What is true at one moment, of metrics of kind GAUGE with dimensions NAT. */
struct gauges {
	double value[METRIC_COUNT];
	bool known[METRIC_COUNT];
	double softirq[CPUS_MAX]; /* percent, since the last sample */
	unsigned int cpus;
};

struct sample {
	int64_t monotonic_ms;
	struct totals totals;
	struct gauges gauges;
};

struct interval {
	struct statistic nat[METRIC_COUNT]; /* samples 0: no value */
	struct statistic softirq[CPUS_MAX];
	unsigned int cpus;
	/* of the sample before */
	int64_t rate_min_ms; /* between two samples, or it is no rate */
	bool has_last;
	int64_t last_ms;
	struct totals last;
};

/* A new interval; the last sample stays, as the first rate counts from it. */
void interval_begin(struct interval *interval);

void interval_sample(struct interval *interval, const struct sample *sample);

/* The sums, from @base to the last sample. */
void interval_end(struct interval *interval, const struct totals *base);

/*
 * The end of the interval of @period ms that is over at @wall, or 0 if the one of
 * *@seen goes on. However late the timer is, it belongs to the interval that ended,
 * not to the next; a clock that was set back begins a new one there.
 */
int64_t interval_over(int64_t *seen, int64_t wall, uint32_t period);

void statistic_add(struct statistic *statistic, double value);

/* @now - @then of a counter that may have begun anew. */
uint64_t counter_since(uint64_t now, uint64_t then);

#endif
