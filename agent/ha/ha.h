/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A node among its peers: the policy (policy.h) with a clock, a network, leases
 * and AWS around it, in the agent's loop.
 */
#ifndef NATXDP_AGENT_HA_HA_H
#define NATXDP_AGENT_HA_HA_H

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct cJSON;
struct err;
struct gauges;
struct ha;
struct totals;

/* Opens sockets, so with the rights for that. NULL with @err written on failure. */
struct ha *ha_start(struct agent *agent, struct err *err);
void ha_stop(struct ha *ha);

/*
 * The NAT gets other tables: replication lets go of the old ones, and begins anew
 * over the others. Returns 0 or -errno with @err written.
 */
void ha_let_go(struct ha *ha);
int ha_follow(struct ha *ha, struct err *err);

/* Hands over what is owned, or does so no more; notices of the instance do the same. */
void ha_drain(struct ha *ha, bool on);

/* Drains, and then, or after a while, ends the loop. */
void ha_leave(struct ha *ha);

/* What `natxdp failover` and `natxdpd drain` ask for; returns the answer, or NULL without memory. */
struct cJSON *ha_command(void *ha, const struct cJSON *request);

void ha_status(const struct ha *ha, struct cJSON *object);
void ha_totals(const struct ha *ha, struct totals *totals);
void ha_gauges(struct ha *ha, struct gauges *gauges);

#endif
