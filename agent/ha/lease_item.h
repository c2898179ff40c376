/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The item of a zone in the lease table, as agents and functions both read and
 * claim it. Its attributes are listed in lease.h.
 */
#ifndef NATXDP_AGENT_HA_LEASE_ITEM_H
#define NATXDP_AGENT_HA_LEASE_ITEM_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/dynamodb.h"

/* Strings are those of what was read; "" where it has none. */
struct lease_item {
	bool there; /* somebody owns it; else all is 0 and "" */
	bool held;  /* an operator wants no moves by themselves */
	const char *owner;
	const char *reason;
	uint64_t epoch;
	uint64_t witness;
	int64_t since; /* Unix seconds; 0: not known */
};

/* @item may be NULL: there is none. */
void lease_item_read(const struct aws_item *item, struct lease_item *lease);

/* What expression points to is in here, or given to lease_claim_write(). Not to be copied. */
struct lease_claim {
	struct aws_expression expression;
	struct aws_attribute values[8];
	char before[24], after[24], since[32];
};

/*
 * @owner writes itself in with the next epoch and a witness of 0, on the
 * condition that the lease is still as @expected: its epoch, and its owner where
 * that has a name. @unless_held: and that nobody has asked to hold it meanwhile.
 */
void lease_claim_write(struct lease_claim *claim, const struct lease_item *expected,
		       const char *owner, const char *reason, int64_t now, bool unless_held);

struct lease_hold {
	struct aws_expression expression;
	struct aws_attribute value;
};

/*
 * @who wants no moves of the zone by themselves; NULL: they may be again. On the
 * condition that somebody owns it. Agents and functions both keep to it; what a
 * person asks for moves all the same.
 */
void lease_hold_write(struct lease_hold *hold, const char *who);

#endif
