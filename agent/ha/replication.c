/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "replication.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "sync.h"

/* A peer that is further behind than this is not one to hand over to. */
enum { LAG_MAX_MS = 2000 };

struct replication {
	struct sync *sync;
	unsigned int nodes;
	int peer[POLICY_NODES];
	uint64_t owned;
};

_Static_assert((int)HA_ADDRESSES_MAX <= (int)WIRE_SLOTS, "an address is a slot");

struct replication *replication_start(struct loop *loop, struct channel *channel,
				      struct source *source, const struct members *members,
				      const int *peer, struct err *err)
{
	struct replication *r = calloc(1, sizeof(*r));
	__be32 addr[WIRE_SLOTS] = { 0 };

	if (!r) {
		err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
		return NULL;
	}
	r->nodes = members->nodes;
	memcpy(r->peer, peer, sizeof(r->peer));
	for (unsigned int i = 0; i < members->conf->addresses.count; i++)
		addr[i] = members->private[i][members->self];
	r->sync = sync_start(loop, channel, source, addr, err);
	for (unsigned int i = 0; r->sync && i < r->nodes; i++) {
		if (peer[i] < 0 || !sync_add_peer(r->sync, peer[i]))
			continue;
		err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
		sync_stop(r->sync);
		r->sync = NULL;
	}
	if (r->sync)
		return r;
	free(r);
	return NULL;
}

void replication_stop(struct replication *r)
{
	if (!r)
		return;
	sync_stop(r->sync);
	free(r);
}

void replication_set_owned(struct replication *r, uint64_t addresses)
{
	if (r->owned == addresses)
		return;
	r->owned = addresses;
	sync_set_owned(r->sync, addresses);
}

bool replication_is_synced(const struct replication *r, unsigned int node)
{
	struct sync_state state;

	if (r->peer[node] < 0)
		return false;
	sync_state(r->sync, r->peer[node], &state);
	return state.connected && state.synced && state.lag_ms >= 0 && state.lag_ms <= LAG_MAX_MS;
}

void replication_add_totals(const struct replication *r, struct replication_totals *totals)
{
	for (unsigned int i = 0; i < r->nodes; i++) {
		if (r->peer[i] < 0)
			continue;
		const struct stream_counters *stream = sync_stream(r->sync, r->peer[i]);
		const struct replica_counters *replica = sync_replica(r->sync, r->peer[i]);

		totals->flows_sent += stream->records_sent;
		totals->bytes_sent += stream->bytes_sent;
		totals->flows_received += replica->put + replica->removed;
	}
}

void replication_lag(const struct replication *r, struct replication_lag *lag)
{
	struct sync_state state;

	memset(lag, 0, sizeof(*lag));
	for (unsigned int i = 0; i < r->nodes; i++) {
		if (r->peer[i] < 0)
			continue;
		sync_state(r->sync, r->peer[i], &state);
		lag->peers += replication_is_synced(r, i);
		if (!state.connected)
			continue;
		if (state.behind > lag->flows)
			lag->flows = state.behind;
		if (state.lag_ms > lag->ms)
			lag->ms = state.lag_ms;
	}
}
