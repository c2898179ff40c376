/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* XML and JSON as trees, whatever they mean; what comes out must be of bounded depth. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <aws/doc.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const cJSON *node, unsigned int depth)
{
	const cJSON *child;

	if (depth > AWS_DOC_DEPTH_MAX)
		abort();
	aws_doc_text(node, "a");
	aws_doc_count(node, "a");
	aws_doc_bool(node, "a");
	if (cJSON_IsString(node) && !node->valuestring)
		abort();
	cJSON_ArrayForEach(child, node) {
		walk(child, depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cJSON *tree = aws_xml_parse((const char *)data, size);

	if (tree)
		walk(tree, 1);
	cJSON_Delete(tree);
	tree = aws_json_parse((const char *)data, size);
	if (tree)
		walk(tree, 0);
	cJSON_Delete(tree);
	return 0;
}
