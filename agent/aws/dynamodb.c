/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "dynamodb.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>

#include "body.h"
#include "results.h"

static cJSON *attribute_map(unsigned int count, const struct aws_attribute *attributes)
{
	cJSON *map = cJSON_CreateObject();
	unsigned int i;

	for (i = 0; i < count; i++) {
		const struct aws_attribute *attribute = &attributes[i];
		cJSON *value = cJSON_AddObjectToObject(map, attribute->name);

		switch (attribute->type) {
		case AWS_STRING:
			cJSON_AddStringToObject(value, "S", attribute->value);
			break;
		case AWS_NUMBER:
			cJSON_AddStringToObject(value, "N", attribute->value);
			break;
		case AWS_BOOL:
			cJSON_AddBoolToObject(value, "BOOL", strcmp(attribute->value, "true") == 0);
			break;
		}
	}
	return map;
}

static void add_expression(cJSON *input, const struct aws_expression *expression)
{
	unsigned int i;
	cJSON *names;

	if (!expression)
		return;
	if (expression->condition)
		cJSON_AddStringToObject(input, "ConditionExpression", expression->condition);
	if (expression->update)
		cJSON_AddStringToObject(input, "UpdateExpression", expression->update);
	if (expression->name_count) {
		names = cJSON_AddObjectToObject(input, "ExpressionAttributeNames");
		for (i = 0; i < expression->name_count; i++)
			cJSON_AddStringToObject(names, expression->names[i].alias,
						expression->names[i].name);
	}
	if (expression->value_count)
		cJSON_AddItemToObject(input, "ExpressionAttributeValues",
				      attribute_map(expression->value_count, expression->values));
}

int64_t aws_dynamodb_get(struct aws_client *client, const char *table, unsigned int count,
			 const struct aws_attribute *key, const struct aws_caller *caller)
{
	struct aws_body body = { 0 };
	cJSON *input = cJSON_CreateObject();

	cJSON_AddStringToObject(input, "TableName", table);
	cJSON_AddItemToObject(input, "Key", attribute_map(count, key));
	cJSON_AddBoolToObject(input, "ConsistentRead", true);
	aws_body_add_json(&body, input);
	return aws_call(client, AWS_OP_GetItem, &body, caller);
}

int64_t aws_dynamodb_put(struct aws_client *client, const char *table, unsigned int count,
			 const struct aws_attribute *item, const struct aws_expression *expression,
			 const struct aws_caller *caller)
{
	struct aws_body body = { 0 };
	cJSON *input = cJSON_CreateObject();

	cJSON_AddStringToObject(input, "TableName", table);
	cJSON_AddItemToObject(input, "Item", attribute_map(count, item));
	add_expression(input, expression);
	aws_body_add_json(&body, input);
	return aws_call(client, AWS_OP_PutItem, &body, caller);
}

int64_t aws_dynamodb_update(struct aws_client *client, const char *table, unsigned int count,
			    const struct aws_attribute *key,
			    const struct aws_expression *expression,
			    const struct aws_caller *caller)
{
	struct aws_body body = { 0 };
	cJSON *input = cJSON_CreateObject();

	cJSON_AddStringToObject(input, "TableName", table);
	cJSON_AddItemToObject(input, "Key", attribute_map(count, key));
	cJSON_AddStringToObject(input, "ReturnValues", "ALL_NEW");
	add_expression(input, expression);
	aws_body_add_json(&body, input);
	return aws_call(client, AWS_OP_UpdateItem, &body, caller);
}

/* False if it is no scalar. */
static bool parse_attribute(const cJSON *from, struct aws_attribute *attribute)
{
	const cJSON *value = from->child;

	attribute->name = from->string;
	if (!cJSON_IsObject(from) || !value)
		return false;
	if (strcmp(value->string, "BOOL") == 0 && cJSON_IsBool(value)) {
		attribute->type = AWS_BOOL;
		attribute->value = cJSON_IsTrue(value) ? "true" : "false";
		return true;
	}
	if (!cJSON_IsString(value))
		return false;
	attribute->value = value->valuestring;
	attribute->type = strcmp(value->string, "N") == 0 ? AWS_NUMBER : AWS_STRING;
	return strcmp(value->string, "N") == 0 || strcmp(value->string, "S") == 0;
}

/* GetItem answers with Item, UpdateItem with Attributes. */
int aws_parse_item(const cJSON *answer, struct aws_result *result)
{
	const cJSON *map = aws_doc_member(answer, "Item"), *from;
	struct aws_item *item = aws_result_alloc(result, 1, sizeof(*item));
	struct aws_attribute *attributes;

	if (!map)
		map = aws_doc_member(answer, "Attributes");
	attributes = aws_result_alloc(result, (size_t)cJSON_GetArraySize(map), sizeof(*attributes));
	if (!item || !attributes)
		return -ENOMEM;
	cJSON_ArrayForEach(from, map) {
		if (parse_attribute(from, &attributes[item->count]))
			item->count++;
	}
	item->attributes = attributes;
	result->output = item;
	return 0;
}
