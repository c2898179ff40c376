/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The weights of the zones' target groups at a load balancer that packets do not
 * pass (ha_mode = eni), as weigh.h has them. Whoever owns a zone sees to all of them. One call
 * sets all groups of a listener, so this is read, changed and written: and just before it is
 * written, the leases of all zones are read. What two owners wrote at once is put right by
 * whoever looks next.
 */
#ifndef NATXDP_AGENT_HA_WEIGHTS_H
#define NATXDP_AGENT_HA_WEIGHTS_H

#include "lease.h"

struct loop;
struct weights;

/* @failed: a weight could not be set within the budget. */
typedef void (*weights_failed)(void *ctx);

/* NULL without memory or descriptors. All that is given must outlive it; @policy is only read. */
struct weights *weights_new(struct loop *loop, struct aws_client *client,
			    const struct members *members, struct leases *leases,
			    const struct policy *policy, weights_failed failed, void *ctx);
void weights_free(struct weights *weights);

/* The zone is ours in @epoch: looks at the weights, and mends those that are wrong. */
void weights_set(struct weights *weights, unsigned int zone, uint64_t epoch);

/* No more calls for the zone. What is on its way to AWS cannot be taken back. */
void weights_stop(struct weights *weights, unsigned int zone);

#endif
