/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "doc.h"

#include <stdlib.h>
#include <string.h>

#include <expat.h>

struct reader {
	XML_Parser parser;
	cJSON *open[AWS_DOC_DEPTH_MAX]; /* the elements that are not closed */
	unsigned int depth;
	unsigned int nodes;
	cJSON *root;
	char *text; /* since the last tag */
	size_t length, room;
	bool failed;
};

static void fail(struct reader *reader)
{
	reader->failed = true;
	XML_StopParser(reader->parser, XML_FALSE);
}

static void start_element(void *data, const char *name, const char **attributes)
{
	struct reader *reader = data;
	cJSON *element;

	(void)attributes;
	reader->length = 0;
	if (reader->depth == AWS_DOC_DEPTH_MAX || reader->nodes++ == AWS_DOC_NODES_MAX)
		return fail(reader);
	element = cJSON_CreateObject();
	if (!element)
		return fail(reader);
	if (!reader->depth) {
		reader->root = element; /* XML has one */
		element->string = strdup(name);
	} else if (!cJSON_AddItemToObject(reader->open[reader->depth - 1], name, element)) {
		cJSON_Delete(element);
		return fail(reader);
	}
	reader->open[reader->depth++] = element;
}

static bool is_list(const cJSON *element)
{
	const cJSON *child;

	cJSON_ArrayForEach(child, element) {
		if (strcmp(child->string, "item") != 0 && strcmp(child->string, "member") != 0)
			return false;
	}
	return element->child;
}

static void end_element(void *data, const char *name)
{
	struct reader *reader = data;
	cJSON *element = reader->open[--reader->depth];

	(void)name;
	if (is_list(element)) {
		element->type = cJSON_Array;
	} else if (!element->child) {
		element->valuestring = malloc(reader->length + 1);
		if (!element->valuestring)
			return fail(reader);
		memcpy(element->valuestring, reader->length ? reader->text : "", reader->length);
		element->valuestring[reader->length] = 0;
		element->type = cJSON_String;
	}
	reader->length = 0;
}

static void character_data(void *data, const char *text, int length)
{
	struct reader *reader = data;
	size_t needed = reader->length + (size_t)length;

	if (needed > reader->room) {
		char *grown = realloc(reader->text, needed * 2);

		if (!grown)
			return fail(reader);
		reader->text = grown;
		reader->room = needed * 2;
	}
	memcpy(reader->text + reader->length, text, (size_t)length);
	reader->length = needed;
}

/* Entities that expand to more entities come with one. */
static void start_doctype(void *data, const char *name, const char *sysid, const char *pubid,
			  int has_subset)
{
	(void)name;
	(void)sysid;
	(void)pubid;
	(void)has_subset;
	fail(data);
}

cJSON *aws_xml_parse(const char *text, size_t length)
{
	struct reader reader = { .parser = XML_ParserCreate(NULL) };

	if (!reader.parser)
		return NULL;
	XML_SetUserData(reader.parser, &reader);
	XML_SetElementHandler(reader.parser, start_element, end_element);
	XML_SetCharacterDataHandler(reader.parser, character_data);
	XML_SetStartDoctypeDeclHandler(reader.parser, start_doctype);
	if (length > INT32_MAX || XML_Parse(reader.parser, text, (int)length, 1) != XML_STATUS_OK ||
	    reader.failed) {
		cJSON_Delete(reader.root);
		reader.root = NULL;
	}
	XML_ParserFree(reader.parser);
	free(reader.text);
	return reader.root;
}
