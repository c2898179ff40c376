/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "fleet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/ec2.h"
#include "job.h"

struct reading {
	struct job *job;
	struct fleet *fleet;
	char token[1024]; /* of the next page; "": none */
};

static const char *tag_of(const struct aws_instance *instance, const char *key)
{
	for (size_t i = 0; i < instance->tag_count; i++) {
		if (!strcmp(instance->tags[i].key, key))
			return instance->tags[i].value;
	}
	return "";
}

static void take(struct fleet *fleet, const struct aws_instance *from)
{
	struct node *node = &fleet->node[fleet->count];

	if (fleet->count == FLEET_NODES_MAX || !strcmp(from->state, "terminated"))
		return;
	memset(node, 0, sizeof(*node));
	snprintf(node->id, sizeof(node->id), "%s", from->id);
	snprintf(node->name, sizeof(node->name), "%s", tag_of(from, "natxdp:node"));
	snprintf(node->zone, sizeof(node->zone), "%s", from->zone);
	snprintf(node->state, sizeof(node->state), "%s", from->state);
	snprintf(node->address, sizeof(node->address), "%s", from->private_address);
	snprintf(node->launched, sizeof(node->launched), "%s", from->launch_time);
	if (from->interface_count)
		snprintf(node->interface, sizeof(node->interface), "%s", from->interfaces[0].id);
	node->isolated = *tag_of(from, "natxdp:quarantine");
	fleet->count++;
}

static void on_instances(void *ctx, const struct aws_result *result)
{
	const struct aws_instances *instances = result->output;
	struct reading *reading = ctx;

	*reading->token = '\0';
	if (!job_ok(reading->job, result, "the instances cannot be read"))
		return;
	for (size_t i = 0; i < instances->count; i++)
		take(reading->fleet, &instances->items[i]);
	if (snprintf(reading->token, sizeof(reading->token), "%s", instances->next_token) >=
	    (int)sizeof(reading->token))
		job_fail(reading->job, STATUS_SYSTEM, EMSGSIZE, "a page token is too long");
}

static int by_name(const void *a, const void *b)
{
	const struct node *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->id, y->id);
}

int fleet_read(struct job *job, const char *tag, const char *value, struct fleet *fleet)
{
	char name[FLEET_NAME_MAX];
	const struct aws_filter filters[] = {
		{ "tag:natxdp:nat", 1, &job->setup->nat },
		{ name, 1, &value },
	};
	struct reading reading = { .job = job, .fleet = fleet };
	int ret;

	snprintf(name, sizeof(name), "tag:%s", tag);
	fleet->count = 0;
	do {
		struct aws_query query = { .filter_count = 2,
					   .filters = filters,
					   .page_size = 100 };

		query.next_token = *reading.token ? reading.token : NULL;
		job_sent(job, aws_ec2_describe_instances(job->client, &query,
							 job_caller(job, on_instances, &reading)));
		ret = job_await(job);
	} while (!ret && *reading.token);
	qsort(fleet->node, fleet->count, sizeof(*fleet->node), by_name);
	return ret;
}

void fleet_keep_running(struct fleet *fleet)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < fleet->count; i++) {
		if (!strcmp(fleet->node[i].state, "running"))
			fleet->node[kept++] = fleet->node[i];
	}
	fleet->count = kept;
}

struct node *fleet_find(struct fleet *fleet, const char *instance)
{
	for (unsigned int i = 0; i < fleet->count; i++) {
		if (!strcmp(fleet->node[i].id, instance))
			return &fleet->node[i];
	}
	return NULL;
}
