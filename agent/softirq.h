/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What share of its time each CPU spends in soft interrupts, from /proc/stat. */
#ifndef NATXDP_AGENT_SOFTIRQ_H
#define NATXDP_AGENT_SOFTIRQ_H

#include <stddef.h>
#include <stdint.h>

#include "interval.h"

struct softirq_cpu {
	uint64_t softirq, all; /* clock ticks since boot */
};

struct softirq {
	int fd;
	unsigned int cpus;
	struct softirq_cpu last[CPUS_MAX];
};

/* Reads the cpuN lines of @text. Returns how many CPUs there are. */
unsigned int softirq_parse(const char *text, struct softirq_cpu cpu[CPUS_MAX]);

void softirq_open(struct softirq *softirq);
void softirq_close(struct softirq *softirq);

/* Percent since the last call; no CPUs at the first one. */
void softirq_sample(struct softirq *softirq, struct gauges *gauges);

#endif
