/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "loop.h"

enum {
	POLL_FIRST_MS = 100,
	POLL_MAX_MS = 2000,
};

/* One instance. */
struct run {
	const char *instance;
	struct outcome *outcome;
	char command[64]; /* "": not under way */
};

static void note(const struct run *run, const struct aws_result *result, const char *what)
{
	cJSON *fields = cJSON_CreateObject();

	cJSON_AddStringToObject(fields, "instance", run->instance);
	cJSON_AddStringToObject(fields, "code", result->code);
	say(LEVEL_WARN, fields, "%s: %s", what, result->message);
	snprintf(run->outcome->errors, sizeof(run->outcome->errors), "%s: %.400s",
		 *result->code ? result->code : aws_fault_name(result->fault), result->message);
}

static void on_sent(void *ctx, const struct aws_result *result)
{
	const struct aws_command *command = result->output;
	struct run *run = ctx;

	if (result->fault != AWS_OK)
		note(run, result, "the command cannot be sent");
	else
		snprintf(run->command, sizeof(run->command), "%s", command->id);
}

static bool is_over(const char *status)
{
	return strcmp(status, "Pending") && strcmp(status, "InProgress") &&
	       strcmp(status, "Delayed") && strcmp(status, "Cancelling");
}

static void on_invocation(void *ctx, const struct aws_result *result)
{
	const struct aws_invocation *invocation = result->output;
	struct run *run = ctx;

	if (result->fault != AWS_OK) {
		/* it takes a moment until the instance's part of a command exists */
		if (strcmp(result->code, "InvocationDoesNotExist")) {
			note(run, result, "the outcome of the command is not known");
			*run->command = '\0';
		}
		return;
	}
	if (!is_over(invocation->status))
		return;
	*run->command = '\0';
	run->outcome->ended = true;
	run->outcome->exit_code = invocation->exit_code;
	snprintf(run->outcome->status, sizeof(run->outcome->status), "%s", invocation->status);
	snprintf(run->outcome->output, sizeof(run->outcome->output), "%s", invocation->output);
	snprintf(run->outcome->errors, sizeof(run->outcome->errors), "%.500s", invocation->errors);
}

/* Asks for those under way. Returns how many. */
static unsigned int poll_all(struct job *job, struct run *runs, unsigned int count)
{
	unsigned int asked = 0;

	for (unsigned int i = 0; i < count; i++) {
		if (!*runs[i].command)
			continue;
		asked++;
		job_sent(job,
			 aws_ssm_get_command_invocation(job->client, runs[i].command,
							runs[i].instance,
							job_caller(job, on_invocation, &runs[i])));
	}
	job_await(job);
	return asked;
}

static void start_all(struct job *job, const struct aws_document *document, struct run *runs,
		      unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		job_sent(job, aws_ssm_send_document(job->client, document, 1, &runs[i].instance,
						    job_caller(job, on_sent, &runs[i])));
	job_await(job);
}

int command_run(struct job *job, const struct aws_document *document, int64_t wait_ms,
		unsigned int count, const char *const *instances, struct outcome *outcomes)
{
	int64_t end = loop_monotonic_ms() + (wait_ms ? wait_ms : job_left_ms(job));
	struct run *runs = calloc(count ? count : 1, sizeof(*runs));
	int64_t delay = POLL_FIRST_MS;

	if (!runs)
		return job_fail(job, STATUS_SYSTEM, ENOMEM, "out of memory");
	for (unsigned int i = 0; i < count; i++) {
		memset(&outcomes[i], 0, sizeof(outcomes[i]));
		outcomes[i].exit_code = -1;
		runs[i].instance = instances[i];
		runs[i].outcome = &outcomes[i];
	}
	start_all(job, document, runs, count);
	while (poll_all(job, runs, count) && loop_monotonic_ms() + delay < end &&
	       job_pause(job, delay)) {
		delay *= 2;
		if (delay > POLL_MAX_MS)
			delay = POLL_MAX_MS;
	}
	for (unsigned int i = 0; i < count; i++) {
		if (*runs[i].command)
			snprintf(outcomes[i].errors, sizeof(outcomes[i].errors),
				 "no answer in time");
	}
	free(runs);
	return 0;
}
