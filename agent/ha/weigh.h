/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which weights the zones' target groups are to have: the one rule of agents and functions. */
#ifndef NATXDP_AGENT_HA_WEIGH_H
#define NATXDP_AGENT_HA_WEIGH_H

#include <stdint.h>

#include "aws/elb.h"

enum {
	WEIGH_ON = 100,
	WEIGH_GROUPS_MAX = 16, /* AWS allows 5 in an action */
};

struct weigh_zone {
	const char *name;
	const char *group; /* target group of the zone's nodes; NULL: it is not weighted */
	const char *owner; /* zone of the node that owns this one; NULL: nobody does, or a stranger */
};

/* A listener's default action. Names are those of zones, or the caller's. */
struct weigh_groups {
	unsigned int count;
	struct aws_weight item[WEIGH_GROUPS_MAX];
};

/*
 * A group has 100 if a node of its zone owns any zone, its own or another's: so two nodes
 * that have swapped their zones both count. It has 0 if its zone is served by a node of
 * another, and none of its own serves anything. Where nobody owns the zone it stays as it
 * is, and so do groups that belong to no zone. Never are all weights 0, for then a
 * load balancer sends nothing anywhere: rather have all groups of zones 100.
 *
 * Changes @groups. Returns the zones, a bit each, whose group was changed or added; -1: there
 * is no room for another group. 63 zones at the most.
 */
int64_t weigh(const struct weigh_zone *zones, unsigned int count, struct weigh_groups *groups);

/* What a zone's group has; 0 if it is not there. */
unsigned int weigh_of(const struct weigh_groups *groups, const char *group);

#endif
