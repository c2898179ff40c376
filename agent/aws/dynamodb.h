/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * DynamoDB items with conditions. A condition that does not hold ends the call
 * with AWS_REFUSED and code "ConditionalCheckFailedException".
 *
 * A conditional write that is repeated after its answer was lost fails its own
 * condition: read the item before believing that somebody else was faster.
 */
#ifndef NATXDP_AWS_DYNAMODB_H
#define NATXDP_AWS_DYNAMODB_H

#include <stdbool.h>
#include <stddef.h>

#include "client.h"

/* Scalars only: what else an item holds is left out. */
enum aws_attribute_type { AWS_STRING, AWS_NUMBER, AWS_BOOL };

struct aws_attribute {
	const char *name;
	enum aws_attribute_type type;
	const char *value; /* numbers in decimal; "true" or "false" */
};

struct aws_item {
	size_t count; /* 0: there is no such item */
	const struct aws_attribute *attributes;
};

/* What expressions call #name and :value. Expressions may be NULL. */
struct aws_expression {
	const char *condition;
	const char *update; /* UpdateItem only */
	unsigned int name_count;
	const struct aws_name {
		const char *alias; /* "#owner" */
		const char *name;
	} * names;
	unsigned int value_count;
	const struct aws_attribute *values; /* named ":owner" */
};

/* Strongly consistent. -> struct aws_item */
int64_t aws_dynamodb_get(struct aws_client *client, const char *table, unsigned int count,
			 const struct aws_attribute *key, const struct aws_caller *caller);
int64_t aws_dynamodb_put(struct aws_client *client, const char *table, unsigned int count,
			 const struct aws_attribute *item, const struct aws_expression *expression,
			 const struct aws_caller *caller);
/* -> struct aws_item, as it is after the update */
int64_t aws_dynamodb_update(struct aws_client *client, const char *table, unsigned int count,
			    const struct aws_attribute *key,
			    const struct aws_expression *expression,
			    const struct aws_caller *caller);

#endif
