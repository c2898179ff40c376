/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * config-guard: has every node prove its data path and compare itself with its
 * configuration (natxdp verify), repairs what differs, and gives a node that
 * will not converge to its Auto Scaling group as unhealthy.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/autoscaling.h"
#include "command.h"
#include "event.h"
#include "functions.h"
#include "job.h"

enum finding {
	FINDING_NONE, /* it did not answer: that is for nat-health-probe to judge */
	FINDING_FINE,
	FINDING_DRIFT, /* differs from its configuration, or its path is broken */
};

enum { VERIFY_WAIT_MS = 60000 };

struct guard {
	struct job *job;
	struct fleet fleet;
	enum finding before[FLEET_NODES_MAX], after[FLEET_NODES_MAX];
	struct outcome *outcome;
};

static enum finding finding_of(const struct outcome *outcome)
{
	if (!outcome->ended || outcome->exit_code < 0)
		return FINDING_NONE;
	return outcome->exit_code ? FINDING_DRIFT : FINDING_FINE;
}

/* What verify said of itself, for people; NULL if that is no JSON. */
static cJSON *report_of(const struct outcome *outcome)
{
	cJSON *report = cJSON_Parse(outcome->output);

	return report ? report : cJSON_CreateString(outcome->errors);
}

static int run_on(struct guard *guard, const char *use, const unsigned int *which,
		  unsigned int count, enum finding *findings)
{
	static const char *const names[] = { "no answer", "fine", "drift" };
	const char *instances[FLEET_NODES_MAX];
	struct aws_document document = { .timeout_s = 30 };
	struct job *job = guard->job;
	int ret;

	document.name = setup_document(job->setup, use, &job->err);
	if (!document.name)
		return -ENOENT;
	for (unsigned int i = 0; i < count; i++)
		instances[i] = guard->fleet.node[which[i]].id;
	ret = command_run(job, &document, VERIFY_WAIT_MS, count, instances, guard->outcome);
	if (ret)
		return ret;
	for (unsigned int i = 0; i < count; i++) {
		enum finding finding = finding_of(&guard->outcome[i]);
		cJSON *fields = cJSON_CreateObject();

		findings[which[i]] = finding;
		cJSON_AddStringToObject(fields, "instance", instances[i]);
		cJSON_AddStringToObject(fields, "action", use);
		cJSON_AddStringToObject(fields, "finding", names[finding]);
		cJSON_AddNumberToObject(fields, "exitCode", guard->outcome[i].exit_code);
		cJSON_AddItemToObject(fields, "report", report_of(&guard->outcome[i]));
		say(finding == FINDING_FINE ? LEVEL_INFO : LEVEL_WARN, fields, "%s: %s: %s",
		    instances[i], use, names[finding]);
	}
	return 0;
}

static void on_quarantined(void *ctx, const struct aws_result *result)
{
	job_ok(ctx, result, "a node cannot be given to its group as unhealthy");
}

/* Never the last one that is fine: a fleet of ill nodes is better than none. */
static void quarantine(struct guard *guard, const struct node *node, unsigned int fine)
{
	cJSON *fields = cJSON_CreateObject();

	cJSON_AddStringToObject(fields, "instance", node->id);
	if (!fine) {
		cJSON_AddStringToObject(fields, "decision", "keep");
		say(LEVEL_ERROR, fields, "%s does not converge, but no other node is fine: kept",
		    node->id);
		return;
	}
	cJSON_AddStringToObject(fields, "action", "SetInstanceHealth");
	cJSON_AddStringToObject(fields, "before", "Healthy");
	cJSON_AddStringToObject(fields, "after", "Unhealthy");
	say(LEVEL_ERROR, fields, "%s does not converge: its group replaces it", node->id);
	job_sent(guard->job,
		 aws_autoscaling_set_health(guard->job->client, node->id, false, true,
					    job_caller(guard->job, on_quarantined, guard->job)));
}

static void publish(struct guard *guard)
{
	const struct setup *setup = guard->job->setup;

	for (unsigned int i = 0; i < guard->fleet.count; i++) {
		const struct node *node = &guard->fleet.node[i];
		const struct gauge_dimension instance[] = { { "AvailabilityZone", node->zone },
							    { "InstanceId", node->id },
							    { NULL, NULL } };
		const struct gauge_dimension zone[] = { { "AvailabilityZone", node->zone },
							{ NULL, NULL } };
		struct gauge gauge = { "ConfigDriftCount", "Count",
				       guard->after[i] == FINDING_DRIFT };

		if (guard->after[i] == FINDING_NONE)
			continue;
		say_gauges(setup->nat, instance, 1, &gauge, false);
		say_gauges(setup->nat, zone, 1, &gauge, false);
	}
}

static int guard_fleet(struct guard *guard, bool dry_run)
{
	unsigned int which[FLEET_NODES_MAX], count = 0, fine = 0, quarantined = 0;
	struct job *job = guard->job;
	int ret;

	for (unsigned int i = 0; i < guard->fleet.count; i++)
		which[count++] = i;
	ret = run_on(guard, "verify", which, count, guard->before);
	if (ret)
		return ret;
	memcpy(guard->after, guard->before, sizeof(guard->after));
	count = 0;
	for (unsigned int i = 0; i < guard->fleet.count; i++) {
		if (guard->before[i] == FINDING_DRIFT)
			which[count++] = i;
	}
	cJSON_AddNumberToObject(job->answer, "drifted", count);
	if (count && !dry_run) {
		ret = run_on(guard, "repair", which, count, guard->after);
		if (ret)
			return ret;
	}
	for (unsigned int i = 0; i < guard->fleet.count; i++)
		fine += guard->after[i] == FINDING_FINE;
	for (unsigned int i = 0; i < guard->fleet.count && !dry_run; i++) {
		if (guard->after[i] != FINDING_DRIFT)
			continue;
		quarantine(guard, &guard->fleet.node[i], fine);
		quarantined += fine != 0;
	}
	ret = job_await(job);
	publish(guard);
	cJSON_AddNumberToObject(job->answer, "fine", fine);
	cJSON_AddNumberToObject(job->answer, "quarantined", quarantined);
	return ret;
}

int fn_config_guard(struct job *job)
{
	struct guard *guard = calloc(1, sizeof(*guard));
	bool dry_run;
	int ret;

	if (guard)
		guard->outcome = calloc(FLEET_NODES_MAX, sizeof(*guard->outcome));
	ret = guard && guard->outcome ?
		      event_bool(job->event, "dry_run", false, &dry_run, &job->err) :
		      job_fail(job, STATUS_SYSTEM, ENOMEM, "out of memory");
	if (!ret) {
		guard->job = job;
		ret = fleet_read(job, "natxdp:module", "nat", &guard->fleet);
	}
	if (!ret) {
		fleet_keep_running(&guard->fleet);
		ret = guard_fleet(guard, dry_run);
	}
	if (guard)
		free(guard->outcome);
	free(guard);
	return ret;
}
