/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "lease_item.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TIME_FORMAT "%Y-%m-%dT%H:%M:%SZ"

/* #h comes last, for only some claims ask for it: DynamoDB refuses names that are not used. */
static const struct aws_name names[] = { { "#o", "owner" },  { "#e", "epoch" },	  { "#s", "since" },
					 { "#r", "reason" }, { "#w", "witness" }, { "#h", "hold" } };

static int64_t read_time(const char *text)
{
	struct tm utc = { 0 };
	const char *end = strptime(text, TIME_FORMAT, &utc);

	return end && !*end ? timegm(&utc) : 0;
}

void lease_item_read(const struct aws_item *item, struct lease_item *lease)
{
	*lease = (struct lease_item){ .owner = "", .reason = "" };
	for (size_t i = 0; item && i < item->count; i++) {
		const struct aws_attribute *a = &item->attributes[i];

		if (!strcmp(a->name, "owner")) {
			lease->there = true;
			lease->owner = a->value;
		} else if (!strcmp(a->name, "epoch")) {
			lease->epoch = strtoull(a->value, NULL, 10);
		} else if (!strcmp(a->name, "witness")) {
			lease->witness = strtoull(a->value, NULL, 10);
		} else if (!strcmp(a->name, "since")) {
			lease->since = read_time(a->value);
		} else if (!strcmp(a->name, "reason")) {
			lease->reason = a->value;
		} else if (!strcmp(a->name, "hold")) {
			lease->held = *a->value;
		}
	}
}

static void add(struct lease_claim *claim, const char *name, enum aws_attribute_type type,
		const char *value)
{
	claim->values[claim->expression.value_count++] = (struct aws_attribute){ name, type,
										 value };
}

static const char *condition_of(const struct lease_item *expected, bool unless_held)
{
	if (!expected->there)
		return "attribute_not_exists(#o)";
	/* of an owner without a name the epoch is enough */
	if (!*expected->owner)
		return unless_held ? "#e = :b AND (attribute_not_exists(#h) OR #h = :free)" :
				     "#e = :b";
	return unless_held ? "#e = :b AND #o = :n AND (attribute_not_exists(#h) OR #h = :free)" :
			     "#e = :b AND #o = :n";
}

void lease_claim_write(struct lease_claim *claim, const struct lease_item *expected,
		       const char *owner, const char *reason, int64_t now, bool unless_held)
{
	time_t seconds = now;
	struct tm utc;

	/* nobody can hold what nobody has */
	unless_held = unless_held && expected->there;
	snprintf(claim->before, sizeof(claim->before), "%" PRIu64, expected->epoch);
	snprintf(claim->after, sizeof(claim->after), "%" PRIu64, expected->epoch + 1);
	gmtime_r(&seconds, &utc);
	strftime(claim->since, sizeof(claim->since), TIME_FORMAT, &utc);
	claim->expression = (struct aws_expression){
		.update = "SET #o = :o, #e = :e, #s = :s, #r = :r, #w = :z",
		.condition = condition_of(expected, unless_held),
		.name_count = sizeof(names) / sizeof(*names) - !unless_held,
		.names = names,
		.values = claim->values,
	};
	add(claim, ":o", AWS_STRING, owner);
	add(claim, ":e", AWS_NUMBER, claim->after);
	add(claim, ":s", AWS_STRING, claim->since);
	add(claim, ":r", AWS_STRING, reason);
	add(claim, ":z", AWS_NUMBER, "0");
	if (expected->there)
		add(claim, ":b", AWS_NUMBER, claim->before);
	if (expected->there && *expected->owner)
		add(claim, ":n", AWS_STRING, expected->owner);
	if (unless_held)
		add(claim, ":free", AWS_STRING, "");
}

void lease_hold_write(struct lease_hold *hold, const char *who)
{
	static const struct aws_name used[] = { { "#o", "owner" }, { "#h", "hold" } };

	hold->value = (struct aws_attribute){ ":h", AWS_STRING, who };
	hold->expression = (struct aws_expression){
		.update = who ? "SET #h = :h" : "REMOVE #h",
		.condition = "attribute_exists(#o)",
		.name_count = sizeof(used) / sizeof(*used),
		.names = used,
		.value_count = who != NULL,
		.values = &hold->value,
	};
}
