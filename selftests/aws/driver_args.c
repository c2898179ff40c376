/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "driver.h"

#include <errno.h>
#include <string.h>

const char *args_text(const cJSON *args, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItem(args, name));
}

double args_number(const cJSON *args, const char *name)
{
	const cJSON *item = cJSON_GetObjectItem(args, name);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

bool args_flag(const cJSON *args, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItem(args, name));
}

unsigned int args_texts(const cJSON *args, const char *name, const char **list)
{
	const cJSON *item;
	unsigned int count = 0;

	cJSON_ArrayForEach(item, cJSON_GetObjectItem(args, name)) {
		if (count < TEXTS_MAX)
			list[count++] = item->valuestring;
	}
	return count;
}

int64_t driver_call(struct aws_client *client, const char *name, const cJSON *args,
		    const struct aws_caller *caller)
{
	int op;

	for (op = 0; op < AWS_OPS; op++) {
		if (strcmp(aws_calls[op].action, name) != 0)
			continue;
		if (driver_functions[op])
			return driver_functions[op](client, args, caller);
		if (driver_ec2_functions[op])
			return driver_ec2_functions[op](client, args, caller);
	}
	return -EINVAL;
}
