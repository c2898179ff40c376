/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Flow replication: each peer is told of the flows that this node owns, and what
 * peers tell is put into our table, so that connections live on when another
 * node takes over.
 *
 * A slot is the number of an external address, the same on all nodes. The flows
 * of slots that are ours are told; what is told to us of other slots is taken.
 * When a slot changes hands (sync_set_owned() on both nodes), its flows stay where they
 * are, and the new owner tells them.
 */
#ifndef NATXDP_AGENT_HA_SYNC_H
#define NATXDP_AGENT_HA_SYNC_H

#include "channel.h"
#include "replica.h"
#include "shadow.h"
#include "source.h"

struct sync;

/*
 * @addr[slot]: the private address on this node, 0 for none. The NAT has to have an inserter.
 * NULL with @err written on failure. Nothing is owned at first.
 */
struct sync *sync_start(struct loop *loop, struct channel *channel, struct source *source,
			const __be32 addr[WIRE_SLOTS], struct err *err);
void sync_stop(struct sync *sync);

/* Bits by slot. */
void sync_set_owned(struct sync *sync, uint64_t slots);

/* A peer of the channel, by its number. Returns 0 or -ENOMEM. */
int sync_add_peer(struct sync *sync, int peer);
void sync_remove_peer(struct sync *sync, int peer);

struct sync_state {
	bool connected;
	bool synced;	 /* the peer has had all our flows in this session */
	uint32_t known;	 /* flows that the peer was told of and has not been told are over */
	uint32_t behind; /* flows, about: new, changed or closed, that are not acknowledged */
	int64_t lag_ms;	 /* the peer has all that happened before so long ago; -1: never had */
};

void sync_state(const struct sync *sync, int peer, struct sync_state *state);

/*
 * Calls @done when @peer has acknowledged all that has happened until now (0), or
 * when its session breaks or it is removed (-errno). Several may wait. Returns 0 or -errno,
 * then @done is not called. There is no time-out: that is the caller's.
 */
typedef void (*sync_done)(void *ctx, int peer, int result);
int sync_flush(struct sync *sync, int peer, sync_done done, void *ctx);

/* NULL if there is no such peer. */
const struct stream_counters *sync_stream(const struct sync *sync, int peer);
const struct replica_counters *sync_replica(const struct sync *sync, int peer);

#endif
