/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The inside addresses that are blocked on every node: a list in a parameter,
 * [{"address", "instance", "reason", "since"}], which nodes that start later
 * are told too.
 */
#ifndef NATXDP_LAMBDA_BLOCKED_H
#define NATXDP_LAMBDA_BLOCKED_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "command.h"

struct job;

/* *@list is an array, owned by the caller. Returns 0 or job_failure(). */
int blocked_read(struct job *job, cJSON **list);

/* The address of an item; NULL: it has none. */
const char *blocked_address(const cJSON *item);

/*
 * Blocks @address on the instances, or releases it; nodes that did not do so
 * are named and make the job fail. @outcomes has room for each.
 */
int blocked_tell(struct job *job, const char *address, bool block, unsigned int count,
		 const char *const *instances, struct outcome *outcomes);

#endif
