/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "routing.h"

#include <errno.h>
#include <string.h>

#include "aws/ssm.h"
#include "job.h"
#include "loop.h"

struct reading {
	struct job *job;
	cJSON *routing;
};

static void on_parameter(void *ctx, const struct aws_result *result)
{
	const struct aws_parameter *parameter = result->output;
	struct reading *reading = ctx;

	if (!strcmp(result->code, "ParameterNotFound")) {
		reading->routing = cJSON_CreateObject();
		return;
	}
	if (!job_ok(reading->job, result, "the routing parameter cannot be read"))
		return;
	reading->routing = cJSON_Parse(*parameter->value ? parameter->value : "{}");
	if (!cJSON_IsObject(reading->routing))
		job_fail(reading->job, STATUS_CONFIG, EINVAL,
			 "the parameter %s is no JSON object: mend it, or set it to {}",
			 reading->job->setup->routing_parameter);
}

int routing_read(struct job *job, cJSON **routing)
{
	struct reading reading = { .job = job };
	int ret;

	*routing = NULL;
	if (!*job->setup->routing_parameter)
		return job_fail(job, STATUS_CONFIG, EINVAL, "NATXDP_ROUTING_PARAMETER is not set");
	job_sent(job, aws_ssm_get_parameter(job->client, job->setup->routing_parameter,
					    job_caller(job, on_parameter, &reading)));
	ret = job_await(job);
	if (ret)
		cJSON_Delete(reading.routing);
	else
		*routing = reading.routing;
	return ret;
}

static void on_stored(void *ctx, const struct aws_result *result)
{
	job_ok(ctx, result, "the routing parameter cannot be stored");
}

int routing_store(struct job *job, const cJSON *routing)
{
	char *text = cJSON_PrintUnformatted(routing);

	if (!text)
		return job_fail(job, STATUS_SYSTEM, ENOMEM, "out of memory");
	job_sent(job, aws_ssm_put_parameter(job->client, job->setup->routing_parameter, text, true,
					    job_caller(job, on_stored, job)));
	cJSON_free(text);
	return job_await(job);
}

void routing_note(cJSON *routing, const char *zone, const char *owner, uint64_t epoch,
		  const char *why)
{
	cJSON *zones = cJSON_GetObjectItemCaseSensitive(routing, "zones");
	cJSON *note = cJSON_CreateObject();

	if (!zones)
		zones = cJSON_AddObjectToObject(routing, "zones");
	cJSON_AddStringToObject(note, "owner", owner);
	cJSON_AddNumberToObject(note, "epoch", (double)epoch);
	cJSON_AddStringToObject(note, "why", why);
	cJSON_AddNumberToObject(note, "at", (double)(loop_wall_ms() / 1000));
	cJSON_DeleteItemFromObjectCaseSensitive(zones, zone);
	cJSON_AddItemToObject(zones, zone, note);
}
