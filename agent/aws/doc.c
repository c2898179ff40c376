/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "doc.h"

#include <limits.h>
#include <stdlib.h>
#include <strings.h>

/* cJSON takes 1000 levels, and its recursion 100 kB of stack for them. */
static bool too_big(const char *text, size_t length)
{
	unsigned int depth = 0, nodes = 0;
	bool quoted = false;
	size_t i;

	for (i = 0; i < length; i++) {
		char c = text[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			if (++depth > AWS_DOC_DEPTH_MAX || ++nodes > AWS_DOC_NODES_MAX)
				return true;
		} else if (c == ',') {
			if (++nodes > AWS_DOC_NODES_MAX)
				return true;
		} else if ((c == '}' || c == ']') && depth) {
			depth--;
		}
	}
	return false;
}

cJSON *aws_json_parse(const char *text, size_t length)
{
	if (!length || too_big(text, length))
		return NULL;
	return cJSON_ParseWithLength(text, length);
}

const cJSON *aws_doc_member(const cJSON *object, const char *name)
{
	const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsObject(member) ? member : NULL;
}

const cJSON *aws_doc_list(const cJSON *object, const char *name)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsArray(list) ? list : NULL;
}

const char *aws_doc_text(const cJSON *object, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return text ? text : "";
}

double aws_doc_number(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	if (cJSON_IsNumber(item))
		return item->valuedouble;
	return cJSON_IsString(item) ? strtod(item->valuestring, NULL) : 0;
}

unsigned int aws_doc_count(const cJSON *object, const char *name)
{
	double number = aws_doc_number(object, name);

	/* written so that not-a-number is 0 */
	return number > 0 && number <= UINT_MAX ? (unsigned int)number : 0;
}

bool aws_doc_bool(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsTrue(item) ||
	       (cJSON_IsString(item) && strcasecmp(item->valuestring, "true") == 0);
}
