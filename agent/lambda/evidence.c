/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TARGETS_MAX = 64 };

enum verdict evidence_judge(const struct evidence *evidence, double *percent)
{
	*percent = 0;
	if (evidence->asked) {
		*percent = 100.0 * evidence->reached / evidence->asked;
		return 2 * evidence->reached > evidence->asked ? VERDICT_REACHES : VERDICT_CUT_OFF;
	}
	if (evidence->agent == OPINION_ILL && evidence->target != OPINION_WELL)
		return VERDICT_CUT_OFF;
	return VERDICT_UNKNOWN;
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
	for (const char *line = output; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		if (evidence->asked == TARGETS_MAX ||
		    sscanf(line, "%255s %lf", name, &seconds) != 2)
			continue;
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
