/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "results.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *aws_result_alloc(struct aws_result *result, size_t count, size_t size)
{
	return aws_arena_alloc(result->arena, count, size);
}

int aws_parse_nothing(const cJSON *answer, struct aws_result *result)
{
	(void)answer;
	result->output = NULL;
	return 0;
}

int aws_parse_list(const cJSON *list, size_t size, aws_parse_one parse, const void *items,
		   size_t *count, struct aws_result *result)
{
	size_t length = list ? (size_t)cJSON_GetArraySize(list) : 0, i = 0;
	char *array = aws_result_alloc(result, length, size);
	const cJSON *item;

	if (!array)
		return -ENOMEM;
	cJSON_ArrayForEach(item, list) {
		int err = parse(item, array + size * i++, result);

		if (err)
			return err;
	}
	*count = length;
	memcpy((void *)(uintptr_t)items, &array, sizeof(array));
	return 0;
}

/* EC2 writes key and value, Auto Scaling Key and Value. */
static int parse_tag(const cJSON *from, void *to, struct aws_result *result)
{
	struct aws_tag *tag = to;

	(void)result;
	tag->key = aws_doc_text(from, "key");
	if (!*tag->key)
		tag->key = aws_doc_text(from, "Key");
	tag->value = aws_doc_text(from, "value");
	if (!*tag->value)
		tag->value = aws_doc_text(from, "Value");
	return 0;
}

int aws_parse_tags(const cJSON *object, const char *name, const struct aws_tag **tags,
		   size_t *count, struct aws_result *result)
{
	return aws_parse_list(aws_doc_list(object, name), sizeof(**tags), parse_tag, tags, count,
			      result);
}

static bool is_xml(enum aws_protocol protocol)
{
	return protocol == AWS_QUERY || protocol == AWS_EC2QUERY;
}

cJSON *aws_parse_answer(enum aws_protocol protocol, const char *text, size_t length)
{
	cJSON *tree;

	if (is_xml(protocol))
		return aws_xml_parse(text, length);
	/* Calls that have nothing to say answer with nothing. */
	tree = length ? aws_json_parse(text, length) : cJSON_CreateObject();
	if (tree && !cJSON_IsObject(tree)) {
		cJSON_Delete(tree);
		return NULL;
	}
	return tree;
}

/*
 * Query:  <ErrorResponse><Error><Code/><Message/>
 * EC2:    <Response><Errors><Error><Code/><Message/>
 * JSON:   {"__type": "com.amazonaws.dynamodb.v20120810#Code", "message": ""}
 */
void aws_parse_error(enum aws_protocol protocol, const cJSON *answer, char *code, size_t code_size,
		     char *message, size_t message_size)
{
	const char *type, *text;

	if (is_xml(protocol)) {
		const cJSON *errors = aws_doc_member(answer, "Errors");
		const cJSON *error = aws_doc_member(errors ? errors : answer, "Error");

		type = aws_doc_text(error, "Code");
		text = aws_doc_text(error, "Message");
	} else {
		const char *hash;

		type = aws_doc_text(answer, "__type");
		hash = strrchr(type, '#');
		type = hash ? hash + 1 : type;
		text = aws_doc_text(answer, "message");
		if (!*text)
			text = aws_doc_text(answer, "Message");
	}
	snprintf(code, code_size, "%s", type);
	snprintf(message, message_size, "%s", text);
}

/* What is inside <ActionResponse>, or in Query inside <ActionResult> there; NULL if not there. */
static const cJSON *xml_result(const struct aws_call_info *call, enum aws_protocol protocol,
			       const cJSON *tree)
{
	char name[64];
	const cJSON *inner;

	snprintf(name, sizeof(name), "%sResponse", call->action);
	if (!tree->string || strcmp(tree->string, name) != 0)
		return NULL;
	if (protocol == AWS_EC2QUERY)
		return tree;
	snprintf(name, sizeof(name), "%sResult", call->action);
	inner = aws_doc_member(tree, name);
	return inner ? inner : tree; /* some actions have no result */
}

int aws_parse_result(enum aws_op op, const char *text, size_t length, cJSON **tree,
		     struct aws_result *result)
{
	const struct aws_call_info *call = &aws_calls[op];
	enum aws_protocol protocol = aws_services[call->service].protocol;
	const cJSON *inner;

	*tree = aws_parse_answer(protocol, text, length);
	if (!*tree)
		return -EBADMSG;
	inner = is_xml(protocol) ? xml_result(call, protocol, *tree) : *tree;
	return inner ? call->parse(inner, result) : -EBADMSG;
}
