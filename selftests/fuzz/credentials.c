/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The credentials document of IMDS: what is taken must be safe to send in a header. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <aws/credentials.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text, size_t limit)
{
	size_t i, length = strnlen(text, limit);

	if (length == limit)
		abort();
	for (i = 0; i < length; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct aws_credentials credentials;

	if (aws_credentials_parse((const char *)data, size, &credentials))
		return 0;
	check(credentials.key, sizeof(credentials.key));
	check(credentials.secret, sizeof(credentials.secret));
	check(credentials.token, sizeof(credentials.token));
	if (!credentials.key[0] || !credentials.secret[0])
		abort();
	return 0;
}
