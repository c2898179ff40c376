/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * asg-lifecycle-handler. An instance that starts gets what only the API can give
 * it (no source/destination check, in gwlb mode an Elastic IP, its place in the
 * target group), must prove its data path, and only then comes into service. One
 * that stops hands over its zones first, and leaves the target group.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/autoscaling.h"
#include "aws/ec2.h"
#include "aws/elb.h"
#include "blocked.h"
#include "command.h"
#include "event.h"
#include "functions.h"
#include "job.h"
#include "lifecycle.h"
#include "loop.h"

enum {
	TRY_MS = 5000, /* between two attempts to have it proven */
	VERIFY_WAIT_MS = 30000,
	DRAIN_WAIT_MS = 120000,
};

struct hook {
	struct job *job;
	bool launching;
	const char *instance;
	struct aws_lifecycle_action action;
	struct fleet fleet; /* this instance, or none */
	bool source_dest_check;
	char interface[FLEET_ID_MAX];
	char address[FLEET_ID_MAX];
	bool has_address; /* an Elastic IP of the NAT */
	char free_allocation[FLEET_ID_MAX];
	int64_t heartbeat_ms; /* when the next one is due */
	struct outcome outcome;
};

static int read_event(struct hook *hook)
{
	const cJSON *event = hook->job->event;
	struct err *err = &hook->job->err;
	const char *transition = event_text(event, "detail.LifecycleTransition", err);

	if (!transition)
		return -EINVAL;
	hook->launching = !strcmp(transition, "autoscaling:EC2_INSTANCE_LAUNCHING");
	if (!hook->launching && strcmp(transition, "autoscaling:EC2_INSTANCE_TERMINATING"))
		return err_set(err, STATUS_USAGE, EINVAL, "detail.LifecycleTransition %.80s",
			       transition);
	hook->instance = event_text(event, "detail.EC2InstanceId", err);
	hook->action.hook = event_text(event, "detail.LifecycleHookName", err);
	hook->action.group = event_text(event, "detail.AutoScalingGroupName", err);
	hook->action.token = event_text(event, "detail.LifecycleActionToken", err);
	hook->action.instance = hook->instance;
	return hook->instance && hook->action.hook && hook->action.group && hook->action.token ?
		       0 :
		       -EINVAL;
}

static void on_instance(void *ctx, const struct aws_result *result)
{
	const struct aws_instances *instances = result->output;
	const struct aws_instance *instance;
	struct hook *hook = ctx;

	if (!strcmp(result->code, "InvalidInstanceID.NotFound"))
		return;
	if (!job_ok(hook->job, result, "the instance cannot be read") || !instances->count)
		return;
	instance = &instances->items[0];
	if (!strcmp(instance->state, "terminated") || !instance->interface_count)
		return;
	hook->source_dest_check = instance->interfaces[0].source_dest_check;
	snprintf(hook->interface, sizeof(hook->interface), "%s", instance->interfaces[0].id);
	snprintf(hook->address, sizeof(hook->address), "%s", instance->private_address);
	hook->fleet.count = 1;
	snprintf(hook->fleet.node[0].id, FLEET_ID_MAX, "%s", instance->id);
	snprintf(hook->fleet.node[0].zone, FLEET_NAME_MAX, "%s", instance->zone);
}

static int read_instance(struct hook *hook)
{
	const struct aws_query query = { .id_count = 1, .ids = &hook->instance };
	struct job *job = hook->job;

	job_sent(job, aws_ec2_describe_instances(job->client, &query,
						 job_caller(job, on_instance, hook)));
	return job_await(job);
}

static void did(struct hook *hook, const char *action, const char *before, const char *after)
{
	cJSON *fields = cJSON_CreateObject();

	cJSON_AddStringToObject(fields, "instance", hook->instance);
	cJSON_AddStringToObject(fields, "action", action);
	cJSON_AddStringToObject(fields, "before", before);
	cJSON_AddStringToObject(fields, "after", after);
	say(LEVEL_INFO, fields, "%s: %s", hook->instance, action);
}

static void on_change(void *ctx, const struct aws_result *result)
{
	job_ok(ctx, result, "the instance cannot be prepared");
}

static void beat(struct hook *hook)
{
	struct job *job = hook->job;

	if (loop_monotonic_ms() < hook->heartbeat_ms)
		return;
	hook->heartbeat_ms = loop_monotonic_ms() + job->setup->heartbeat_s * 1000;
	job_sent(job, aws_autoscaling_heartbeat(job->client, &hook->action,
						job_caller(job, on_change, job)));
	job_await(job);
}

static void on_addresses(void *ctx, const struct aws_result *result)
{
	const struct aws_addresses *addresses = result->output;
	struct hook *hook = ctx;

	if (!job_ok(hook->job, result, "the addresses cannot be read"))
		return;
	for (size_t i = 0; i < addresses->count; i++) {
		const struct aws_address *item = &addresses->items[i];

		hook->has_address |= !strcmp(item->interface, hook->interface);
		if (!*item->association && !*hook->free_allocation)
			snprintf(hook->free_allocation, sizeof(hook->free_allocation), "%s",
				 item->allocation);
	}
}

