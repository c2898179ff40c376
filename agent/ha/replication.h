/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The flows of the fleet: which peer has ours. */
#ifndef NATXDP_AGENT_HA_REPLICATION_H
#define NATXDP_AGENT_HA_REPLICATION_H

#include "channel.h"
#include "members.h"

struct replication;
struct source;

struct replication_lag {
	unsigned int peers; /* that have all our flows */
	uint64_t flows;	    /* changes that the slowest peer has not confirmed */
	int64_t ms;
};

/* Since the start, of all peers; flows: new, changed and closed. */
struct replication_totals {
	uint64_t flows_sent, flows_received, bytes_sent;
};

/* @peer: numbers in the channel, by node; -1: this node. NULL with @err written on failure. */
struct replication *replication_start(struct loop *loop, struct channel *channel,
				      struct source *source, const struct members *members,
				      const int *peer, struct err *err);
void replication_stop(struct replication *replication);

/* Bits by address of the configuration. */
void replication_set_owned(struct replication *replication, uint64_t addresses);

/* Has the node all our flows, and is it not far behind? */
bool replication_is_synced(const struct replication *replication, unsigned int node);

/* Adds to @totals. */
void replication_add_totals(const struct replication *replication,
			    struct replication_totals *totals);

void replication_lag(const struct replication *replication, struct replication_lag *lag);

#endif
