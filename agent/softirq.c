/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "softirq.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* proc(5): user nice system idle iowait irq softirq steal; guest is in user already */
enum { COLUMNS = 8, SOFTIRQ_COLUMN = 6 };

static void parse_line(const char *text, struct softirq_cpu *cpu)
{
	char *end;

	memset(cpu, 0, sizeof(*cpu));
	for (int i = 0; i < COLUMNS; i++) {
		uint64_t ticks = strtoull(text, &end, 10);

		if (end == text)
			return;
		text = end;
		cpu->all += ticks;
		if (i == SOFTIRQ_COLUMN)
			cpu->softirq = ticks;
	}
}

unsigned int softirq_parse(const char *text, struct softirq_cpu cpu[CPUS_MAX])
{
	unsigned int count = 0;

	for (const char *line = text; line && count < CPUS_MAX; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, "cpu", 3))
			break;
		if (line[3] == ' ') /* all of them together */
			continue;
		parse_line(line + strcspn(line, " \n"), &cpu[count++]);
	}
	return count;
}

void softirq_open(struct softirq *softirq)
{
	memset(softirq, 0, sizeof(*softirq));
	softirq->fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
}

void softirq_close(struct softirq *softirq)
{
	if (softirq->fd >= 0)
		close(softirq->fd);
	softirq->fd = -1;
}

void softirq_sample(struct softirq *softirq, struct gauges *gauges)
{
	static char text[32768]; /* the lines of CPUs come first */
	struct softirq_cpu now[CPUS_MAX];
	unsigned int cpus;
	ssize_t len;

	gauges->cpus = 0;
	len = softirq->fd < 0 ? -1 : pread(softirq->fd, text, sizeof(text) - 1, 0);
	if (len <= 0)
		return;
	text[len] = '\0';
	cpus = softirq_parse(text, now);
	for (unsigned int i = 0; i < cpus && cpus == softirq->cpus; i++) {
		uint64_t all = now[i].all - softirq->last[i].all;
		uint64_t softirqs = now[i].softirq - softirq->last[i].softirq;

		/* the kernel lets a count go back by a tick at times */
		gauges->softirq[i] = all && softirqs <= all ? 100.0 * softirqs / all : 0;
		gauges->cpus = cpus;
	}
	memcpy(softirq->last, now, sizeof(now));
	softirq->cpus = cpus;
}