static void on_associated(void *ctx, const struct aws_result *result)
{
	struct hook *hook = ctx;

	/* another instance was faster: look again */
	if (!strcmp(result->code, "Resource.AlreadyAssociated"))
		*hook->free_allocation = '\0';
	else
		job_ok(hook->job, result, "the Elastic IP cannot be associated");
}

/* Fleet nodes come and go, and take one of their zone's addresses that nobody has. */
static int take_address(struct hook *hook)
{
	static const char *const use = "flows";
	const char *zone = hook->fleet.node[0].zone;
	struct job *job = hook->job;
	const struct aws_filter filters[] = { { "tag:natxdp:nat", 1, &job->setup->nat },
					      { "tag:natxdp:use", 1, &use },
					      { "tag:natxdp:az", 1, &zone } };
	const struct aws_query query = { .filter_count = 3, .filters = filters };
	int ret = 0;

	for (int tries = 0; !ret && tries < 3; tries++) {
		*hook->free_allocation = '\0';
		job_sent(job, aws_ec2_describe_addresses(job->client, &query,
							 job_caller(job, on_addresses, hook)));
		ret = job_await(job);
		if (ret || hook->has_address)
			return ret;
		if (!*hook->free_allocation)
			return job_fail(job, STATUS_STATE, ENOENT,
					"no Elastic IP of zone %s is free: raise fleet.max, or "
					"look for one that nobody gave back",
					zone);
		did(hook, "AssociateAddress", "", hook->free_allocation);
		job_sent(job, aws_ec2_associate_address(job->client, hook->free_allocation,
							hook->interface, hook->address, true,
							job_caller(job, on_associated, hook)));
		ret = job_await(job);
		if (ret || *hook->free_allocation)
			return ret;
	}
	return ret ? ret : job_fail(job, STATUS_STATE, EAGAIN, "no Elastic IP could be had");
}

/* The target group of its zone, or the one of all; NULL: there are none. */
static const char *target_group(const struct hook *hook)
{
	const cJSON *groups = hook->job->setup->target_groups;
	const cJSON *group = hook->fleet.count ?
				     cJSON_GetObjectItemCaseSensitive(groups,
								      hook->fleet.node[0].zone) :
				     NULL;

	if (!group)
		group = cJSON_GetObjectItemCaseSensitive(groups, "all");
	return cJSON_GetStringValue(group);
}

static int prepare(struct hook *hook)
{
	const struct aws_target_id target = { .id = hook->instance };
	struct job *job = hook->job;
	const char *group = target_group(hook);

	if (hook->source_dest_check) {
		did(hook, "ModifyNetworkInterfaceAttribute", "source/dest check on",
		    "source/dest check off");
		job_sent(job,
			 aws_ec2_set_interface_source_dest_check(job->client, hook->interface,
								 false,
								 job_caller(job, on_change, job)));
	}
	if (group) {
		did(hook, "RegisterTargets", "", group);
		job_sent(job, aws_elb_register(job->client, group, 1, &target,
					       job_caller(job, on_change, job)));
	}
	if (!strcmp(job->setup->mode, "gwlb") && take_address(hook))
		return job_failure(job);
	return job_await(job);
}

/* Meanwhile the Auto Scaling group hears that it is being worked on. */
static int run_on_it(struct hook *hook, const char *use, int64_t wait_ms)
{
	struct aws_document document = { .timeout_s = 30 };
	int64_t end = loop_monotonic_ms() + wait_ms, slice;
	struct job *job = hook->job;
	struct commands *commands;

	document.name = setup_document(job->setup, use, &job->err);
	if (!document.name)
		return -ENOENT;
	commands = commands_start(job, &document, 1, &hook->instance, &hook->outcome);
	if (!commands)
		return -ENOMEM;
	do {
		beat(hook);
		slice = end - loop_monotonic_ms();
		if (slice > job->setup->heartbeat_s * 500)
			slice = job->setup->heartbeat_s * 500;
	} while (slice > 0 && commands_wait(commands, slice) && job_left_ms(job));
	commands_end(commands);
	return 0;
}

/* Asks until the instance is proven or the time is over. */
static int prove(struct hook *hook, enum launch_step *step)
{
	static const char *const names[] = { "silent", "broken", "proven" };
	enum launch_state state;
	bool time_left;
	int ret;

	do {
		ret = run_on_it(hook, "verify", VERIFY_WAIT_MS);
		if (ret)
			return ret;
		state = !hook->outcome.ended	 ? LAUNCH_SILENT :
			!hook->outcome.exit_code ? LAUNCH_PROVEN :
						   LAUNCH_BROKEN;
		time_left = job_left_ms(hook->job) > TRY_MS * 2;
		*step = lifecycle_launch(state, time_left);
		say(LEVEL_INFO, NULL, "%s: %s", hook->instance, names[state]);
	} while (*step == LAUNCH_WAIT && job_pause(hook->job, TRY_MS));
	return job_failure(hook->job);
}

