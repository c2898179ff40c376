/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Answers as trees of cJSON, whichever protocol they came by, and readers that
 * make do with whatever is there: outside bytes may lack anything.
 */
#ifndef NATXDP_AWS_DOC_H
#define NATXDP_AWS_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

enum aws_doc_limits {
	AWS_DOC_DEPTH_MAX = 32,	    /* the deepest answer, DescribeInstances, has 12 levels */
	AWS_DOC_NODES_MAX = 100000, /* a node takes up to 160 bytes, of an answer it may be 2 */
};

/* The tree of @length bytes of JSON, to be freed by cJSON_Delete(); NULL: it is none. */
cJSON *aws_json_parse(const char *text, size_t length);

/*
 * The tree of an XML document, i.e. of what is inside its root element:
 * elements become members, text becomes strings, elements that hold nothing
 * but <item> or <member> become arrays. Attributes are left out. The name of the root is its string. NULL: it is
 * none, it is too deep, or it has a document type (no answer of AWS has one).
 */
cJSON *aws_xml_parse(const char *text, size_t length);

/* "" if there is no such text; valid as long as the tree. */
const char *aws_doc_text(const cJSON *object, const char *name);

/* Numbers, also those that XML has as text; 0 if there is none. */
double aws_doc_number(const cJSON *object, const char *name);
unsigned int aws_doc_count(const cJSON *object, const char *name);
bool aws_doc_bool(const cJSON *object, const char *name);

/* NULL if there is none. */
const cJSON *aws_doc_member(const cJSON *object, const char *name);
const cJSON *aws_doc_list(const cJSON *object, const char *name);

#endif
