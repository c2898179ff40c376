/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The values of one interval as CloudWatch is to get them. */
#ifndef NATXDP_AGENT_POINTS_H
#define NATXDP_AGENT_POINTS_H

#include "interval.h"
#include "keep.h"

struct agent;

enum { POINT_LABEL_MAX = 24, POINT_LABELS = 2 };

struct point {
	enum metric metric;
	char label[POINT_LABELS][POINT_LABEL_MAX]; /* values of the further dimensions */
	struct statistic value;
};

struct points {
	int64_t time_ms; /* at which the interval began */
	unsigned int count, room;
	struct point *point;
};

/* 0 or -ENOMEM. Of SoftirqUse there is one point for each CPU, together. */
int points_make(struct points *points, const struct agent *agent, const struct keep_base *base);
void points_free(struct points *points);

/* Names of the further dimensions of @dims. Returns how many. */
unsigned int point_dimensions(enum metric_dims dims, const char *names[POINT_LABELS]);

#endif
