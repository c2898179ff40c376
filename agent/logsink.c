/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One batch is filled while others are under way. There is no second copy of
 * them: what the client cannot deliver within its budget is lost and counted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "aws/client.h"
#include "aws/logs.h"
#include "cloud.h"
#include "sinks.h"

enum { FLYING_MAX = 4, RETRY_MS = 5000 };

enum stage { STAGE_GROUP, STAGE_STREAM, STAGE_READY };

struct flight {
	struct logsink *sink;
	unsigned int events;
	int64_t call; /* positive while it is under way */
};

struct logsink {
	struct agent *agent;
	char group[CONF_TEXT_MAX], stream[CONF_TEXT_MAX];
	enum stage stage;
	int64_t asking; /* the call that makes group or stream, 0: none */
	int64_t asked_ms;
	struct aws_log_batch batch;
	struct flight flight[FLYING_MAX];
	struct sink_counts counts;
};

static void made(void *ctx, const struct aws_result *result)
{
	struct logsink *sink = ctx;

	sink->asking = 0;
	if (result->fault == AWS_OK || !strcmp(result->code, "ResourceAlreadyExistsException"))
		sink->stage++;
	else /* a role may write to a group and not make one: the stream's call will tell */
		sink->stage = sink->stage == STAGE_GROUP && result->fault == AWS_REFUSED ?
				      STAGE_STREAM :
				      STAGE_GROUP;
}

static void make(struct logsink *sink)
{
	struct aws_client *client = cloud_client(sink->agent->cloud);
	struct aws_caller caller = { .done = made, .ctx = sink };
	int64_t now = loop_monotonic_ms(), call;

	if (sink->asking ||
	    (sink->stage == STAGE_GROUP && sink->asked_ms && now - sink->asked_ms < RETRY_MS))
		return;
	sink->asked_ms = now;
	call = sink->stage == STAGE_GROUP ?
		       aws_logs_create_group(client, sink->group, &caller) :
		       aws_logs_create_stream(client, sink->group, sink->stream, &caller);
	sink->asking = call > 0 ? call : 0;
}

static unsigned int taken(const struct aws_log_verdict *verdict, unsigned int events)
{
	unsigned int to = verdict->taken_to < events ? verdict->taken_to : events;

	return verdict->taken_from < to ? to - verdict->taken_from : 0;
}

static void put(void *ctx, const struct aws_result *result)
{
	struct flight *flight = ctx;
	struct logsink *sink = flight->sink;
	const struct aws_log_verdict *verdict = result->output;
	unsigned int lost = 0;

	flight->call = 0;
	if (result->fault != AWS_OK) {
		lost = flight->events;
		keep_add(sink->agent->source.keep, KEEP_API_ERRORS, 1);
	} else if (verdict) {
		lost = flight->events - taken(verdict, flight->events);
	}
	if (!strcmp(result->code, "ResourceNotFoundException")) {
		sink->stage = STAGE_GROUP;
		sink->asked_ms = 0;
	}
	sink->counts.lost += lost;
	sink->counts.written += flight->events - lost;
}

static struct flight *free_flight(struct logsink *sink)
{
	for (int i = 0; i < FLYING_MAX; i++) {
		if (sink->flight[i].call <= 0)
			return &sink->flight[i];
	}
	return NULL;
}

/* False if the batch stays as it is. */
static bool send_batch(struct logsink *sink)
{
	struct flight *flight = free_flight(sink);
	struct aws_caller caller = { .done = put, .ctx = flight };

	if (sink->stage != STAGE_READY) {
		make(sink);
		return false;
	}
	if (!flight)
		return false;
	flight->sink = sink;
	flight->events = sink->batch.count;
	flight->call = aws_logs_put(cloud_client(sink->agent->cloud), &sink->batch, &caller);
	if (flight->call <= 0)
		sink->counts.lost += flight->events;
	aws_logs_begin(&sink->batch, sink->group, sink->stream);
	return true;
}

struct logsink *logsink_open(struct agent *agent, const char *group, const char *stream)
{
	struct logsink *sink = calloc(1, sizeof(*sink));

	if (!sink)
		return NULL;
	sink->agent = agent;
	snprintf(sink->group, sizeof(sink->group), "%s", group);
	snprintf(sink->stream, sizeof(sink->stream), "%s", stream);
	if (!aws_logs_begin(&sink->batch, group, stream))
		return sink;
	free(sink);
	return NULL;
}

void logsink_add(struct logsink *sink, int64_t time_ms, const char *text, size_t len)
{
	int ret;

	while (len && text[len - 1] == '\n')
		len--;
	if (sink->batch.count && time_ms < sink->batch.last_ms) /* the API wants them in order */
		time_ms = sink->batch.last_ms;
	ret = aws_logs_add(&sink->batch, time_ms, text, len);
	if (ret == -ENOSPC && send_batch(sink))
		ret = aws_logs_add(&sink->batch, time_ms, text, len);
	if (ret)
		sink->counts.lost++;
}

void logsink_flush(struct logsink *sink)
{
	if (sink->batch.count || sink->stage != STAGE_READY)
		send_batch(sink);
}

struct sink_counts logsink_counts(const struct logsink *sink)
{
	return sink->counts;
}

void logsink_drop(struct logsink *sink)
{
	struct aws_client *client = cloud_client(sink->agent->cloud);

	for (int i = 0; i < FLYING_MAX; i++) {
		if (sink->flight[i].call <= 0)
			continue;
		aws_cancel(client, sink->flight[i].call);
		sink->flight[i].call = 0;
		sink->counts.lost += sink->flight[i].events;
	}
	if (sink->asking)
		aws_cancel(client, sink->asking);
	sink->asking = 0;
	sink->counts.lost += sink->batch.count;
	aws_logs_drop(&sink->batch);
}

void logsink_close(struct logsink *sink)
{
	if (!sink)
		return;
	logsink_drop(sink);
	free(sink);
}
