/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

enum { TARGETS_MAX = 64 };

enum verdict evidence_judge(const struct evidence *evidence, double *percent)
{
	*percent = 0;
	if (evidence->path == OPINION_ILL)
		return VERDICT_CUT_OFF;
	if (evidence->asked) {
		*percent = 100.0 * evidence->reached / evidence->asked;
		return 2 * evidence->reached > evidence->asked ? VERDICT_REACHES : VERDICT_CUT_OFF;
	}
	if (evidence->agent == OPINION_ILL && evidence->target != OPINION_WELL && !evidence->alive)
		return VERDICT_CUT_OFF;
	return VERDICT_UNKNOWN;
}

/* Another configuration than the file's is no fault of the path, nor is a command that failed. */
static enum opinion opinion_of(int status)
{
	switch (status) {
	case STATUS_OK:
	case STATUS_DRIFT:
		return OPINION_WELL;
	case STATUS_NOT_LOADED:
	case STATUS_BROKEN:
		return OPINION_ILL;
	default:
		return OPINION_NONE;
	}
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void evidence_read(struct evidence *evidence, const char *output, unsigned int expected)
{
	double latency[TARGETS_MAX], seconds;
	char name[256];

	evidence->asked = evidence->reached = 0;
	evidence->latency_ms = 0;
	evidence->path = OPINION_NONE;
	for (const char *line = output; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		if (evidence->asked == TARGETS_MAX ||
		    sscanf(line, "%255s %lf", name, &seconds) != 2)
			continue;
		if (!strcmp(name, "natxdp")) {
			evidence->path = opinion_of((int)seconds);
			continue;
		}
		evidence->asked++;
		if (seconds > 0)
			latency[evidence->reached++] = seconds * 1000;
	}
	/* a node that was cut off in the middle has said nothing of the rest */
	if (evidence->asked && evidence->asked < expected)
		evidence->asked = expected;
	if (!evidence->reached)
		return;
	qsort(latency, evidence->reached, sizeof(*latency), by_size);
	evidence->latency_ms = latency[evidence->reached / 2];
}
