/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What we write from outside text: JSON that parses back, forms without loose characters. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <aws/body.h>
#include <aws/doc.h>
#include <aws/endpoint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct aws_body body = { 0 };
	char *text = malloc(size + 1), url[64];
	cJSON *tree;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = 0;
	aws_body_add_json_string(&body, text, size);
	if (!body.error) {
		tree = aws_json_parse(body.data, body.length);
		/* cJSON's strings end at the first 0, which we write as \u0000: it refuses that */
		if (!tree && !memchr(text, 0, size))
			abort();
		cJSON_Delete(tree);
	}
	aws_body_free(&body);
	aws_form_add(&body, text, "a");
	aws_body_add(&body, "", 1); /* so that it ends with 0 */
	if (!body.error && strspn(body.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					     "0123456789-._~%=") < body.length - 1)
		abort();
	aws_body_free(&body);
	if (!aws_endpoint_override(text, url, sizeof(url)) && strpbrk(url, " \r\n@?#"))
		abort();
	free(text);
	return 0;
}
