/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

void json_add_count(cJSON *object, const char *name, uint64_t count)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, count);
	cJSON_AddRawToObject(object, name, text);
}

int json_print(cJSON *object)
{
	char *text = cJSON_PrintUnformatted(object);

	cJSON_Delete(object);
	if (!text)
		return -ENOMEM;
	puts(text);
	cJSON_free(text);
	return 0;
}
