/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef NATXDP_JSON_H
#define NATXDP_JSON_H

#include <cjson/cJSON.h>
#include <stdint.h>

/* Whole numbers beyond 2^53 too, which cJSON's own numbers (doubles) would round. */
void json_add_count(cJSON *object, const char *name, uint64_t count);

/* Prints @object in one line, and frees it. Returns 0 or -ENOMEM. */
int json_print(cJSON *object);

#endif
