/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The leases in DynamoDB: one item a zone.
 *
 *   az       S  the zone: the key of the table
 *   owner    S  ha_node of who owns it
 *   epoch    N  raised by each change of hands
 *   since    S  when that was (UTC), for people
 *   reason   S  why, a word of policy_reason_names
 *   witness  N  counted up by an owner that is cut off from its peers
 *   hold     S  who wants no moves by themselves: the node that was asked, or the
 *               function nat-route-failover; not there or "": nobody
 *
 * Every write is conditional on owner and epoch. One whose answer is lost, or
 * that finds its condition broken, is read back before anybody believes
 * anything: the write may have been done by the try before.
 */
#ifndef NATXDP_AGENT_HA_LEASE_H
#define NATXDP_AGENT_HA_LEASE_H

#include "members.h"

struct aws_client;
struct leases;

/* Called with POLICY_LEASE, _LEASE_FAILED, _WON, _LOST and _UNCERTAIN. */
typedef void (*lease_event)(void *ctx, const struct policy_event *event);

/* @why is NULL if the zone is still ours in @epoch; @lease if it could not be read. */
typedef void (*lease_checked)(void *ctx, uint64_t epoch, const struct policy_lease *lease,
			      const char *why);

/* NULL without memory. @members and @client must outlive it. */
struct leases *leases_new(struct aws_client *client, const struct members *members,
			  lease_event event, void *ctx);
void leases_free(struct leases *leases);

void lease_read(struct leases *leases, unsigned int zone);

/* Writes this node in, if the lease is still as @expected. */
void lease_claim(struct leases *leases, unsigned int zone, const struct policy_lease *expected,
		 enum policy_reason reason);

/* Counts up the witness, if the zone is still ours in @epoch. */
void lease_witness(struct leases *leases, unsigned int zone, uint64_t epoch);

/* Sets or clears the hold. The lease comes as POLICY_LEASE when it is done. */
void lease_hold(struct leases *leases, unsigned int zone, bool on);

/* Before a call: is the zone ours in @epoch? What was read comes as POLICY_LEASE, too. */
int lease_check(struct leases *leases, unsigned int zone, uint64_t epoch, lease_checked done,
		void *ctx);

#endif
