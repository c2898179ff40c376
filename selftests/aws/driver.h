/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* One call of the client, from JSON and back to JSON. */
#ifndef NATXDP_TEST_DRIVER_H
#define NATXDP_TEST_DRIVER_H

#include <aws/client.h>
#include <cjson/cJSON.h>

/* Makes the call @name with @args; returns as aws_call(), -EINVAL if there is none. */
int64_t driver_call(struct aws_client *client, const char *name, const cJSON *args,
		    const struct aws_caller *caller);

/* By enum aws_op, NULL for those of others. */
typedef int64_t (*driver_function)(struct aws_client *client, const cJSON *args,
				   const struct aws_caller *caller);

extern const driver_function driver_functions[AWS_OPS];
extern const driver_function driver_ec2_functions[AWS_OPS];

enum { TEXTS_MAX = 64 };

const char *args_text(const cJSON *args, const char *name);
double args_number(const cJSON *args, const char *name);
bool args_flag(const cJSON *args, const char *name);
/* Returns how many, TEXTS_MAX at most. */
unsigned int args_texts(const cJSON *args, const char *name, const char **list);

/* What result->output holds, as JSON; owned by the caller. */
cJSON *driver_output(const struct aws_result *result);

#endif
