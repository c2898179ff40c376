/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The weights of the zones' target groups, after the rule that the agents have: agent/ha/weigh.h. */
#ifndef NATXDP_LAMBDA_WEIGHING_H
#define NATXDP_LAMBDA_WEIGHING_H

#include "fleet.h"

struct job;

/*
 * Reads the listener and the leases of all zones, sets the weights that are wrong, and
 * looks again. Nothing to do without a listener. @fleet says in which zone a node is; of one that
 * has no instance its name does. Returns 0 or job_failure().
 */
int weighing_run(struct job *job, const struct fleet *fleet);

#endif
