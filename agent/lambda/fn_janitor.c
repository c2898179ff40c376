/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * nat-janitor: removes what was left over, and only says so in a dry run, which
 * is the default. Left over is what bears the tags of this NAT and
 * natxdp:ephemeral = true, and is old: instances by their launch, interfaces
 * that are attached to nothing and addresses that are associated with nothing
 * by the tag natxdp:created (Unix seconds). Targets are left over when their
 * instance is none of the NAT's. By hand: {"dry_run": false, "max_age_s": 3600}
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aws/ec2.h"
#include "aws/elb.h"
#include "event.h"
#include "fleet.h"
#include "functions.h"
#include "job.h"
#include "loop.h"

enum { LEFT_MAX = 256, LEFT_ID_MAX = 64, TOKEN_MAX = 1024 };

enum kind { KIND_INSTANCE, KIND_INTERFACE, KIND_ADDRESS, KIND_TARGET };

struct left {
	enum kind kind;
	char id[LEFT_ID_MAX];
	unsigned int port;	  /* of a target */
	const char *target_group; /* of a target */
};

struct janitor {
	struct job *job;
	bool dry_run;
	int64_t now, max_age; /* s */
	struct fleet nodes, ephemeral;
	const char *target_group; /* that is being read */
	char token[TOKEN_MAX];
	unsigned int count, unknown, removed;
	struct left left[LEFT_MAX];
};

/* Seconds since 1970 of "2026-11-28T12:00:00.000Z" or "1764331200"; 0: neither. */
static int64_t read_time(const char *text)
{
	struct tm parts = { 0 };
	char *end = NULL;
	int64_t seconds;

	if (strptime(text, "%Y-%m-%dT%H:%M:%S", &parts))
		return timegm(&parts);
	errno = 0;
	seconds = strtoll(text, &end, 10);
	return !errno && end != text && !*end ? seconds : 0;
}

/* What has no age is never old; it is counted, so that somebody looks. */
static bool is_old(struct janitor *janitor, const char *since)
{
	int64_t began = read_time(since);

	janitor->unknown += began <= 0;
	return began > 0 && janitor->now - began > janitor->max_age;
}

static struct left *add(struct janitor *janitor, enum kind kind, const char *id)
{
	struct left *left = &janitor->left[janitor->count];

	if (janitor->count == LEFT_MAX)
		return NULL; /* the rest is for the next time */
	memset(left, 0, sizeof(*left));
	left->kind = kind;
	snprintf(left->id, sizeof(left->id), "%s", id);
	janitor->count++;
	return left;
}

static const char *tag_of(const struct aws_tag *tags, size_t count, const char *key)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(tags[i].key, key))
			return tags[i].value;
	}
	return "";
}

static void on_interfaces(void *ctx, const struct aws_result *result)
{
	const struct aws_interfaces *interfaces = result->output;
	struct janitor *janitor = ctx;

	*janitor->token = '\0';
	if (!job_ok(janitor->job, result, "the interfaces cannot be read"))
		return;
	for (size_t i = 0; i < interfaces->count; i++) {
		const struct aws_interface *item = &interfaces->items[i];

		if (!strcmp(item->status, "available") &&
		    is_old(janitor, tag_of(item->tags, item->tag_count, "natxdp:created")))
			add(janitor, KIND_INTERFACE, item->id);
	}
	snprintf(janitor->token, sizeof(janitor->token), "%s", interfaces->next_token);
}

static void on_addresses(void *ctx, const struct aws_result *result)
{
	const struct aws_addresses *addresses = result->output;
	struct janitor *janitor = ctx;

	if (!job_ok(janitor->job, result, "the addresses cannot be read"))
		return;
	for (size_t i = 0; i < addresses->count; i++) {
		const struct aws_address *item = &addresses->items[i];

		if (!*item->association &&
		    is_old(janitor, tag_of(item->tags, item->tag_count, "natxdp:created")))
			add(janitor, KIND_ADDRESS, item->allocation);
	}
}

static void on_targets(void *ctx, const struct aws_result *result)
{
	const struct aws_target_states *states = result->output;
	struct janitor *janitor = ctx;
	struct left *left;

	if (!job_ok(janitor->job, result, "the targets cannot be read"))
		return;
	for (size_t i = 0; i < states->count; i++) {
		const struct aws_target_state *state = &states->items[i];

		if (strncmp(state->id, "i-", 2) || !strcmp(state->state, "draining") ||
		    fleet_find(&janitor->nodes, state->id))
			continue;
		left = add(janitor, KIND_TARGET, state->id);
		if (left) {
			left->port = state->port;
			left->target_group = janitor->target_group;
		}
	}
}

static int find_interfaces_and_addresses(struct janitor *janitor)
{
	static const char *const yes = "true";
	struct job *job = janitor->job;
	const struct aws_filter filters[] = {
		{ "tag:natxdp:nat", 1, &job->setup->nat },
		{ "tag:natxdp:ephemeral", 1, &yes },
	};
	struct aws_query query = { .filter_count = 2, .filters = filters };
	int ret;

	job_sent(job, aws_ec2_describe_addresses(job->client, &query,
						 job_caller(job, on_addresses, janitor)));
	ret = job_await(job);
	query.page_size = 100;
	do {
		if (ret)
			return ret;
		query.next_token = *janitor->token ? janitor->token : NULL;
		job_sent(job, aws_ec2_describe_interfaces(job->client, &query,
							  job_caller(job, on_interfaces, janitor)));
		ret = job_await(job);
	} while (!ret && *janitor->token);
	return ret;
}

