/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a function says: one line of JSON for each thing that it saw, decided or
 * did, and metrics in CloudWatch's embedded format (EMF), both to stdout, which
 * the Lambda service takes to CloudWatch Logs.
 */
#ifndef NATXDP_LAMBDA_SAY_H
#define NATXDP_LAMBDA_SAY_H

#include <cjson/cJSON.h>

#include "setup.h"

/* Who speaks, from now on. The strings are kept as they are. */
void say_begin(enum level least, const char *function, const char *request);

/*
 * A line with the members of @fields (NULL: none), which is freed. What was
 * done has "action" and, where it applies, "before" and "after".
 */
void say(enum level level, cJSON *fields, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

struct gauge {
	const char *name;
	const char *unit;
	double value;
};

/*
 * Metrics of namespace NATXDP, each under NatId and the dimensions given, which
 * end with a NULL name. @fine: to the second (StorageResolution 1).
 */
struct gauge_dimension {
	const char *name;
	const char *value;
};

/* What is of no zone, under each of them: dashboards and alarms are by zone. */
void say_everywhere(const struct setup *setup, const struct gauge *gauge);

void say_gauges(const char *nat, const struct gauge_dimension *dimensions, unsigned int count,
		const struct gauge *gauges, bool fine);

#endif
