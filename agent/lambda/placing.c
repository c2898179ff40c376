/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "placing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/ec2.h"
#include "job.h"

enum {
	THINGS_MAX = 256,
	ID_MAX = 64,
	ROUNDS = 3, /* look, call, look again: what is not right then is said */
};

/* A route table or an Elastic IP. */
struct thing {
	bool is_route;
	const char *id;		/* of the setup */
	const char *address;	/* private, on the node's interface; of an Elastic IP */
	char interface[ID_MAX]; /* where it is now */
	char now[ID_MAX];	/* private address, of an Elastic IP */
	bool seen;
};

struct looking {
	struct job *job;
	struct placing *placing;
	const char *interface; /* where all belongs */
	unsigned int count;
	struct thing thing[THINGS_MAX];
};

const char *placing_interface(const struct job *job, const char *node)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(job->setup->interfaces, node));
}

static struct thing *add(struct looking *looking, bool is_route, const char *id)
{
	struct thing *thing = &looking->thing[looking->count];

	if (looking->count == THINGS_MAX)
		return NULL;
	looking->count++;
	thing->is_route = is_route;
	thing->id = id;
	return thing;
}

/* The route tables of the zone, and its slots with the private address that each has on the node. */
static int list_things(struct looking *looking)
{
	const struct placing *placing = looking->placing;
	const struct setup *setup = looking->job->setup;
	size_t length = strlen(placing->zone);
	const cJSON *item;

	cJSON_ArrayForEach(item, setup->route_tables) {
		if (placing->routes && cJSON_IsString(item) &&
		    !strcmp(item->valuestring, placing->zone))
			add(looking, true, item->string);
	}
	cJSON_ArrayForEach(item, setup->slots) {
		const cJSON *addresses = cJSON_GetObjectItemCaseSensitive(item, "addresses");
		const char *id = cJSON_GetStringValue(
			cJSON_GetObjectItemCaseSensitive(item, "allocation"));
		const char *address = cJSON_GetStringValue(
			cJSON_GetObjectItemCaseSensitive(addresses, placing->node));
		struct thing *thing;

		if (strncmp(item->string, placing->zone, length) || item->string[length] != '/')
			continue;
		if (!id || !address)
			return job_fail(looking->job, STATUS_CONFIG, EINVAL,
					"NATXDP_SLOTS: slot %.60s has no allocation, or no address "
					"for node %s",
					item->string, placing->node);
		thing = add(looking, false, id);
		if (thing)
			thing->address = address;
	}
	return 0;
}

static struct thing *find(struct looking *looking, bool is_route, const char *id)
{
	for (unsigned int i = 0; i < looking->count; i++) {
		if (looking->thing[i].is_route == is_route && !strcmp(looking->thing[i].id, id))
			return &looking->thing[i];
	}
	return NULL;
}

static void on_tables(void *ctx, const struct aws_result *result)
{
	const struct aws_route_tables *tables = result->output;
	struct looking *looking = ctx;

	if (!job_ok(looking->job, result, "the route tables cannot be read"))
		return;
	for (size_t i = 0; i < tables->count; i++) {
		struct thing *thing = find(looking, true, tables->items[i].id);

		for (size_t j = 0; thing && j < tables->items[i].route_count; j++) {
			const struct aws_route *route = &tables->items[i].routes[j];

			if (strcmp(route->destination, "0.0.0.0/0"))
				continue;
			thing->seen = true;
			snprintf(thing->interface, sizeof(thing->interface), "%s",
				 route->interface);
		}
	}
}

static void on_addresses(void *ctx, const struct aws_result *result)
{
	const struct aws_addresses *addresses = result->output;
	struct looking *looking = ctx;

	if (!job_ok(looking->job, result, "the Elastic IPs cannot be read"))
		return;
	for (size_t i = 0; i < addresses->count; i++) {
		struct thing *thing = find(looking, false, addresses->items[i].allocation);

		if (!thing)
			continue;
		thing->seen = true;
		snprintf(thing->interface, sizeof(thing->interface), "%s",
			 addresses->items[i].interface);
		snprintf(thing->now, sizeof(thing->now), "%s", addresses->items[i].private_address);
	}
}

