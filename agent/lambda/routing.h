/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What nat-route-failover has done last, in a parameter, for people:
 *	{"zones": {ZONE: {"owner", "epoch", "why", "at"}}}
 * Nothing is decided by it: who owns a zone, and whether it is held, says its lease.
 */
#ifndef NATXDP_LAMBDA_ROUTING_H
#define NATXDP_LAMBDA_ROUTING_H

#include <cjson/cJSON.h>
#include <stdint.h>

struct job;

/* *@routing is an object, owned by the caller. Returns 0 or job_failure(). */
int routing_read(struct job *job, cJSON **routing);
int routing_store(struct job *job, const cJSON *routing);

void routing_note(cJSON *routing, const char *zone, const char *owner, uint64_t epoch,
		  const char *why);

#endif
