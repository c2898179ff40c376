/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The nodes that may have a zone, as EC2, the load balancer and the leases see them. */
#ifndef NATXDP_LAMBDA_CANDIDATES_H
#define NATXDP_LAMBDA_CANDIDATES_H

#include "fleet.h"
#include "takeover.h"

struct job;

struct candidates {
	struct fleet fleet;
	struct candidate item[FLEET_NODES_MAX]; /* of the fleet's nodes, in its order */
};

/* All but reach and load. Returns 0 or job_failure(). */
int candidates_read(struct job *job, struct candidates *candidates);

/* Adds the zones that each node owns. Returns 0 or job_failure(). */
int candidates_count_zones(struct job *job, struct candidates *candidates);

/* Where a node stands among the names of all; behind the last if there is none of that name. */
unsigned int candidates_place(const struct job *job, const char *node);

#endif