static int look(struct looking *looking)
{
	const char *ids[2][THINGS_MAX];
	unsigned int counts[2] = { 0 };
	struct job *job = looking->job;

	for (unsigned int i = 0; i < looking->count; i++) {
		struct thing *thing = &looking->thing[i];

		thing->seen = false;
		*thing->interface = *thing->now = '\0';
		ids[thing->is_route][counts[thing->is_route]++] = thing->id;
	}
	if (counts[true]) {
		const struct aws_query query = { .id_count = counts[true], .ids = ids[true] };

		job_sent(job, aws_ec2_describe_route_tables(job->client, &query,
							    job_caller(job, on_tables, looking)));
	}
	if (counts[false]) {
		const struct aws_query query = { .id_count = counts[false], .ids = ids[false] };

		job_sent(job, aws_ec2_describe_addresses(job->client, &query,
							 job_caller(job, on_addresses, looking)));
	}
	return job_await(job);
}

static bool is_right(const struct looking *looking, const struct thing *thing)
{
	return thing->seen && !strcmp(thing->interface, looking->interface) &&
	       (thing->is_route || !strcmp(thing->now, thing->address));
}

static void on_moved(void *ctx, const struct aws_result *result)
{
	job_ok(ctx, result, "a route or an Elastic IP cannot be moved");
}

static void note(struct looking *looking, const struct thing *thing)
{
	const char *action = thing->is_route ? "ReplaceRoute" : "AssociateAddress";
	cJSON *step = cJSON_CreateObject();

	cJSON_AddStringToObject(step, "action", action);
	cJSON_AddStringToObject(step, "what", thing->id);
	cJSON_AddStringToObject(step, "before", thing->interface);
	cJSON_AddStringToObject(step, "after", looking->interface);
	cJSON_AddItemToArray(looking->placing->steps, cJSON_Duplicate(step, true));
	cJSON_AddStringToObject(step, "zone", looking->placing->zone);
	cJSON_AddBoolToObject(step, "dryRun", looking->placing->dry_run);
	say(LEVEL_INFO, step, "%s %s: %s -> %s", action, thing->id,
	    *thing->interface ? thing->interface : "nowhere", looking->interface);
}

static void move(struct looking *looking, const struct thing *thing)
{
	struct job *job = looking->job;
	const struct aws_caller *caller = job_caller(job, on_moved, job);

	if (thing->is_route)
		job_sent(job,
			 aws_ec2_replace_route(job->client, thing->id, "0.0.0.0/0",
					       AWS_TARGET_INTERFACE, looking->interface, caller));
	else
		job_sent(job, aws_ec2_associate_address(job->client, thing->id, looking->interface,
							thing->address, false, caller));
}

/* All that is wrong at a time. */
static int move_all(struct looking *looking)
{
	struct placing *placing = looking->placing;

	for (unsigned int i = 0; i < looking->count; i++) {
		const struct thing *thing = &looking->thing[i];

		if (is_right(looking, thing))
			continue;
		if (placing->fence && !placing->fence(placing->ctx))
			return job_fail(looking->job, STATUS_STATE, ECANCELED,
					"zone %s has another owner meanwhile: stopped",
					placing->zone);
		note(looking, thing);
		placing->moved++;
		if (!placing->dry_run)
			move(looking, thing);
	}
	return job_await(looking->job);
}

static void count_wrong(struct looking *looking)
{
	looking->placing->wrong = 0;
	for (unsigned int i = 0; i < looking->count; i++)
		looking->placing->wrong += !is_right(looking, &looking->thing[i]);
}

static int place(struct looking *looking)
{
	struct placing *placing = looking->placing;
	int ret = list_things(looking);

	for (int round = 0; !ret; round++) {
		ret = look(looking);
		if (ret)
			return ret;
		count_wrong(looking);
		if (!placing->wrong || (round && placing->dry_run))
			return 0;
		if (round == ROUNDS)
			return job_fail(looking->job, STATUS_SYSTEM, EIO,
					"zone %s: %u of %u routes and addresses are not at %s",
					placing->zone, placing->wrong, looking->count,
					looking->interface);
		ret = move_all(looking);
		if (placing->dry_run)
			return ret;
	}
	return ret;
}

int placing_run(struct job *job, struct placing *placing)
{
	struct looking *looking = calloc(1, sizeof(*looking));
	int ret;

	if (!looking)
		return job_fail(job, STATUS_SYSTEM, ENOMEM, "out of memory");
	looking->job = job;
	looking->placing = placing;
	looking->interface = placing_interface(job, placing->node);
	if (!placing->steps)
		placing->steps = cJSON_CreateArray();
	ret = looking->interface ?
		      place(looking) :
		      job_fail(job, STATUS_CONFIG, ENOENT,
			       "NATXDP_INTERFACES has no interface for node %s", placing->node);
	free(looking);
	return ret;
}
