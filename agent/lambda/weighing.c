/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "weighing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "aws/elb.h"
#include "ha/weigh.h"
#include "holder.h"
#include "job.h"

enum {
	ROUNDS = 4,	/* look, call, look again: Describe may show what was before for a while */
	PAUSE_MS = 200, /* between them */
	ARN_MAX = 256,
};

struct weighing {
	struct job *job;
	const struct fleet *fleet;
	struct holders holders;
	struct weigh_zone zone[HOLDERS_MAX];
	char arn[WEIGH_GROUPS_MAX][ARN_MAX];
	struct weigh_groups groups;
};

static void take(struct weighing *w, const struct aws_listener *listener)
{
	w->groups.count = 0;
	if (!listener->forwards || listener->group_count > WEIGH_GROUPS_MAX) {
		job_fail(w->job, STATUS_CONFIG, EINVAL,
			 "the listener's default action is not to forward to a few target groups, "
			 "and nothing else");
		return;
	}
	for (size_t i = 0; i < listener->group_count; i++) {
		snprintf(w->arn[i], ARN_MAX, "%s", listener->groups[i].target_group);
		w->groups.item[w->groups.count++] = (struct aws_weight){
			w->arn[i], listener->groups[i].weight
		};
	}
}

static void on_listener(void *ctx, const struct aws_result *result)
{
	const struct aws_listeners *listeners = result->output;
	struct weighing *w = ctx;

	if (!job_ok(w->job, result, "the weights of the load balancer cannot be read"))
		return;
	if (listeners->count == 1)
		take(w, listeners->items);
	else
		job_fail(w->job, STATUS_CONFIG, ENOENT, "the load balancer has no such listener");
}

static void on_weights(void *ctx, const struct aws_result *result)
{
	job_ok(ctx, result, "the weights of the load balancer cannot be set");
}

/* NULL: it is no node. The node of a zone is named as the zone, its standby begins with that. */
static const char *zone_of(const struct weighing *w, const char *node)
{
	for (unsigned int i = 0; i < w->fleet->count; i++) {
		if (!strcmp(w->fleet->node[i].name, node))
			return w->fleet->node[i].zone;
	}
	for (unsigned int i = 0; i < w->holders.count; i++) {
		const char *zone = w->holders.item[i].zone;
		size_t length = strlen(zone);

		if (!strncmp(node, zone, length) && (!node[length] || node[length] == '-'))
			return zone;
	}
	return NULL;
}

static void say_change(const struct weighing *w, unsigned int zone,
		       const struct weigh_groups *before)
{
	const char *group = w->zone[zone].group;
	cJSON *fields = cJSON_CreateObject();

	cJSON_AddStringToObject(fields, "action", "ModifyListener");
	cJSON_AddStringToObject(fields, "zone", w->zone[zone].name);
	cJSON_AddNumberToObject(fields, "before", weigh_of(before, group));
	cJSON_AddNumberToObject(fields, "after", weigh_of(&w->groups, group));
	say(LEVEL_WARN, fields, "zone %s: its target group has weight %u now", w->zone[zone].name,
	    weigh_of(&w->groups, group));
}

/* All leases, just before the call: a weight follows from who owns which zone. */
static int mend(struct weighing *w, bool *right)
{
	const struct weigh_groups before = w->groups;
	struct job *job = w->job;
	int64_t wrong;
	int ret = holders_read(job, &w->holders);

	for (unsigned int i = 0; i < w->holders.count; i++) {
		const struct holder *holder = &w->holders.item[i].holder;

		w->zone[i].owner = holder->there ? zone_of(w, holder->owner) : NULL;
	}
	wrong = ret ? 0 : weigh(w->zone, w->holders.count, &w->groups);
	*right = !wrong;
	if (!wrong)
		return ret;
	if (wrong < 0)
		return job_fail(job, STATUS_CONFIG, E2BIG,
				"the listener has too many target groups");
	job_sent(job, aws_elb_listener_weights(job->client, job->setup->listener, w->groups.count,
					       w->groups.item, job_caller(job, on_weights, job)));
	ret = job_await(job);
	for (unsigned int i = 0; !ret && i < w->holders.count; i++) {
		if (wrong >> i & 1)
			say_change(w, i, &before);
	}
	return ret;
}

int weighing_run(struct job *job, const struct fleet *fleet)
{
	struct weighing w = { .job = job, .fleet = fleet };
	const struct setup *setup = job->setup;
	bool right = !*setup->listener;
	int ret = 0;

	holders_list(job, &w.holders);
	for (unsigned int i = 0; i < w.holders.count; i++)
		w.zone[i] = (struct weigh_zone){
			.name = w.holders.item[i].zone,
			.group = cJSON_GetStringValue(
				cJSON_GetObjectItemCaseSensitive(setup->target_groups,
								 w.holders.item[i].zone)),
		};
	for (unsigned int i = 0; !ret && !right && i < ROUNDS; i++) {
		if (i)
			job_pause(job, PAUSE_MS);
		job_sent(job, aws_elb_describe_listener(job->client, setup->listener,
							job_caller(job, on_listener, &w)));
		ret = job_await(job);
		if (!ret)
			ret = mend(&w, &right);
	}
	if (!ret && !right)
		return job_fail(job, STATUS_SYSTEM, EAGAIN,
				"the weights of the load balancer do not stay as they were set");
	return ret;
}
