/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Answers of AWS: the first byte says to which call, the rest is the body. The
 * error document that it might be is read as well.
 */
#include <stddef.h>
#include <stdint.h>

#include <aws/results.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct aws_arena arena = { 0 };
	struct aws_result result = { .arena = &arena };
	enum aws_protocol protocol;
	cJSON *tree;

	if (!size)
		return 0;
	result.op = data[0] % AWS_OPS;
	protocol = aws_services[aws_calls[result.op].service].protocol;
	aws_parse_result(result.op, (const char *)data + 1, size - 1, &tree, &result);
	aws_parse_error(protocol, tree, result.code, sizeof(result.code), result.message,
			sizeof(result.message));
	cJSON_Delete(tree);
	aws_arena_free(&arena);
	return 0;
}