/* It is told what the others were told while it was not there. */
static int block_on_it(struct hook *hook)
{
	struct job *job = hook->job;
	cJSON *list, *item;
	int ret = *job->setup->blocked_parameter ? blocked_read(job, &list) : -ENOENT;

	if (ret)
		return job_failure(job);
	cJSON_ArrayForEach(item, list) {
		const char *address = blocked_address(item);

		if (address)
			blocked_tell(job, address, true, 1, &hook->instance, &hook->outcome);
	}
	cJSON_Delete(list);
	return job_failure(job);
}

static void on_complete(void *ctx, const struct aws_result *result)
{
	/* it was completed by the same event before, or its time was over */
	if (!strcmp(result->code, "ValidationError") &&
	    strstr(result->message, "No active Lifecycle Action"))
		say(LEVEL_WARN, NULL, "the lifecycle action is over already");
	else
		job_ok(ctx, result, "the lifecycle action cannot be completed");
}

static int complete(struct hook *hook, bool go_on)
{
	struct job *job = hook->job;
	const char *result = go_on ? "CONTINUE" : "ABANDON";

	did(hook, "CompleteLifecycleAction", "wait", result);
	cJSON_AddStringToObject(job->answer, "result", result);
	job_sent(job, aws_autoscaling_complete(job->client, &hook->action, go_on,
					       job_caller(job, on_complete, job)));
	return job_await(job);
}

/* A node that was not proven, or did not hand over. */
static void publish_failure(struct hook *hook, bool failed)
{
	const struct gauge_dimension zone[] = { { "AvailabilityZone", hook->fleet.node[0].zone },
						{ NULL, NULL } };
	struct gauge gauge = { "LifecycleFailureCount", "Count", failed };

	if (hook->fleet.count)
		say_gauges(hook->job->setup->nat, zone, 1, &gauge, false);
}

static int launch(struct hook *hook)
{
	enum launch_step step = LAUNCH_LATER;
	int ret;

	if (!hook->fleet.count) {
		say(LEVEL_ERROR, NULL, "%s: there is no such instance any more", hook->instance);
		return complete(hook, false);
	}
	ret = prepare(hook);
	if (!ret)
		ret = prove(hook, &step);
	if (ret)
		return ret;
	publish_failure(hook, step != LAUNCH_CONTINUE);
	if (step == LAUNCH_LATER || step == LAUNCH_WAIT)
		return job_fail(hook->job, STATUS_SYSTEM, ETIMEDOUT,
				"%s does not answer by Systems Manager yet: %.200s", hook->instance,
				hook->outcome.errors);
	if (step == LAUNCH_ABANDON) {
		cJSON *report = cJSON_Parse(hook->outcome.output);
		cJSON *fields = cJSON_CreateObject();

		cJSON_AddItemToObject(fields, "report", report ? report : cJSON_CreateNull());
		say(LEVEL_ERROR, fields, "%s is broken: %.200s", hook->instance,
		    hook->outcome.errors);
	}
	ret = step == LAUNCH_CONTINUE ? block_on_it(hook) : 0;
	return ret ? ret : complete(hook, step == LAUNCH_CONTINUE);
}

static void on_deregistered(void *ctx, const struct aws_result *result)
{
	if (strcmp(result->code, "InvalidTarget"))
		job_ok(ctx, result, "the instance cannot be taken out of its target group");
}

/* An instance that is gone, or cannot hand over, goes all the same: its peers see to its zones. */
static int terminate(struct hook *hook)
{
	const struct aws_target_id target = { .id = hook->instance };
	struct job *job = hook->job;
	const char *group = target_group(hook);
	int ret;

	if (hook->fleet.count) {
		ret = run_on_it(hook, "drain", DRAIN_WAIT_MS);
		if (ret)
			return ret;
		publish_failure(hook, !hook->outcome.ended || hook->outcome.exit_code);
		if (hook->outcome.ended && !hook->outcome.exit_code)
			did(hook, "drain", "in service", "handed over");
		else
			say(LEVEL_ERROR, NULL, "%s did not hand over: %.200s", hook->instance,
			    hook->outcome.errors);
	}
	if (group) {
		did(hook, "DeregisterTargets", group, "");
		job_sent(job, aws_elb_deregister(job->client, group, 1, &target,
						 job_caller(job, on_deregistered, job)));
		ret = job_await(job);
		if (ret)
			return ret;
	}
	return complete(hook, true);
}

int fn_lifecycle(struct job *job)
{
	struct hook *hook = calloc(1, sizeof(*hook));
	int ret;

	if (!hook)
		return job_fail(job, STATUS_SYSTEM, ENOMEM, "out of memory");
	hook->job = job;
	hook->heartbeat_ms = loop_monotonic_ms() + job->setup->heartbeat_s * 1000;
	ret = read_event(hook);
	if (!ret)
		ret = read_instance(hook);
	if (!ret)
		ret = hook->launching ? launch(hook) : terminate(hook);
	free(hook);
	return ret;
}