static int find_left(struct janitor *janitor)
{
	struct job *job = janitor->job;
	const cJSON *group;
	int ret = fleet_read(job, "natxdp:module", "nat", &janitor->nodes);

	if (!ret)
		ret = fleet_read(job, "natxdp:ephemeral", "true", &janitor->ephemeral);
	if (!ret)
		ret = find_interfaces_and_addresses(janitor);
	if (ret)
		return ret;
	for (unsigned int i = 0; i < janitor->ephemeral.count; i++) {
		const struct node *node = &janitor->ephemeral.node[i];

		if (strcmp(node->state, "shutting-down") && is_old(janitor, node->launched))
			add(janitor, KIND_INSTANCE, node->id);
	}
	cJSON_ArrayForEach(group, job->setup->target_groups) {
		janitor->target_group = group->valuestring;
		job_sent(job, aws_elb_target_health(job->client, group->valuestring, 0, NULL,
						    job_caller(job, on_targets, janitor)));
		ret = job_await(job);
		if (ret)
			return ret;
	}
	return 0;
}

static void on_removed(void *ctx, const struct aws_result *result)
{
	struct janitor *janitor = ctx;

	/* somebody else was faster, or this is the same event again */
	if (strstr(result->code, "NotFound") || !strcmp(result->code, "InvalidTarget"))
		return;
	if (job_ok(janitor->job, result, "what was left over cannot be removed"))
		janitor->removed++;
}

static void remove_one(struct janitor *janitor, const struct left *left)
{
	struct job *job = janitor->job;
	const struct aws_target_id target = { left->id, left->port };
	const struct aws_caller *caller = job_caller(job, on_removed, janitor);

	switch (left->kind) {
	case KIND_INSTANCE:
		job_sent(job, aws_ec2_terminate_instance(job->client, left->id, caller));
		break;
	case KIND_INTERFACE:
		job_sent(job, aws_ec2_delete_interface(job->client, left->id, caller));
		break;
	case KIND_ADDRESS:
		job_sent(job, aws_ec2_release_address(job->client, left->id, caller));
		break;
	case KIND_TARGET:
		job_sent(job,
			 aws_elb_deregister(job->client, left->target_group, 1, &target, caller));
		break;
	}
}

static int clean(struct janitor *janitor)
{
	static const char *const kinds[] = { "instance", "interface", "address", "target" };
	static const char *const actions[] = { "TerminateInstances", "DeleteNetworkInterface",
					       "ReleaseAddress", "DeregisterTargets" };
	struct job *job = janitor->job;
	cJSON *list = cJSON_AddArrayToObject(job->answer, "left");
	int ret;

	for (unsigned int i = 0; i < janitor->count; i++) {
		const struct left *left = &janitor->left[i];
		cJSON *fields = cJSON_CreateObject();

		cJSON_AddStringToObject(fields, "kind", kinds[left->kind]);
		cJSON_AddStringToObject(fields, "id", left->id);
		cJSON_AddItemToArray(list, cJSON_Duplicate(fields, true));
		cJSON_AddStringToObject(fields, "action", actions[left->kind]);
		cJSON_AddBoolToObject(fields, "dryRun", janitor->dry_run);
		say(LEVEL_INFO, fields, "%s %s %s", kinds[left->kind], left->id,
		    janitor->dry_run ? "would be removed" : "is removed");
		if (!janitor->dry_run)
			remove_one(janitor, left);
	}
	cJSON_AddBoolToObject(job->answer, "dryRun", janitor->dry_run);
	cJSON_AddNumberToObject(job->answer, "withoutAge", janitor->unknown);
	if (janitor->unknown)
		say(LEVEL_WARN, NULL, "%u have no tag natxdp:created with a time and stay",
		    janitor->unknown);
	ret = job_await(job);
	if (!janitor->dry_run)
		say_everywhere(job->setup,
			       &(struct gauge){ "JanitorRemovedCount", "Count", janitor->removed });
	return ret;
}

int fn_janitor(struct job *job)
{
	struct janitor *janitor = calloc(1, sizeof(*janitor));
	const cJSON *age = event_member(job->event, "max_age_s");
	int ret;

	if (!janitor)
		return job_fail(job, STATUS_SYSTEM, ENOMEM, "out of memory");
	janitor->job = job;
	janitor->now = loop_wall_ms() / 1000;
	janitor->max_age = job->setup->janitor_age_s;
	ret = event_bool(job->event, "dry_run", job->setup->dry_run, &janitor->dry_run, &job->err);
	if (!ret && age && !(cJSON_IsNumber(age) && age->valuedouble >= 60))
		ret = job_fail(job, STATUS_USAGE, EINVAL,
			       "max_age_s of the event is no number of 60 seconds or more");
	if (!ret && age)
		janitor->max_age = (int64_t)age->valuedouble;
	if (!ret)
		ret = find_left(janitor);
	if (!ret)
		ret = clean(janitor);
	free(janitor);
	return ret;
}
