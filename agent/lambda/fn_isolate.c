/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * nat-isolate: blocks the inside address of a GuardDuty finding on every node,
 * marks the instance, and remembers that in a parameter. By hand:
 *	{"action": "block", "address": "10.0.3.4"}
 *	{"action": "release", "address": "10.0.3.4"}
 *	{"action": "list"}
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aws/ec2.h"
#include "blocked.h"
#include "event.h"
#include "functions.h"
#include "job.h"

enum { ADDRESSES_MAX = 16 };

/* What is to be done, as the event says. */
struct order {
	bool list;
	bool block; /* else release */
	unsigned int count;
	const char *address[ADDRESSES_MAX];
	const char *instance; /* "" if the event names none */
	const char *reason;
};

struct isolation {
	struct job *job;
	struct order order;
	cJSON *blocked; /* the parameter: [{address, instance, reason, since}] */
	struct fleet fleet;
	struct outcome *outcome;
};

static int check_address(const char *text, struct err *err)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) == 1)
		return 0;
	return err_set(err, STATUS_USAGE, EINVAL, "%.60s is no IPv4 address", text);
}

/* {"detail": {"id", "type", "resource": {"instanceDetails": {"instanceId", "networkInterfaces": [...]}}}} */
static int read_finding(const cJSON *event, struct order *order, struct err *err)
{
	const cJSON *details = event_member(event, "detail.resource.instanceDetails"), *interface;
	const cJSON *interfaces = event_member(details, "networkInterfaces");

	order->block = true;
	order->reason = event_text(event, "detail.type", err);
	order->instance = details ? event_optional(details, "instanceId", err) : "";
	if (!order->reason || !order->instance)
		return -EINVAL;
	cJSON_ArrayForEach(interface, interfaces) {
		const char *address = event_text(interface, "privateIpAddress", err);

		if (!address || check_address(address, err))
			return -EINVAL;
		if (order->count < ADDRESSES_MAX)
			order->address[order->count++] = address;
	}
	if (!order->count)
		return err_set(err, STATUS_USAGE, EINVAL,
			       "the finding names no address of an instance: "
			       "detail.resource.instanceDetails.networkInterfaces is empty");
	return 0;
}

static int read_order(const cJSON *event, struct order *order, struct err *err)
{
	const char *action;

	if (event_is(event, "GuardDuty Finding"))
		return read_finding(event, order, err);
	action = event_text(event, "action", err);
	if (!action)
		return -EINVAL;
	order->instance = "";
	order->reason = "by hand";
	order->list = !strcmp(action, "list");
	order->block = !strcmp(action, "block");
	if (!order->list && !order->block && strcmp(action, "release"))
		return err_set(err, STATUS_USAGE, EINVAL,
			       "action %.40s: block, release or list is wanted", action);
	if (order->list)
		return 0;
	order->address[0] = event_text(event, "address", err);
	order->count = 1;
	return order->address[0] ? check_address(order->address[0], err) : -EINVAL;
}

static cJSON *find_blocked(const struct isolation *isolation, const char *address)
{
	cJSON *item;

	cJSON_ArrayForEach(item, isolation->blocked) {
		const char *known = blocked_address(item);

		if (known && !strcmp(known, address))
			return item;
	}
	return NULL;
}

/* The list as it is to be. Returns whether it changed. */
static bool change_list(struct isolation *isolation)
{
	const struct order *order = &isolation->order;
	bool changed = false;

	for (unsigned int i = 0; i < order->count; i++) {
		cJSON *item = find_blocked(isolation, order->address[i]);

		changed |= !item == order->block;
		if (item && !order->block) {
			cJSON_Delete(cJSON_DetachItemViaPointer(isolation->blocked, item));
		} else if (!item && order->block) {
			item = cJSON_CreateObject();
			cJSON_AddStringToObject(item, "address", order->address[i]);
			cJSON_AddStringToObject(item, "instance", order->instance);
			cJSON_AddStringToObject(item, "reason", order->reason);
			cJSON_AddNumberToObject(item, "since", (double)time(NULL));
			cJSON_AddItemToArray(isolation->blocked, item);
		}
	}
	return changed;
}

