/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Moving what belongs to a zone to this node: ReplaceRoute for each of its
 * routes, AssociateAddress for each of its elastic IPs, all at once. Every call is
 * preceded by a look at the lease, every call may be made twice, and what Describe
 * shows in the end is what counts. A move that was interrupted, by a crash or by an
 * answer that never came, is simply done again.
 */
#ifndef NATXDP_AGENT_HA_ACTION_H
#define NATXDP_AGENT_HA_ACTION_H

#include "lease.h"

struct loop;
struct moves;

struct move_user {
	/* POLICY_MOVED and POLICY_MOVE_FAILED */
	void (*event)(void *ctx, const struct policy_event *event);
	/* The elastic IP is here: its slot may give ports to new flows. */
	void (*placed)(void *ctx, unsigned int address);
	void *ctx;
};

enum move_how {
	MOVE_CLAIMED, /* the lease was written or read just now: call at once */
	MOVE_CHECKED, /* look at the lease, then call */
	MOVE_AUDIT,   /* see what is wrong, and call for that alone */
};

/* NULL without memory or descriptors. All that is given must outlive it. */
struct moves *moves_new(struct loop *loop, struct aws_client *client, const struct members *members,
			struct leases *leases, const struct move_user *user);
void moves_free(struct moves *moves);

/* Replaces a move of the zone that is under way. */
void move_begin(struct moves *moves, unsigned int zone, uint64_t epoch, enum move_how how);

/* No more calls for the zone. What is on its way to AWS cannot be taken back. */
void move_stop(struct moves *moves, unsigned int zone);

#endif
