/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * ICMP echo to peers whose agent is silent. The kernel answers, so an answer
 * says: the machine runs, its network is there, and the data plane, which needs no
 * agent, with it. Security groups must let ICMP pass between the nodes.
 */
#ifndef NATXDP_AGENT_HA_PING_H
#define NATXDP_AGENT_HA_PING_H

#include "members.h"

struct loop;
struct ping;

typedef void (*ping_answered)(void *ctx, unsigned int node);

/*
 * Opens a raw socket, so with the rights for that. NULL with @err written on failure.
 */
struct ping *ping_open(struct loop *loop, const struct members *members, ping_answered answered,
		       void *ctx, struct err *err);
void ping_close(struct ping *ping);

void ping_send(struct ping *ping, unsigned int node);

#endif
