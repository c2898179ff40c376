/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "candidates.h"

#include <string.h>

#include "aws/ec2.h"
#include "aws/elb.h"
#include "job.h"

struct reading {
	struct job *job;
	struct candidates *candidates;
};

static struct candidate *candidate_of(const struct reading *reading, const char *instance)
{
	struct candidates *candidates = reading->candidates;
	struct node *node = fleet_find(&candidates->fleet, instance);

	return node ? &candidates->item[node - candidates->fleet.node] : NULL;
}

static void on_status(void *ctx, const struct aws_result *result)
{
	const struct aws_instance_statuses *statuses = result->output;
	struct reading *reading = ctx;

	if (!job_ok(reading->job, result, "the status of the instances cannot be read"))
		return;
	for (size_t i = 0; i < statuses->count; i++) {
		const struct aws_instance_status *status = &statuses->items[i];
		struct candidate *candidate = candidate_of(reading, status->id);

		if (!candidate)
			continue;
		if (!strcmp(status->system, "impaired") || !strcmp(status->instance, "impaired"))
			candidate->instance = OPINION_ILL;
		else if (!strcmp(status->system, "ok") && !strcmp(status->instance, "ok"))
			candidate->instance = OPINION_WELL;
	}
}

static void on_health(void *ctx, const struct aws_result *result)
{
	const struct aws_target_states *states = result->output;
	struct reading *reading = ctx;

	if (!job_ok(reading->job, result, "the target health cannot be read"))
		return;
	for (size_t i = 0; i < states->count; i++) {
		struct candidate *candidate = candidate_of(reading, states->items[i].id);

		if (candidate && !strcmp(states->items[i].state, "healthy"))
			candidate->target = OPINION_WELL;
		else if (candidate && !strcmp(states->items[i].state, "unhealthy"))
			candidate->target = OPINION_ILL;
	}
}

/* Agents are configured with the nodes in the order of their names, as these are in. */
unsigned int candidates_place(const struct job *job, const char *node)
{
	unsigned int place = 0;
	const cJSON *item;

	cJSON_ArrayForEach(item, job->setup->interfaces) {
		if (!strcmp(item->string, node))
			break;
		place++;
	}
	return place;
}

int candidates_read(struct job *job, struct candidates *candidates)
{
	const struct aws_query query = { .page_size = 1000 };
	struct reading reading = { .job = job, .candidates = candidates };
	const cJSON *group;
	int ret;

	memset(candidates, 0, sizeof(*candidates));
	ret = fleet_read(job, "natxdp:module", "nat", &candidates->fleet);
	if (ret)
		return ret;
	for (unsigned int i = 0; i < candidates->fleet.count; i++) {
		const struct node *node = &candidates->fleet.node[i];

		candidates->item[i].node = node;
		candidates->item[i].running = !strcmp(node->state, "running");
		candidates->item[i].place = candidates_place(job, node->name);
	}
	job_sent(job, aws_ec2_describe_instance_status(job->client, &query,
						       job_caller(job, on_status, &reading)));
	cJSON_ArrayForEach(group, job->setup->target_groups)
		job_sent(job, aws_elb_target_health(job->client, group->valuestring, 0, NULL,
						    job_caller(job, on_health, &reading)));
	return job_await(job);
}

int candidates_count_zones(struct job *job, struct candidates *candidates)
{
	struct holders holders;
	int ret;

	holders_list(job, &holders);
	ret = holders_read(job, &holders);
	for (unsigned int i = 0; !ret && i < holders.count; i++) {
		for (unsigned int j = 0; j < candidates->fleet.count; j++)
			candidates->item[j].load += !strcmp(candidates->fleet.node[j].name,
							    holders.item[i].holder.owner);
	}
	return ret;
}
