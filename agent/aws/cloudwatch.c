/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "cloudwatch.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	COMPRESS_FROM = 1024,	  /* bytes: less is not worth it */
	BODY_LIMIT = 1000 * 1000, /* "1 MB in size for HTTP POST requests" */
};

int aws_metrics_begin(struct aws_metric_batch *batch, const char *name_space)
{
	*batch = (struct aws_metric_batch){ 0 };
	aws_form_add(&batch->body, "PutMetricData", "Action");
	aws_form_add(&batch->body, aws_services[AWS_CLOUDWATCH].version, "Version");
	aws_form_add(&batch->body, name_space, "Namespace");
	if (batch->body.error) {
		aws_metrics_drop(batch);
		return -ENOMEM;
	}
	return 0;
}

/* API_MetricDatum: values between -2^360 and 2^360, and no special ones. */
static bool is_value(double value)
{
	return isfinite(value) && fabs(value) <= 0x1p360;
}

static bool are_values(const struct aws_metric *metric)
{
	unsigned int i;

	switch (metric->kind) {
	case AWS_METRIC_VALUE:
		return is_value(metric->value);
	case AWS_METRIC_STATISTICS:
		return is_value(metric->statistics.samples) && is_value(metric->statistics.sum) &&
		       is_value(metric->statistics.minimum) && is_value(metric->statistics.maximum);
	case AWS_METRIC_VALUES:
		if (!metric->value_count || metric->value_count > AWS_METRIC_VALUES_MAX)
			return false;
		for (i = 0; i < metric->value_count; i++) {
			if (!is_value(metric->values[i]) ||
			    (metric->counts && !is_value(metric->counts[i])))
				return false;
		}
		return true;
	}
	return false;
}

static bool is_metric(const struct aws_metric *metric)
{
	return metric->name && *metric->name && strlen(metric->name) <= AWS_METRIC_NAME_MAX &&
	       metric->dimension_count <= AWS_METRIC_DIMENSIONS_MAX &&
	       (metric->resolution_s == 0 || metric->resolution_s == 1 ||
		metric->resolution_s == 60) &&
	       are_values(metric);
}

static void add_values(struct aws_body *body, const struct aws_metric *metric, unsigned int n)
{
	unsigned int i;

	switch (metric->kind) {
	case AWS_METRIC_VALUE:
		aws_form_add_number(body, metric->value, "MetricData.member.%u.Value", n);
		return;
	case AWS_METRIC_STATISTICS:
		aws_form_add_number(body, metric->statistics.samples,
				    "MetricData.member.%u.StatisticValues.SampleCount", n);
		aws_form_add_number(body, metric->statistics.sum,
				    "MetricData.member.%u.StatisticValues.Sum", n);
		aws_form_add_number(body, metric->statistics.minimum,
				    "MetricData.member.%u.StatisticValues.Minimum", n);
		aws_form_add_number(body, metric->statistics.maximum,
				    "MetricData.member.%u.StatisticValues.Maximum", n);
		return;
	case AWS_METRIC_VALUES:
		for (i = 0; i < metric->value_count; i++) {
			aws_form_add_number(body, metric->values[i],
					    "MetricData.member.%u.Values.member.%u", n, i + 1);
			if (metric->counts)
				aws_form_add_number(body, metric->counts[i],
						    "MetricData.member.%u.Counts.member.%u", n,
						    i + 1);
		}
	}
}

static void add_metric(struct aws_body *body, const struct aws_metric *metric, unsigned int n)
{
	time_t seconds = metric->timestamp;
	char timestamp[32];
	struct tm tm;
	unsigned int i;

	aws_form_add(body, metric->name, "MetricData.member.%u.MetricName", n);
	aws_form_add(body, metric->unit, "MetricData.member.%u.Unit", n);
	if (gmtime_r(&seconds, &tm) &&
	    strftime(timestamp, sizeof(timestamp), "%Y-%m-%dT%H:%M:%SZ", &tm))
		aws_form_add(body, timestamp, "MetricData.member.%u.Timestamp", n);
	if (metric->resolution_s == 1)
		aws_form_add(body, "1", "MetricData.member.%u.StorageResolution", n);
	for (i = 0; i < metric->dimension_count; i++) {
		aws_form_add(body, metric->dimensions[i].name,
			     "MetricData.member.%u.Dimensions.member.%u.Name", n, i + 1);
		aws_form_add(body, metric->dimensions[i].value,
			     "MetricData.member.%u.Dimensions.member.%u.Value", n, i + 1);
	}
	add_values(body, metric, n);
}

int aws_metrics_add(struct aws_metric_batch *batch, const struct aws_metric *metric)
{
	size_t before = batch->body.length;
	int error;

	if (!is_metric(metric))
		return -EINVAL;
	if (batch->count == AWS_METRICS_MAX)
		return -ENOSPC;
	add_metric(&batch->body, metric, batch->count + 1);
	error = batch->body.error;
	if (!error && batch->body.length > BODY_LIMIT)
		error = -EMSGSIZE;
	if (error) {
		batch->body.length = before;
		batch->body.error = 0;
		return error == -EMSGSIZE ? -ENOSPC : error;
	}
	batch->count++;
	return 0;
}

int64_t aws_metrics_put(struct aws_client *client, struct aws_metric_batch *batch,
			const struct aws_caller *caller)
{
	if (!batch->count)
		return -ENODATA;
	if (batch->body.length >= COMPRESS_FROM)
		aws_body_gzip(&batch->body);
	batch->count = 0;
	return aws_call(client, AWS_OP_PutMetricData, &batch->body, caller);
}

void aws_metrics_drop(struct aws_metric_batch *batch)
{
	aws_body_free(&batch->body);
	batch->count = 0;
}
