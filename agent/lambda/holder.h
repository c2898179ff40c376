/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who holds a zone: its lease, one item a zone in DynamoDB, which the agents keep too.
 * It is read and claimed by the same rules, those of agent/ha/lease_item.h.
 */
#ifndef NATXDP_LAMBDA_HOLDER_H
#define NATXDP_LAMBDA_HOLDER_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "fleet.h"

struct job;

struct holder {
	bool there;		    /* else all is 0 */
	bool held;		    /* an operator wants no moves */
	char owner[FLEET_NAME_MAX]; /* node */
	char reason[FLEET_NAME_MAX];
	uint64_t epoch;
	uint64_t witness;
	int64_t since; /* Unix seconds */
};

enum { HOLDERS_MAX = 16 };

/* Of all zones that have a route table. */
struct holders {
	unsigned int count;
	struct {
		const char *zone; /* of the setup */
		struct holder holder;
	} item[HOLDERS_MAX];
};

/* Returns 0 or job_failure(). */
int holder_read(struct job *job, const char *zone, struct holder *holder);

/* The zones, in the order of their route tables; their leases are not read yet. */
void holders_list(const struct job *job, struct holders *holders);

/* Reads the leases of those listed, all at a time. Returns 0 or job_failure(). */
int holders_read(struct job *job, struct holders *holders);

/*
 * Makes @owner the owner, if the lease is still as @holder has it, and with @unless_held if
 * nobody holds the zone where it is. Returns 0 with @holder as it is now, -EEXIST with
 * @holder as somebody else has written it, or job_failure().
 */
int holder_claim(struct job *job, const char *zone, const char *owner, const char *reason,
		 bool unless_held, struct holder *holder);

/* Holds the zone where it is, or lets it go, for agents and functions. Returns 0 or job_failure(). */
int holder_hold(struct job *job, const char *zone, bool on);

/* {zone: {"owner", "epoch", "reason", "since", "hold"}} of those that are there. */
cJSON *holders_tell(const struct holders *holders);

#endif
