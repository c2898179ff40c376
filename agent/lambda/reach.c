/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "reach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "job.h"

struct reach {
	struct commands *commands;
	unsigned int expected, count;
	unsigned int node[FLEET_NODES_MAX]; /* of the fleet */
	const char *instance[FLEET_NODES_MAX];
	char targets[1024];
	struct outcome outcome[FLEET_NODES_MAX];
};

static unsigned int count_targets(const char *list)
{
	unsigned int count = *list != '\0';

	for (; *list; list++)
		count += *list == ',';
	return count;
}

static struct commands *send(struct reach *reach, struct job *job)
{
	const struct aws_document_parameter parameter = { "targets", reach->targets };
	const struct aws_document document = { .name = setup_document(job->setup, "reach",
								      &job->err),
					       .parameter_count = 1,
					       .parameters = &parameter,
					       .timeout_s = 30 };

	if (!document.name)
		return NULL;
	reach->expected = count_targets(job->setup->probe_targets);
	if (!reach->expected) {
		job_fail(job, STATUS_CONFIG, EINVAL,
			 "NATXDP_PROBE_TARGETS is not set: host:port, with commas between");
		return NULL;
	}
	snprintf(reach->targets, sizeof(reach->targets), "%s", job->setup->probe_targets);
	for (char *comma = reach->targets; (comma = strchr(comma, ',')); comma++)
		*comma = ' ';
	return commands_start(job, &document, reach->count, reach->instance, reach->outcome);
}

struct reach *reach_start(struct job *job, const struct fleet *fleet)
{
	struct reach *reach = calloc(1, sizeof(*reach));

	if (!reach) {
		job_fail(job, STATUS_SYSTEM, ENOMEM, "out of memory");
		return NULL;
	}
	for (unsigned int i = 0; i < fleet->count; i++) {
		if (strcmp(fleet->node[i].state, "running"))
			continue;
		reach->node[reach->count] = i;
		reach->instance[reach->count++] = fleet->node[i].id;
	}
	reach->commands = send(reach, job);
	if (reach->commands)
		return reach;
	free(reach);
	return NULL;
}

unsigned int reach_wait(struct reach *reach, int64_t ms, struct evidence *evidence)
{
	unsigned int left = commands_wait(reach->commands, ms);

	for (unsigned int i = 0; i < reach->count; i++) {
		if (reach->outcome[i].ended)
			evidence_read(&evidence[reach->node[i]], reach->outcome[i].output,
				      reach->expected);
	}
	return left;
}

void reach_end(struct reach *reach)
{
	if (!reach)
		return;
	commands_end(reach->commands);
	free(reach);
}
