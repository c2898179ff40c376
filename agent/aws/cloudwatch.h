/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * CloudWatch PutMetricData. A batch takes metrics until one of the API's
 * limits is near, then it is sent, compressed.
 */
#ifndef NATXDP_AWS_CLOUDWATCH_H
#define NATXDP_AWS_CLOUDWATCH_H

#include <stdint.h>

#include "body.h"
#include "client.h"

/* API_PutMetricData, API_MetricDatum */
enum aws_metric_limits {
	AWS_METRICS_MAX = 1000,	     /* a request */
	AWS_METRIC_VALUES_MAX = 150, /* a metric */
	AWS_METRIC_DIMENSIONS_MAX = 30,
	AWS_METRIC_NAME_MAX = 255,
};

struct aws_dimension {
	const char *name;
	const char *value;
};

/* One of: value; statistics; values with their counts. */
enum aws_metric_kind { AWS_METRIC_VALUE, AWS_METRIC_STATISTICS, AWS_METRIC_VALUES };

struct aws_metric {
	const char *name;
	const char *unit;  /* "Count", "Bytes", "Count/Second"...; NULL: none */
	int64_t timestamp; /* seconds since 1970; the API takes two weeks back to 2 h ahead */
	unsigned int resolution_s; /* 1 or 60; 0: 60 */
	unsigned int dimension_count;
	const struct aws_dimension *dimensions;
	enum aws_metric_kind kind;
	double value;
	struct {
		double samples, sum, minimum, maximum;
	} statistics;
	unsigned int value_count;
	const double *values;
	const double *counts; /* of each value; NULL: 1 each */
};

struct aws_metric_batch {
	unsigned int count;
	struct aws_body body;
};

/* @batch may hold anything before, and owns memory after. Returns 0 or -ENOMEM. */
int aws_metrics_begin(struct aws_metric_batch *batch, const char *name_space);

/*
 * Returns 0; -ENOSPC if the batch is full (send it, begin another, add again);
 * -EINVAL if the API would refuse the metric (a value that is not finite or
 * out of range, too many values or dimensions, no name); -ENOMEM. The batch
 * is as before unless 0.
 */
int aws_metrics_add(struct aws_metric_batch *batch, const struct aws_metric *metric);

/* Sends and empties the batch. Returns as aws_call(), -ENODATA if it is empty. No output. */
int64_t aws_metrics_put(struct aws_client *client, struct aws_metric_batch *batch,
			const struct aws_caller *caller);

void aws_metrics_drop(struct aws_metric_batch *batch);

#endif
