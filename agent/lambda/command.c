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

struct commands {
	struct job *job;
	unsigned int count;
	int64_t delay_ms; /* until they are asked for again */
	struct run run[];
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

/* Asks for those under way. Returns how many still are. */
static unsigned int poll_all(struct commands *commands)
{
	struct job *job = commands->job;
	unsigned int left = 0;

	for (unsigned int i = 0; i < commands->count; i++) {
		struct run *run = &commands->run[i];

		if (*run->command)
			job_sent(job, aws_ssm_get_command_invocation(job->client, run->command,
								     run->instance,
								     job_caller(job, on_invocation,
										run)));
	}
	job_await(job);
	for (unsigned int i = 0; i < commands->count; i++)
		left += *commands->run[i].command != '\0';
	return left;
}

struct commands *commands_start(struct job *job, const struct aws_document *document,
				unsigned int count, const char *const *instances,
				struct outcome *outcomes)
{
	struct commands *commands = calloc(1, sizeof(*commands) + count * sizeof(*commands->run));

	if (!commands) {
		job_fail(job, STATUS_SYSTEM, ENOMEM, "out of memory");
		return NULL;
	}
	commands->job = job;
	commands->count = count;
	commands->delay_ms = POLL_FIRST_MS;
	for (unsigned int i = 0; i < count; i++) {
		struct run *run = &commands->run[i];

		memset(&outcomes[i], 0, sizeof(outcomes[i]));
		outcomes[i].exit_code = -1;
		run->instance = instances[i];
		run->outcome = &outcomes[i];
		job_sent(job, aws_ssm_send_document(job->client, document, 1, &run->instance,
						    job_caller(job, on_sent, run)));
	}
	job_await(job);
	return commands;
}

unsigned int commands_wait(struct commands *commands, int64_t wait_ms)
{
	int64_t end = loop_monotonic_ms() + wait_ms, rest;
	unsigned int left;

	while ((left = poll_all(commands))) {
		rest = end - loop_monotonic_ms();
		if (rest <= 0 || !job_pause(commands->job,
					    rest < commands->delay_ms ? rest : commands->delay_ms))
			break;
		commands->delay_ms *= 2;
		if (commands->delay_ms > POLL_MAX_MS)
			commands->delay_ms = POLL_MAX_MS;
	}
	return left;
}

void commands_end(struct commands *commands)
{
	for (unsigned int i = 0; i < commands->count; i++) {
		struct outcome *outcome = commands->run[i].outcome;

		if (*commands->run[i].command)
			snprintf(outcome->errors, sizeof(outcome->errors), "no answer in time");
	}
	free(commands);
}

int command_run(struct job *job, const struct aws_document *document, int64_t wait_ms,
		unsigned int count, const char *const *instances, struct outcome *outcomes)
{
	struct commands *commands = commands_start(job, document, count, instances, outcomes);

	if (!commands)
		return -ENOMEM;
	commands_wait(commands, wait_ms ? wait_ms : job_left_ms(job));
	commands_end(commands);
	return 0;
}
