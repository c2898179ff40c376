/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What nat-route-failover remembers in a parameter, and a person's override:
 *	{"zones": {ZONE: {"owner", "epoch", "why", "at"}}, "hold": [ZONE...]}
 */
#ifndef NATXDP_LAMBDA_ROUTING_H
#define NATXDP_LAMBDA_ROUTING_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

struct job;

/* *@routing is an object, owned by the caller. Returns 0 or job_failure(). */
int routing_read(struct job *job, cJSON **routing);
int routing_store(struct job *job, const cJSON *routing);

bool routing_is_held(const cJSON *routing, const char *zone);
void routing_hold(cJSON *routing, const char *zone, bool on);

void routing_note(cJSON *routing, const char *zone, const char *owner, uint64_t epoch,
		  const char *why);

#endif
