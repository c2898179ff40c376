/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "holder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "aws/dynamodb.h"
#include "ha/lease_item.h"
#include "job.h"
#include "loop.h"

struct reading {
	struct job *job;
	struct holder *holder;
	bool lost; /* the condition did not hold */
	bool uncertain;
};

static void take(struct holder *holder, const struct aws_item *item)
{
	struct lease_item lease;

	lease_item_read(item, &lease);
	memset(holder, 0, sizeof(*holder));
	holder->there = lease.there;
	holder->held = lease.held;
	holder->epoch = lease.epoch;
	holder->witness = lease.witness;
	holder->since = lease.since;
	snprintf(holder->owner, sizeof(holder->owner), "%s", lease.owner);
	snprintf(holder->reason, sizeof(holder->reason), "%s", lease.reason);
}

static void on_read(void *ctx, const struct aws_result *result)
{
	struct reading *reading = ctx;

	if (job_ok(reading->job, result, "the lease cannot be read"))
		take(reading->holder, result->output);
}

static int fail_without_leases(struct job *job)
{
	return job_fail(job, STATUS_CONFIG, EINVAL,
			"NATXDP_LEASE_TABLE is not set: there are no leases in gwlb mode");
}

static int ask(const char *zone, struct reading *reading)
{
	const struct aws_attribute key = { "az", AWS_STRING, zone };
	struct job *job = reading->job;

	if (!*job->setup->lease_table)
		return fail_without_leases(job);
	job_sent(job, aws_dynamodb_get(job->client, job->setup->lease_table, 1, &key,
				       job_caller(job, on_read, reading)));
	return 0;
}

int holder_read(struct job *job, const char *zone, struct holder *holder)
{
	struct reading reading = { .job = job, .holder = holder };
	int ret = ask(zone, &reading);

	return ret ? ret : job_await(job);
}

/* Is there a route table of its zone before this one? */
static bool is_listed(const cJSON *tables, const cJSON *this)
{
	const cJSON *table;

	cJSON_ArrayForEach(table, tables) {
		if (table == this)
			break;
		if (cJSON_Compare(table, this, true))
			return true;
	}
	return false;
}

void holders_list(const struct job *job, struct holders *holders)
{
	const cJSON *tables = job->setup->route_tables, *table;

	memset(holders, 0, sizeof(*holders));
	cJSON_ArrayForEach(table, tables) {
		if (cJSON_IsString(table) && !is_listed(tables, table) &&
		    holders->count < HOLDERS_MAX)
			holders->item[holders->count++].zone = table->valuestring;
	}
}

int holders_read(struct job *job, struct holders *holders)
{
	struct reading reading[HOLDERS_MAX];

	for (unsigned int i = 0; i < holders->count; i++) {
		reading[i] = (struct reading){ .job = job, .holder = &holders->item[i].holder };
		if (ask(holders->item[i].zone, &reading[i]))
			break;
	}
	return job_await(job);
}

static void on_claimed(void *ctx, const struct aws_result *result)
{
	struct reading *reading = ctx;

	reading->lost = !strcmp(result->code, "ConditionalCheckFailedException");
	reading->uncertain = result->maybe_done;
	if (!reading->lost && !reading->uncertain)
		job_ok(reading->job, result, "the lease cannot be written");
}

static int write_claim(struct job *job, const char *zone, const char *owner, const char *reason,
		       bool unless_held, const struct holder *from, struct reading *reading)
{
	const struct aws_attribute key = { "az", AWS_STRING, zone };
	const struct lease_item expected = { .there = from->there,
					     .owner = from->owner,
					     .epoch = from->epoch };
	struct lease_claim claim;

	lease_claim_write(&claim, &expected, owner, reason, loop_wall_ms() / 1000, unless_held);
	job_sent(job, aws_dynamodb_update(job->client, job->setup->lease_table, 1, &key,
					  &claim.expression, job_caller(job, on_claimed, reading)));
	return job_await(job);
}

int holder_claim(struct job *job, const char *zone, const char *owner, const char *reason,
		 bool unless_held, struct holder *holder)
{
	struct reading reading = { .job = job, .holder = holder };
	const uint64_t wanted = holder->epoch + 1;
	int ret = write_claim(job, zone, owner, reason, unless_held, holder, &reading);

	/* whatever came back: what counts is what is written there */
	if (!ret)
		ret = holder_read(job, zone, holder);
	if (ret)
		return ret;
	return holder->epoch == wanted && !strcmp(holder->owner, owner) &&
			       !strcmp(holder->reason, reason) ?
		       0 :
		       -EEXIST;
}

static void on_held(void *ctx, const struct aws_result *result)
{
	struct job *job = ctx;

	if (!strcmp(result->code, "ConditionalCheckFailedException"))
		job_fail(job, STATUS_STATE, ENOENT,
			 "nobody owns the zone, so there is no lease that could be held: its agents "
			 "write one when they start");
	else
		job_ok(job, result, "the lease cannot be written");
}

int holder_hold(struct job *job, const char *zone, bool on)
{
	const struct aws_attribute key = { "az", AWS_STRING, zone };
	struct lease_hold hold;

	if (!*job->setup->lease_table)
		return fail_without_leases(job);
	lease_hold_write(&hold, on ? "nat-route-failover" : NULL);
	job_sent(job, aws_dynamodb_update(job->client, job->setup->lease_table, 1, &key,
					  &hold.expression, job_caller(job, on_held, job)));
	return job_await(job);
}

cJSON *holders_tell(const struct holders *holders)
{
	cJSON *object = cJSON_CreateObject();

	for (unsigned int i = 0; i < holders->count; i++) {
		const struct holder *holder = &holders->item[i].holder;
		cJSON *zone;

		if (!holder->there)
			continue;
		zone = cJSON_AddObjectToObject(object, holders->item[i].zone);
		cJSON_AddStringToObject(zone, "owner", holder->owner);
		cJSON_AddNumberToObject(zone, "epoch", (double)holder->epoch);
		cJSON_AddStringToObject(zone, "reason", holder->reason);
		cJSON_AddNumberToObject(zone, "since", (double)holder->since);
		cJSON_AddBoolToObject(zone, "hold", holder->held);
	}
	return object;
}
