/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * nat-probe-runner: has the probe instances make traffic as a customer's would
 * (SSM documents web and throughput of module probes), and publishes
 * ProbeSuccess, ProbeLatency and ProbeThroughput by zone. What the documents
 * printed is kept in S3, where there is a bucket. By hand:
 *	{"document": "web"}	one of them only
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "event.h"
#include "functions.h"
#include "job.h"
#include "traffic.h"

enum { PROBE_WAIT_MS = 90000 };

struct runner {
	struct job *job;
	struct fleet fleet;
	struct outcome *outcome;
	unsigned int answered;
};

static void publish(struct runner *runner, const struct node *node, const struct traffic *traffic)
{
	const struct gauge_dimension zone[] = { { "AvailabilityZone", node->zone },
						{ NULL, NULL } };
	struct gauge gauges[3];
	unsigned int count = 0;

	if (traffic->tried)
		gauges[count++] = (struct gauge){ "ProbeSuccess", "Percent",
						  100.0 * traffic->done / traffic->tried };
	if (traffic->done)
		gauges[count++] = (struct gauge){ "ProbeLatency", "Milliseconds",
						  traffic->latency_ms };
	if (traffic->bits_per_second > 0)
		gauges[count++] = (struct gauge){ "ProbeThroughput", "Bits/Second",
						  traffic->bits_per_second };
	if (count)
		say_gauges(runner->job->setup->nat, zone, count, gauges, false);
}

static void report(struct runner *runner, const char *use, const struct node *node,
		   const struct outcome *outcome)
{
	cJSON *fields = cJSON_CreateObject();
	struct traffic traffic = { 0 };

	if (outcome->ended)
		traffic_read(&traffic, use, outcome->output);
	runner->answered += outcome->ended;
	cJSON_AddStringToObject(fields, "instance", node->id);
	cJSON_AddStringToObject(fields, "zone", node->zone);
	cJSON_AddStringToObject(fields, "document", use);
	cJSON_AddNumberToObject(fields, "tried", traffic.tried);
	cJSON_AddNumberToObject(fields, "done", traffic.done);
	cJSON_AddNumberToObject(fields, "latencyMs", traffic.latency_ms);
	cJSON_AddNumberToObject(fields, "bitsPerSecond", traffic.bits_per_second);
	cJSON_AddItemToArray(cJSON_GetObjectItem(runner->job->answer, "probes"),
			     cJSON_Duplicate(fields, true));
	cJSON_AddStringToObject(fields, "errors", outcome->errors);
	say(outcome->ended && traffic.done == traffic.tried ? LEVEL_INFO : LEVEL_WARN, fields,
	    "%s: %s: %u of %u", node->id, use, traffic.done, traffic.tried);
	publish(runner, node, &traffic);
}

static int run_document(struct runner *runner, const char *use, const char *name)
{
	const char *bucket = runner->job->setup->results_bucket;
	const struct aws_document document = { .name = name,
					       .timeout_s = 30,
					       .bucket = *bucket ? bucket : NULL,
					       .prefix = *bucket ? use : NULL };
	const char *instances[FLEET_NODES_MAX];
	int ret;

	for (unsigned int i = 0; i < runner->fleet.count; i++)
		instances[i] = runner->fleet.node[i].id;
	ret = command_run(runner->job, &document, PROBE_WAIT_MS, runner->fleet.count, instances,
			  runner->outcome);
	for (unsigned int i = 0; !ret && i < runner->fleet.count; i++)
		report(runner, use, &runner->fleet.node[i], &runner->outcome[i]);
	return ret;
}

static int run_probes(struct runner *runner)
{
	static const char *const uses[] = { "web", "throughput" };
	struct job *job = runner->job;
	const char *only = event_optional(job->event, "document", &job->err), *name;
	unsigned int ran = 0;
	int ret = only ? fleet_read(job, "natxdp:module", "probes", &runner->fleet) : -EINVAL;

	if (ret)
		return ret;
	fleet_keep_running(&runner->fleet);
	if (!runner->fleet.count)
		return job_fail(job, STATUS_STATE, ENOENT,
				"no probe runs: none has the tag natxdp:module = probes");
	cJSON_AddArrayToObject(job->answer, "probes");
	for (unsigned int i = 0; i < sizeof(uses) / sizeof(*uses); i++) {
		name = cJSON_GetStringValue(
			cJSON_GetObjectItemCaseSensitive(job->setup->documents, uses[i]));
		if (!name || (*only && strcmp(only, uses[i])))
			continue;
		ran++;
		ret = run_document(runner, uses[i], name);
		if (ret)
			return ret;
	}
	if (!ran)
		return job_fail(job, STATUS_USAGE, ENOENT, "document %.40s: there is no such one",
				*only ? only : "web");
	if (!runner->answered)
		return job_fail(job, STATUS_SYSTEM, EIO, "no probe answered");
	return 0;
}

int fn_probe_runner(struct job *job)
{
	struct runner *runner = calloc(1, sizeof(*runner));
	int ret;

	if (runner)
		runner->outcome = calloc(FLEET_NODES_MAX, sizeof(*runner->outcome));
	if (runner && runner->outcome) {
		runner->job = job;
		ret = run_probes(runner);
		free(runner->outcome);
	} else {
		ret = job_fail(job, STATUS_SYSTEM, ENOMEM, "out of memory");
	}
	free(runner);
	return ret;
}
