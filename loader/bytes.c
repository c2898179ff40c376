/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Sizes of buffers: powers of two, with a suffix K, M or G. */
#include <stdlib.h>
#include <string.h>

#include "values.h"

static int parse_bytes(const struct value_kind *kind, const char *text, void *field,
		       struct reason *why)
{
	static const char suffixes[] = "KMG";
	unsigned long number;
	const char *suffix;
	char *end;

	(void)kind;
	number = strtoul(text, &end, 10);
	suffix = *end ? strchr(suffixes, *end) : NULL;
	if (*text < '0' || *text > '9' || number > BYTES_MAX || (*end && (!suffix || end[1])))
		return value_refuse(why, "not a size: give bytes, or with a suffix such as 4M");
	if (suffix)
		number <<= 10 * (suffix - suffixes + 1);
	if (number < BYTES_MIN || number > BYTES_MAX || number & (number - 1))
		return value_refuse(why, "not a power of two from 64K to 1G");
	*(uint32_t *)field = number;
	return 0;
}

static void print_bytes(const struct value_kind *kind, const void *field, FILE *out)
{
	uint32_t bytes = *(const uint32_t *)field;

	(void)kind;
	if (bytes % (1 << 20))
		fprintf(out, "%uK", bytes >> 10);
	else
		fprintf(out, "%uM", bytes >> 20);
}

const struct value_kind kind_bytes = { "BYTES", NULL, parse_bytes, print_bytes };
