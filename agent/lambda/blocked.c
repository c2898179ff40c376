/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "blocked.h"

#include <errno.h>
#include <string.h>

#include "job.h"

enum { BLOCK_WAIT_MS = 45000 };

struct reading {
	struct job *job;
	cJSON *list;
};

static void on_parameter(void *ctx, const struct aws_result *result)
{
	const struct aws_parameter *parameter = result->output;
	struct reading *reading = ctx;

	if (!strcmp(result->code, "ParameterNotFound")) {
		reading->list = cJSON_CreateArray();
		return;
	}
	if (!job_ok(reading->job, result, "the list of blocked addresses cannot be read"))
		return;
	reading->list = cJSON_Parse(*parameter->value ? parameter->value : "[]");
	if (!cJSON_IsArray(reading->list))
		job_fail(reading->job, STATUS_CONFIG, EINVAL,
			 "the parameter %s is no list of JSON: mend it, or set it to []",
			 reading->job->setup->blocked_parameter);
}

int blocked_read(struct job *job, cJSON **list)
{
	struct reading reading = { .job = job };
	int ret;

	*list = NULL;
	if (!*job->setup->blocked_parameter)
		return job_fail(job, STATUS_CONFIG, EINVAL, "NATXDP_BLOCKED_PARAMETER is not set");
	job_sent(job, aws_ssm_get_parameter(job->client, job->setup->blocked_parameter,
					    job_caller(job, on_parameter, &reading)));
	ret = job_await(job);
	if (ret)
		cJSON_Delete(reading.list);
	else
		*list = reading.list;
	return ret;
}

const char *blocked_address(const cJSON *item)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "address"));
}

/* An address that was not blocked is released. */
static bool is_done(const struct outcome *outcome, bool block)
{
	return outcome->ended &&
	       (!outcome->exit_code || (!block && outcome->exit_code == STATUS_STATE));
}

int blocked_tell(struct job *job, const char *address, bool block, unsigned int count,
		 const char *const *instances, struct outcome *outcomes)
{
	const char *verb = block ? "add" : "del";
	const struct aws_document_parameter parameters[] = { { "verb", verb },
							     { "address", address } };
	struct aws_document document = { .parameter_count = 2,
					 .parameters = parameters,
					 .timeout_s = 30 };
	int ret;

	document.name = setup_document(job->setup, "block", &job->err);
	if (!document.name)
		return -ENOENT;
	ret = command_run(job, &document, BLOCK_WAIT_MS, count, instances, outcomes);
	for (unsigned int i = 0; !ret && i < count; i++) {
		bool done = is_done(&outcomes[i], block);
		cJSON *fields = cJSON_CreateObject();

		cJSON_AddStringToObject(fields, "instance", instances[i]);
		cJSON_AddStringToObject(fields, "address", address);
		cJSON_AddStringToObject(fields, "action", block ? "block" : "release");
		cJSON_AddStringToObject(fields, "errors", outcomes[i].errors);
		say(done ? LEVEL_WARN : LEVEL_ERROR, fields, "%s: block %s %s: %s", instances[i],
		    verb, address, done ? "done" : "failed");
		if (!done)
			job_fail(job, STATUS_SYSTEM, EIO, "%s: block %s %s: %.200s", instances[i],
				 verb, address, outcomes[i].errors);
	}
	return ret;
}
