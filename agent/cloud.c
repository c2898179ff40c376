/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "cloud.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "aws/cloudwatch.h"
#include "awsclient.h"
#include "err.h"
#include "log.h"
#include "points.h"

struct cloud {
	struct agent *agent;
	struct awsclient *client;
	struct points *queue; /* a ring */
	unsigned int room, first, count;
	unsigned int flying; /* of those at the front: in the request under way */
	bool failing;	     /* has been said already */
};

static struct points *at(struct cloud *cloud, unsigned int i)
{
	return &cloud->queue[(cloud->first + i) % cloud->room];
}

static void lose(struct cloud *cloud, struct points *points)
{
	keep_add(cloud->agent->source.keep, KEEP_DATA_LOST, points->count);
	points_free(points);
}

static void pop(struct cloud *cloud)
{
	points_free(at(cloud, 0));
	cloud->first = (cloud->first + 1) % cloud->room;
	cloud->count--;
}

/* The oldest that is not under way gives its place to the newest. */
static void make_room(struct cloud *cloud)
{
	if (cloud->count < cloud->room)
		return;
	lose(cloud, at(cloud, cloud->flying));
	for (unsigned int i = cloud->flying; i + 1 < cloud->count; i++)
		*at(cloud, i) = *at(cloud, i + 1);
	cloud->count--;
}

static int add_point(struct cloud *cloud, struct aws_metric_batch *batch,
		     const struct points *points, unsigned int *i)
{
	const struct point *point = &points->point[*i];
	const struct metric_info *info = &metric_info[point->metric];
	struct aws_dimension dims[2 + POINT_LABELS] = {
		{ "NatId", cloud->agent->conf.nat_id },
		{ "AvailabilityZone", cloud->agent->zone },
	};
	struct aws_metric metric = {
		.name = info->name,
		.unit = metric_unit_names[info->unit],
		.timestamp = points->time_ms / 1000,
		.dimensions = dims,
	};
	const char *names[POINT_LABELS];
	double cpus[CPUS_MAX];

	metric.dimension_count = 2 + point_dimensions(info->dims, names);
	for (unsigned int j = 2; j < metric.dimension_count; j++)
		dims[j] = (struct aws_dimension){ names[j - 2], point->label[j - 2] };
	if (point->metric == METRIC_SOFTIRQ) {
		metric.kind = AWS_METRIC_VALUES;
		metric.values = cpus;
		while (*i < points->count && points->point[*i].metric == METRIC_SOFTIRQ &&
		       metric.value_count < CPUS_MAX)
			cpus[metric.value_count++] = points->point[(*i)++].value.sum;
		return aws_metrics_add(batch, &metric);
	}
	++*i;
	metric.kind = point->value.samples > 1 ? AWS_METRIC_STATISTICS : AWS_METRIC_VALUE;
	metric.value = point->value.sum;
	metric.statistics.samples = point->value.samples;
	metric.statistics.sum = point->value.sum;
	metric.statistics.minimum = point->value.minimum;
	metric.statistics.maximum = point->value.maximum;
	return aws_metrics_add(batch, &metric);
}

static void add_points(struct cloud *cloud, struct aws_metric_batch *batch,
		       const struct points *points)
{
	unsigned int i = 0, before;

	while (i < points->count) {
		before = i;
		/* refused: no number, or out of the range that the API takes */
		if (add_point(cloud, batch, points, &i))
			keep_add(cloud->agent->source.keep, KEEP_DATA_LOST, i - before);
	}
}

/* The service will never take this data, however often it is sent. */
static bool is_final(const struct aws_result *result)
{
	static const char *const codes[] = { "InvalidParameter", "InvalidFormat",
					     "MissingParameter", "MissingRequiredParameter" };

	for (unsigned int i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		if (result->fault == AWS_REFUSED &&
		    !strncmp(result->code, codes[i], strlen(codes[i])))
			return true;
	}
	return false;
}

static void send_next(struct cloud *cloud);

static void sent(void *ctx, const struct aws_result *result)
{
	struct cloud *cloud = ctx;
	unsigned int flying = cloud->flying;

	cloud->flying = 0;
	if (result->fault != AWS_OK) {
		keep_add(cloud->agent->source.keep, KEEP_API_ERRORS, 1);
		if (!cloud->failing)
			log_error("CloudWatch: %s: %s: %u intervals wait",
				  aws_fault_name(result->fault), result->message, cloud->count);
		cloud->failing = true;
	}
	if (result->fault == AWS_OK) {
		if (cloud->failing)
			log_note("CloudWatch takes metrics again");
		cloud->failing = false;
		while (flying--)
			pop(cloud);
		send_next(cloud);
	} else if (result->maybe_done || is_final(result)) {
		/* sent twice, sums would count twice: one that may be missing is the lesser evil */
		for (; flying; flying--) {
			keep_add(cloud->agent->source.keep, KEEP_DATA_LOST, at(cloud, 0)->count);
			pop(cloud);
		}
	} /* else they go with the next interval */
}

static void send_next(struct cloud *cloud)
{
	struct aws_caller caller = { .done = sent, .ctx = cloud };
	struct aws_metric_batch batch;

	if (cloud->flying || !cloud->count || !*cloud->agent->zone ||
	    aws_metrics_begin(&batch, METRIC_NAMESPACE))
		return;
	while (cloud->flying < cloud->count &&
	       (!cloud->flying || batch.count + at(cloud, cloud->flying)->count <= AWS_METRICS_MAX))
		add_points(cloud, &batch, at(cloud, cloud->flying++));
	if (aws_metrics_put(awsclient_get(cloud->client), &batch, &caller) <= 0)
		cloud->flying = 0;
}

void cloud_interval(struct cloud *cloud, const struct keep_base *base, int64_t wall)
{
	struct points points;

	(void)wall;
	if (cloud->agent->conf.metrics == LEVEL_OFF)
		return;
	if (!points_make(&points, cloud->agent, base)) {
		make_room(cloud);
		cloud->count++;
		*at(cloud, cloud->count - 1) = points;
	}
	send_next(cloud);
}

struct cloud *cloud_start(struct agent *agent, struct err *err)
{
	const struct conf *conf = &agent->conf;
	const struct aws_options options = { 0 };
	struct cloud *cloud = calloc(1, sizeof(*cloud));

	if (cloud)
		cloud->queue = calloc(conf->metrics_queue, sizeof(*cloud->queue));
	if (!cloud || !cloud->queue) {
		free(cloud);
		err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
		return NULL;
	}
	cloud->agent = agent;
	cloud->room = conf->metrics_queue;
	cloud->client = awsclient_new(agent->loop, conf, &options, err);
	if (cloud->client)
		return cloud;
	cloud_stop(cloud);
	return NULL;
}

void cloud_stop(struct cloud *cloud)
{
	if (!cloud)
		return;
	awsclient_free(cloud->client);
	while (cloud->count) {
		keep_add(cloud->agent->source.keep, KEEP_DATA_LOST, at(cloud, 0)->count);
		pop(cloud);
	}
	free(cloud->queue);
	free(cloud);
}

struct aws_client *cloud_client(struct cloud *cloud)
{
	return awsclient_get(cloud->client);
}

unsigned int cloud_waiting(const struct cloud *cloud)
{
	return cloud->count;
}
