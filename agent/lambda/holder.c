/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "holder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/dynamodb.h"
#include "job.h"
#include "loop.h"

struct reading {
	struct job *job;
	struct holder *holder;
	bool lost; /* the condition did not hold */
	bool uncertain;
};

static const char *value_of(const struct aws_item *item, const char *name)
{
	for (size_t i = 0; i < item->count; i++) {
		if (!strcmp(item->attributes[i].name, name))
			return item->attributes[i].value;
	}
	return "";
}

static void take(struct holder *holder, const struct aws_item *item)
{
	memset(holder, 0, sizeof(*holder));
	if (!item || !item->count)
		return;
	holder->there = true;
	holder->held = !strcmp(value_of(item, "held"), "true");
	holder->epoch = strtoull(value_of(item, "epoch"), NULL, 10);
	holder->witness = strtoull(value_of(item, "witness"), NULL, 10);
	holder->since = strtoll(value_of(item, "since"), NULL, 10);
	snprintf(holder->owner, sizeof(holder->owner), "%s", value_of(item, "owner"));
	snprintf(holder->reason, sizeof(holder->reason), "%s", value_of(item, "reason"));
}

static void on_read(void *ctx, const struct aws_result *result)
{
	struct reading *reading = ctx;

	if (job_ok(reading->job, result, "the lease cannot be read"))
		take(reading->holder, result->output);
}

int holder_read(struct job *job, const char *zone, struct holder *holder)
{
	const struct aws_attribute key = { "az", AWS_STRING, zone };
	struct reading reading = { .job = job, .holder = holder };

	if (!*job->setup->lease_table)
		return job_fail(job, STATUS_CONFIG, EINVAL,
				"NATXDP_LEASE_TABLE is not set: there are no leases in gwlb mode");
	job_sent(job, aws_dynamodb_get(job->client, job->setup->lease_table, 1, &key,
				       job_caller(job, on_read, &reading)));
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
		       const struct holder *from, struct reading *reading)
{
	static const struct aws_name names[] = { { "#owner", "owner" },
						 { "#epoch", "epoch" },
						 { "#reason", "reason" },
						 { "#since", "since" },
						 { "#held", "held" } };
	const struct aws_attribute key = { "az", AWS_STRING, zone };
	char old_epoch[24], new_epoch[24], since[24];
	const struct aws_attribute values[] = {
		{ ":owner", AWS_STRING, owner },   { ":new", AWS_NUMBER, new_epoch },
		{ ":reason", AWS_STRING, reason }, { ":since", AWS_NUMBER, since },
		{ ":yes", AWS_BOOL, "true" },	   { ":old", AWS_NUMBER, old_epoch },
	};
	const struct aws_expression expression = {
		.condition =
			from->there ?
				"#epoch = :old AND (attribute_not_exists(#held) OR #held <> :yes)" :
				"attribute_not_exists(#epoch) AND attribute_not_exists(#held)",
		.update = "SET #owner = :owner, #epoch = :new, #reason = :reason, #since = :since",
		.name_count = sizeof(names) / sizeof(*names),
		.names = names,
		.value_count = sizeof(values) / sizeof(*values) - !from->there,
		.values = values,
	};

	snprintf(old_epoch, sizeof(old_epoch), "%" PRIu64, from->epoch);
	snprintf(new_epoch, sizeof(new_epoch), "%" PRIu64, from->epoch + 1);
	snprintf(since, sizeof(since), "%" PRId64, loop_wall_ms() / 1000);
	job_sent(job, aws_dynamodb_update(job->client, job->setup->lease_table, 1, &key,
					  &expression, job_caller(job, on_claimed, reading)));
	return job_await(job);
}

int holder_claim(struct job *job, const char *zone, const char *owner, const char *reason,
		 struct holder *holder)
{
	struct reading reading = { .job = job, .holder = holder };
	const uint64_t wanted = holder->epoch + 1;
	int ret = write_claim(job, zone, owner, reason, holder, &reading);

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