static void on_stored(void *ctx, const struct aws_result *result)
{
	job_ok(ctx, result, "the list of blocked addresses cannot be stored");
}

static int store_list(struct job *job, const cJSON *list)
{
	char *text = cJSON_PrintUnformatted(list);

	if (!text)
		return job_fail(job, STATUS_SYSTEM, ENOMEM, "out of memory");
	job_sent(job, aws_ssm_put_parameter(job->client, job->setup->blocked_parameter, text, true,
					    job_caller(job, on_stored, job)));
	cJSON_free(text);
	return job_await(job);
}

static void on_marked(void *ctx, const struct aws_result *result)
{
	/* the instance may be gone; CreateTags says either, as it likes */
	if (strcmp(result->code, "InvalidInstanceID.NotFound") && strcmp(result->code, "InvalidID"))
		job_ok(ctx, result, "the instance cannot be marked");
}

static void mark_instance(struct isolation *isolation)
{
	struct aws_tag tag = { "natxdp:isolated", isolation->order.reason };
	struct job *job = isolation->job;

	if (!*isolation->order.instance || !isolation->order.block)
		return;
	job_sent(job, aws_ec2_create_tags(job->client, isolation->order.instance, 1, &tag,
					  job_caller(job, on_marked, job)));
	job_await(job);
}

/* The same number for each zone, for alarms are by zone. */
static void publish(const struct isolation *isolation)
{
	struct gauge gauge = { "IsolatedAddressCount", "Count",
			       cJSON_GetArraySize(isolation->blocked) };

	for (unsigned int i = 0; i < isolation->fleet.count; i++) {
		const char *name = isolation->fleet.node[i].zone;
		const struct gauge_dimension zone[] = { { "AvailabilityZone", name },
							{ NULL, NULL } };
		unsigned int k = 0;

		while (strcmp(isolation->fleet.node[k].zone, name))
			k++;
		if (k == i)
			say_gauges(isolation->job->setup->nat, zone, 1, &gauge, false);
	}
}

/* The list first: whoever starts later, or was not reached, has it from there. */
static int isolate(struct isolation *isolation)
{
	const char *instances[FLEET_NODES_MAX];
	struct job *job = isolation->job;
	int ret = read_order(job->event, &isolation->order, &job->err);

	if (!ret)
		ret = blocked_read(job, &isolation->blocked);
	if (!ret && !isolation->order.list && change_list(isolation))
		ret = store_list(job, isolation->blocked);
	if (!ret && !isolation->order.list)
		ret = fleet_read(job, "natxdp:module", "nat", &isolation->fleet);
	if (ret)
		return ret;
	fleet_keep_running(&isolation->fleet);
	for (unsigned int i = 0; i < isolation->fleet.count; i++)
		instances[i] = isolation->fleet.node[i].id;
	for (unsigned int i = 0; !isolation->order.list && i < isolation->order.count; i++)
		blocked_tell(job, isolation->order.address[i], isolation->order.block,
			     isolation->fleet.count, instances, isolation->outcome);
	mark_instance(isolation);
	publish(isolation);
	cJSON_AddItemToObject(job->answer, "blocked", cJSON_Duplicate(isolation->blocked, true));
	return job_failure(job);
}

int fn_isolate(struct job *job)
{
	struct isolation *isolation = calloc(1, sizeof(*isolation));
	int ret;

	if (isolation)
		isolation->outcome = calloc(FLEET_NODES_MAX, sizeof(*isolation->outcome));
	if (isolation && isolation->outcome) {
		isolation->job = job;
		ret = isolate(isolation);
		cJSON_Delete(isolation->blocked);
		free(isolation->outcome);
	} else {
		ret = job_fail(job, STATUS_SYSTEM, ENOMEM, "out of memory");
	}
	free(isolation);
	return ret;
}
