/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * CloudWatch Logs. Sequence tokens are no more needed (since January 2023), so
 * batches of one stream may be under way at the same time.
 */
#ifndef NATXDP_AWS_LOGS_H
#define NATXDP_AWS_LOGS_H

#include <stddef.h>
#include <stdint.h>

#include "body.h"
#include "client.h"

/* API_PutLogEvents */
enum aws_log_limits {
	AWS_LOG_EVENTS_MAX = 10000,  /* a batch */
	AWS_LOG_EVENT_OVERHEAD = 26, /* bytes that each event counts beside its text */
	AWS_LOG_BATCH_MAX = 1024 * 1024,
	AWS_LOG_EVENT_MAX = 256 * 1024 - AWS_LOG_EVENT_OVERHEAD,
	AWS_LOG_SPAN_MS = 24 * 3600 * 1000, /* between first and last event */
};

struct aws_log_batch {
	unsigned int count;
	int64_t first_ms, last_ms;
	size_t bytes; /* as the API counts */
	struct aws_body body;
};

/* -> no output; code "ResourceAlreadyExistsException" is as good as AWS_OK */
int64_t aws_logs_create_group(struct aws_client *client, const char *group,
			      const struct aws_caller *caller);
int64_t aws_logs_create_stream(struct aws_client *client, const char *group, const char *stream,
			       const struct aws_caller *caller);

/* @batch may hold anything before, and owns memory after. Returns 0 or -ENOMEM. */
int aws_logs_begin(struct aws_log_batch *batch, const char *group, const char *stream);

/*
 * Adds one event. Returns 0; -ENOSPC if the batch is full, or the event is
 * earlier than the one before (the API wants them in order) or a day later
 * than the first (send, begin another, add again); -EINVAL if it is empty or
 * too long for any batch; -ENOMEM. The batch is as before unless 0.
 */
int aws_logs_add(struct aws_log_batch *batch, int64_t time_ms, const char *text, size_t length);

/* Output of PutLogEvents: those events were taken whose index in the batch is */
struct aws_log_verdict {
	uint32_t taken_from; /* at least this (before it: too old), */
	uint32_t taken_to; /* and less than this (from there on: too new); UINT32_MAX: to the end */
};

/*
 * Sends and empties the batch. Returns as aws_call(), -ENODATA if it is empty.
 * -> struct aws_log_verdict; code "ResourceNotFoundException": create the stream first
 */
int64_t aws_logs_put(struct aws_client *client, struct aws_log_batch *batch,
		     const struct aws_caller *caller);

void aws_logs_drop(struct aws_log_batch *batch);

#endif
