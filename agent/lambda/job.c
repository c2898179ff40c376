/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "job.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

/* A call that is under way. */
struct sent {
	struct job *job;
	aws_done done;
	void *ctx;
	struct aws_caller caller;
};

static struct sent *last; /* between job_caller() and job_sent() */

int64_t job_left_ms(const struct job *job)
{
	int64_t left = job->end_ms - loop_monotonic_ms();

	return left > 0 ? left : 0;
}

static void end_call(struct sent *sent, const struct aws_result *result)
{
	sent->done(sent->ctx, result);
	if (!--sent->job->pending)
		loop_stop(sent->job->loop);
	free(sent);
}

static void on_done(void *ctx, const struct aws_result *result)
{
	end_call(ctx, result);
}

const struct aws_caller *job_caller(struct job *job, aws_done done, void *ctx)
{
	int64_t left = job_left_ms(job);

	last = calloc(1, sizeof(*last));
	if (!last) {
		perror("natxdp");
		abort(); /* the service starts another one */
	}
	last->job = job;
	last->done = done;
	last->ctx = ctx;
	last->caller.done = on_done;
	last->caller.ctx = last;
	last->caller.budget_ms = left ? left : 1;
	job->pending++;
	return &last->caller;
}

void job_sent(struct job *job, int64_t call)
{
	struct aws_result result = { .fault = AWS_UNREACHABLE };
	struct sent *sent = last;

	last = NULL;
	(void)job;
	if (call > 0)
		return;
	snprintf(result.message, sizeof(result.message), "the call was not made: %s",
		 strerror((int)-call));
	end_call(sent, &result);
}

int job_await(struct job *job)
{
	bool failed;

	while (job->pending) {
		int ret = loop_run(job->loop);

		if (ret)
			return job_fail(job, STATUS_SYSTEM, -ret, "event loop: %s", strerror(-ret));
	}
	failed = job->failed;
	job->failed = false;
	return failed ? -EIO : 0;
}

static void on_pause(void *ctx)
{
	loop_stop(ctx);
}

bool job_pause(struct job *job, int64_t ms)
{
	int64_t left = job_left_ms(job);
	int timer;

	if (!left || ms <= 0)
		return left > 0;
	timer = loop_timer(job->loop, on_pause, job->loop);
	if (timer < 0)
		return false;
	loop_timer_once(timer, ms < left ? ms : left);
	loop_run(job->loop);
	loop_timer_free(job->loop, timer);
	return job_left_ms(job) > 0;
}

bool job_ok(struct job *job, const struct aws_result *result, const char *what)
{
	cJSON *fields;

	if (result->fault == AWS_OK)
		return true;
	fields = cJSON_CreateObject();
	cJSON_AddStringToObject(fields, "call", aws_calls[result->op].action);
	cJSON_AddStringToObject(fields, "fault", aws_fault_name(result->fault));
	cJSON_AddStringToObject(fields, "code", result->code);
	cJSON_AddStringToObject(fields, "awsRequestId", result->request_id);
	cJSON_AddNumberToObject(fields, "attempts", result->attempts);
	say(LEVEL_ERROR, fields, "%s: %s", what, result->message);
	job_fail(job, STATUS_SYSTEM, EIO, "%s: %s (%s)", what, result->message,
		 *result->code ? result->code : aws_fault_name(result->fault));
	return false;
}

int job_fail(struct job *job, enum exit_status status, int error, const char *fmt, ...)
{
	va_list args;

	job->failed = true;
	if (!job->err.status) {
		job->err.status = status;
		va_start(args, fmt);
		vsnprintf(job->err.text, sizeof(job->err.text), fmt, args);
		va_end(args);
	}
	return -abs(error);
}

int job_failure(const struct job *job)
{
	return job->err.status ? -EIO : 0;
}
