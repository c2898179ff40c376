/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What nodes find when they try their egress themselves: the document reach. */
#ifndef NATXDP_LAMBDA_REACH_H
#define NATXDP_LAMBDA_REACH_H

#include <stdint.h>

#include "evidence.h"
#include "fleet.h"

struct job;
struct reach;

/*
 * Sends the document to each node of @fleet that runs. @fleet is used until the
 * end. NULL after job_fail(): there is no such document, or there are no targets.
 */
struct reach *reach_start(struct job *job, const struct fleet *fleet);

/*
 * Waits until all have answered, @ms at most; may be called again. Then node i
 * of the fleet has its answer, if there is one, in evidence[i]: asked is 0 where not.
 * Returns how many have not answered.
 */
unsigned int reach_wait(struct reach *reach, int64_t ms, struct evidence *evidence);
void reach_end(struct reach *reach);

#endif
