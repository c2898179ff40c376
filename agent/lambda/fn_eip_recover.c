/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * eip-recover: puts Elastic IPs that are nowhere, or on an interface without an
 * instance that runs, to the node that owns their zone. Routes stay: who owns a
 * zone is for the agents and nat-route-failover to say. {"dry_run": true} only
 * tells what would be done.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "fleet.h"
#include "functions.h"
#include "holder.h"
#include "job.h"
#include "placing.h"

enum { ZONES_MAX = 16 };

struct recovery {
	struct job *job;
	bool dry_run;
	struct fleet fleet;
	const char *zone;
	struct holder holder;
	cJSON *list; /* of the answer */
};

static bool is_still_owner(void *ctx)
{
	struct recovery *recovery = ctx;
	struct holder now;

	return !holder_read(recovery->job, recovery->zone, &now) &&
	       now.epoch == recovery->holder.epoch;
}

/* The name of the node that owns the zone; before the first lease that is the one at home. */
static const char *owner_of(const struct recovery *recovery)
{
	return recovery->holder.there ? recovery->holder.owner : recovery->zone;
}

static bool has_instance(const struct recovery *recovery, const char *name)
{
	for (unsigned int i = 0; i < recovery->fleet.count; i++) {
		if (!strcmp(recovery->fleet.node[i].name, name))
			return true;
	}
	return false;
}

static void publish(const struct job *job, const char *zone, unsigned int moved)
{
	const struct gauge_dimension dimensions[] = { { "AvailabilityZone", zone },
						      { NULL, NULL } };
	struct gauge gauge = { "EipRecoverCount", "Count", moved };

	say_gauges(job->setup->nat, dimensions, 1, &gauge, false);
}

static int recover_zone(struct recovery *recovery, const char *zone)
{
	struct placing placing = {
		.zone = zone, .dry_run = recovery->dry_run, .fence = is_still_owner, .ctx = recovery
	};
	struct job *job = recovery->job;
	cJSON *item;
	int ret;

	recovery->zone = zone;
	ret = holder_read(job, zone, &recovery->holder);
	if (ret)
		return ret;
	placing.node = owner_of(recovery);
	if (!has_instance(recovery, placing.node)) {
		say(LEVEL_WARN, NULL, "zone %s: its owner %s does not run: left to the failover",
		    zone, placing.node);
		return 0;
	}
	ret = placing_run(job, &placing);
	if (placing.moved && !recovery->dry_run)
		publish(job, zone, placing.moved);
	item = cJSON_CreateObject();
	cJSON_AddStringToObject(item, "zone", zone);
	cJSON_AddStringToObject(item, "owner", placing.node);
	cJSON_AddNumberToObject(item, "moved", placing.moved);
	if (placing.steps)
		cJSON_AddItemToObject(item, "steps", placing.steps);
	cJSON_AddItemToArray(recovery->list, item);
	return ret;
}

/* Each zone of the slots once; the error of one keeps none of the others from being looked at. */
static int recover_all(struct recovery *recovery)
{
	char zones[ZONES_MAX][FLEET_NAME_MAX];
	unsigned int count = 0;
	const cJSON *slot;

	cJSON_ArrayForEach(slot, recovery->job->setup->slots) {
		size_t length = strcspn(slot->string, "/");
		unsigned int i = 0;

		if (!length || length >= FLEET_NAME_MAX || count == ZONES_MAX)
			continue;
		memcpy(zones[count], slot->string, length);
		zones[count][length] = '\0';
		while (i < count && strcmp(zones[i], zones[count]))
			i++;
		count += i == count;
	}
	for (unsigned int i = 0; i < count; i++)
		recover_zone(recovery, zones[i]);
	return job_failure(recovery->job);
}

int fn_eip_recover(struct job *job)
{
	struct recovery *recovery = calloc(1, sizeof(*recovery));
	int ret;

	if (!recovery)
		return job_fail(job, STATUS_SYSTEM, ENOMEM, "out of memory");
	recovery->job = job;
	recovery->list = cJSON_AddArrayToObject(job->answer, "zones");
	ret = event_bool(job->event, "dry_run", false, &recovery->dry_run, &job->err);
	if (!ret)
		ret = fleet_read(job, "natxdp:module", "nat", &recovery->fleet);
	if (!ret) {
		fleet_keep_running(&recovery->fleet);
		ret = recover_all(recovery);
	}
	free(recovery);
	return ret;
}
