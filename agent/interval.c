/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "interval.h"

#include <string.h>

uint64_t counter_since(uint64_t now, uint64_t then)
{
	return now >= then ? now - then : now;
}

void statistic_add(struct statistic *s, double value)
{
	if (!s->samples || value < s->minimum)
		s->minimum = value;
	if (!s->samples || value > s->maximum)
		s->maximum = value;
	s->samples++;
	s->sum += value;
}

int64_t interval_over(int64_t *seen, int64_t wall, uint32_t period)
{
	int64_t before = *seen / period;

	*seen = wall;
	return wall / period > before ? wall / period * period : 0;
}

void interval_begin(struct interval *interval)
{
	memset(interval->nat, 0, sizeof(interval->nat));
	memset(interval->softirq, 0, sizeof(interval->softirq));
	interval->cpus = 0;
}

static double rate(const struct interval *interval, const struct sample *now, enum metric a,
		   enum metric b)
{
	uint64_t moved = counter_since(now->totals.sum[a], interval->last.sum[a]);
	int64_t ms = now->monotonic_ms - interval->last_ms;

	if (b != METRIC_COUNT)
		moved += counter_since(now->totals.sum[b], interval->last.sum[b]);
	return 1000.0 * moved / ms;
}

/* One value an interval, the highest of its samples. */
static void peak(struct statistic *s, double value)
{
	if (s->samples && s->maximum >= value)
		return;
	s->samples = 1;
	s->sum = s->minimum = s->maximum = value;
}

static void sample_peaks(struct interval *interval, const struct sample *now)
{
	if (!interval->has_last || now->monotonic_ms - interval->last_ms < interval->rate_min_ms)
		return;
	peak(&interval->nat[METRIC_PEAK_BYTES_PER_SECOND],
	     rate(interval, now, METRIC_BYTES_IN_FROM_SOURCE, METRIC_BYTES_IN_FROM_DESTINATION));
	peak(&interval->nat[METRIC_PEAK_PACKETS_PER_SECOND],
	     rate(interval, now, METRIC_PACKETS_IN_FROM_SOURCE,
		  METRIC_PACKETS_IN_FROM_DESTINATION));
	peak(&interval->nat[METRIC_PEAK_NEW_FLOWS_PER_SECOND],
	     rate(interval, now, METRIC_NEW_FLOWS, METRIC_COUNT));
}

void interval_sample(struct interval *interval, const struct sample *now)
{
	sample_peaks(interval, now);
	for (int i = 0; i < METRIC_COUNT; i++) {
		if (now->gauges.known[i])
			statistic_add(&interval->nat[i], now->gauges.value[i]);
	}
	interval->cpus = now->gauges.cpus;
	for (unsigned int i = 0; i < interval->cpus; i++)
		statistic_add(&interval->softirq[i], now->gauges.softirq[i]);
	interval->last = now->totals;
	interval->last_ms = now->monotonic_ms;
	interval->has_last = true;
}

void interval_end(struct interval *interval, const struct totals *base)
{
	for (int i = 0; i < METRIC_COUNT; i++) {
		const struct metric_info *m = &metric_info[i];

		if (m->publisher == PUBLISHER_LAMBDA || m->kind != KIND_SUM || m->dims != DIMS_NAT)
			continue;
		interval->nat[i] = (struct statistic){ 0 };
		statistic_add(&interval->nat[i],
			      counter_since(interval->last.sum[i], base->sum[i]));
	}
}
