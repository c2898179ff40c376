/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "logs.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "results.h"

static const char batch_end[] = "]}";

int64_t aws_logs_create_group(struct aws_client *client, const char *group,
			      const struct aws_caller *caller)
{
	struct aws_body body = { 0 };
	cJSON *input = cJSON_CreateObject();

	cJSON_AddStringToObject(input, "logGroupName", group);
	aws_body_add_json(&body, input);
	return aws_call(client, AWS_OP_CreateLogGroup, &body, caller);
}

int64_t aws_logs_create_stream(struct aws_client *client, const char *group, const char *stream,
			       const struct aws_caller *caller)
{
	struct aws_body body = { 0 };
	cJSON *input = cJSON_CreateObject();

	cJSON_AddStringToObject(input, "logGroupName", group);
	cJSON_AddStringToObject(input, "logStreamName", stream);
	aws_body_add_json(&body, input);
	return aws_call(client, AWS_OP_CreateLogStream, &body, caller);
}

int aws_logs_begin(struct aws_log_batch *batch, const char *group, const char *stream)
{
	*batch = (struct aws_log_batch){ 0 };
	aws_body_add_text(&batch->body, "{\"logGroupName\":");
	aws_body_add_json_string(&batch->body, group, strlen(group));
	aws_body_add_text(&batch->body, ",\"logStreamName\":");
	aws_body_add_json_string(&batch->body, stream, strlen(stream));
	aws_body_add_text(&batch->body, ",\"logEvents\":[");
	if (batch->body.error) {
		aws_logs_drop(batch);
		return -ENOMEM;
	}
	return 0;
}

static bool fits(const struct aws_log_batch *batch, int64_t time_ms, size_t length)
{
	if (!batch->count)
		return true;
	return batch->count < AWS_LOG_EVENTS_MAX && time_ms >= batch->last_ms &&
	       time_ms - batch->first_ms < AWS_LOG_SPAN_MS &&
	       batch->bytes + length + AWS_LOG_EVENT_OVERHEAD <= AWS_LOG_BATCH_MAX;
}

int aws_logs_add(struct aws_log_batch *batch, int64_t time_ms, const char *text, size_t length)
{
	size_t before = batch->body.length;
	char head[64];
	int error;

	if (!length || length > AWS_LOG_EVENT_MAX)
		return -EINVAL;
	if (!fits(batch, time_ms, length))
		return -ENOSPC;
	snprintf(head, sizeof(head),
		 "%s{\"timestamp\":%" PRId64 ",\"message\":", batch->count ? "," : "", time_ms);
	aws_body_add_text(&batch->body, head);
	aws_body_add_json_string(&batch->body, text, length);
	aws_body_add(&batch->body, "}", 1);
	error = batch->body.error;
	/* escapes can make a batch of text that is short enough too long */
	if (!error && batch->body.length + sizeof(batch_end) > AWS_BODY_MAX)
		error = -EMSGSIZE;
	if (error) {
		batch->body.length = before;
		batch->body.error = 0;
		if (error != -EMSGSIZE)
			return error;
		return batch->count ? -ENOSPC : -EINVAL;
	}
	if (!batch->count++)
		batch->first_ms = time_ms;
	batch->last_ms = time_ms;
	batch->bytes += length + AWS_LOG_EVENT_OVERHEAD;
	return 0;
}

int64_t aws_logs_put(struct aws_client *client, struct aws_log_batch *batch,
		     const struct aws_caller *caller)
{
	if (!batch->count)
		return -ENODATA;
	aws_body_add_text(&batch->body, batch_end);
	batch->count = 0;
	batch->bytes = 0;
	return aws_call(client, AWS_OP_PutLogEvents, &batch->body, caller);
}

void aws_logs_drop(struct aws_log_batch *batch)
{
	aws_body_free(&batch->body);
	batch->count = 0;
	batch->bytes = 0;
}

/*
 * API_RejectedLogEventsInfo: the two old ends are the index after the last
 * event that was not taken, the new start is that of the first.
 */
int aws_parse_log_events(const cJSON *answer, struct aws_result *result)
{
	const cJSON *rejected = aws_doc_member(answer, "rejectedLogEventsInfo");
	struct aws_log_verdict *verdict = aws_result_alloc(result, 1, sizeof(*verdict));
	unsigned int expired;

	if (!verdict)
		return -ENOMEM;
	verdict->taken_from = aws_doc_count(rejected, "tooOldLogEventEndIndex");
	expired = aws_doc_count(rejected, "expiredLogEventEndIndex");
	if (verdict->taken_from < expired)
		verdict->taken_from = expired;
	verdict->taken_to = UINT32_MAX;
	if (cJSON_HasObjectItem(rejected, "tooNewLogEventStartIndex"))
		verdict->taken_to = aws_doc_count(rejected, "tooNewLogEventStartIndex");
	result->output = verdict;
	return 0;
}
