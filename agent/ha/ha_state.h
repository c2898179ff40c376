/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The inner half of ha.h: what ha.c and ha_command.c share. */
#ifndef NATXDP_AGENT_HA_HA_STATE_H
#define NATXDP_AGENT_HA_HA_STATE_H

#include "action.h"
#include "channel.h"
#include "duty.h"
#include "ha.h"
#include "lease.h"
#include "replication.h"
#include "weights.h"

enum { HA_QUEUE = 64 };

/* Whose instance a call is about. */
struct ha_asking {
	struct ha *ha;
	uint8_t node;
};

struct ha {
	struct agent *agent;
	struct members members;
	struct policy policy;

	struct awsclient *client;
	struct leases *leases;
	struct moves *moves;
	struct weights *weights;
	struct ping *ping;
	struct channel *channel;
	struct replication *replication;
	struct control *control;

	int peer[POLICY_NODES];		 /* of the channel, by node; -1: this node */
	uint8_t node[CHANNEL_PEERS_MAX]; /* the other way round */
	int tick, beat, key, leaving;	 /* timers */
	bool beat_now;
	struct ha_asking asking[POLICY_NODES];
	bool stranger_said[POLICY_NODES]; /* of another fleet: said once */

	/* what happens while the policy is at work waits */
	bool stepping;
	unsigned int queued;
	struct policy_event queue[HA_QUEUE];

	uint64_t resting;		    /* bits by address: not here, as far as we know */
	uint64_t owned_epoch[POLICY_ZONES]; /* in which all of the zone was here; 0: never */
	bool drained, ending;
	struct duty duty;
	char who[HA_NAME_MAX + 16]; /* in the log */

	struct replication_totals replicated; /* by replications that have ended */
	uint64_t failovers, handovers, failed, missed;
	uint64_t heard[POLICY_NODES];
	int64_t last_ms; /* of the last take-over; -1: none since the last sample */
	int64_t shown_ms;
};

void ha_post(struct ha *ha, const struct policy_event *event);

/* "nobody" and "a stranger" too. */
const char *ha_node_name(const struct ha *ha, unsigned int node);

/* Whom sockets, timers and calls tell; @ctx is the struct ha. */
void ha_on_event(void *ctx, const struct policy_event *event);
void ha_on_weights_failed(void *ctx);
void ha_on_answer(void *ctx, unsigned int node);
void ha_on_heartbeat(void *ctx, int peer, const void *data, size_t len);
void ha_on_placed(void *ctx, unsigned int address);
void ha_on_tick(void *ctx);
void ha_on_beat(void *ctx);

#endif
