/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "sync.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "insert.h"

enum {
	SCAN_MS = 50, /* between two looks at the tags: half of the lag on average */
	BUSY_MS = 10, /* while there is more to be told than went */
	/* Records: 100,000 a second, so that a full copy is no storm; so many at a time. */
	RATE_PER_MS = 100,
	MOST = 4000,
	WALK_MS = 8000, /* over the whole table, for what tags do not show */
	WALK_LEAST = 64,
	WALK_MOST = 32768, /* entries at a time: a millisecond */
	EVICT = 16384,
	BEHIND_MS = 250, /* for how long a count over all tags is good enough for who asks */
	FLUSHES_MAX = 8,
};

struct flush {
	sync_done done; /* NULL: none */
	void *ctx;
	int64_t since;
};

struct sync_peer {
	struct sync *sync;
	int number;
	struct stream *stream; /* NULL: no such peer */
	struct shadow *shadow;
	struct replica *replica;
	bool forgotten;		 /* the peer is told all, from the beginning */
	bool wants;		 /* we have to ask the peer for all, once more */
	bool scanning, complete; /* all was told once */
	int64_t scan_began, scan_due, told;
	/* Acknowledged up to @mark, the peer has all of before @mark_began. */
	bool marked;
	uint64_t mark;
	int64_t mark_began;
	int64_t synced; /* it has all of before then; -1: not yet */
	uint32_t behind;
	int64_t behind_due;
	struct flush flush[FLUSHES_MAX];
};

struct sync {
	struct loop *loop;
	struct channel *channel;
	struct source *source;
	int timer;
	bool soon; /* it fires in BUSY_MS at the latest */
	uint64_t owned;
	__be32 addr[WIRE_SLOTS];
	struct shadow_source outward;
	struct replica_source inward;
	struct sync_peer peer[CHANNEL_PEERS_MAX];
};

static int put_into_table(void *ctx, struct natxdp_insertion *items, unsigned int count)
{
	const struct sync *sync = ctx;

	return insert_flows(sync->source->insert, items, count);
}

/* Where the addresses stand in ext_pool; that changes with a reload. True if it has changed. */
static bool find_slots(struct sync *sync)
{
	struct shadow_source before = sync->outward;
	const struct pool *pool = &sync->source->pool;

	memset(sync->inward.slot, 0, sizeof(sync->inward.slot));
	memset(sync->outward.slot, SHADOW_NO_SLOT, sizeof(sync->outward.slot));
	memset(sync->outward.addr, 0, sizeof(sync->outward.addr));
	for (int slot = 0; slot < WIRE_SLOTS; slot++) {
		int index = pool_find(pool, sync->addr[slot]);

		if (index < 0)
			continue;
		sync->inward.slot[slot].addr = sync->addr[slot];
		sync->inward.slot[slot].pool = index;
		sync->outward.addr[index] = sync->addr[slot];
		if (sync->owned >> slot & 1)
			sync->outward.slot[index] = slot;
	}
	sync->inward.own = sync->owned;
	return memcmp(before.slot, sync->outward.slot, sizeof(before.slot)) ||
	       memcmp(before.addr, sync->outward.addr, sizeof(before.addr));
}

static struct sync_peer *peer_of(const struct sync *sync, int number)
{
	if (number < 0 || number >= CHANNEL_PEERS_MAX || !sync->peer[number].stream)
		return NULL;
	return (struct sync_peer *)&sync->peer[number];
}

static void end_flushes(struct sync_peer *peer, int64_t before, int result)
{
	for (int i = 0; i < FLUSHES_MAX; i++) {
		struct flush flush = peer->flush[i];

		if (!flush.done || flush.since > before)
			continue;
		peer->flush[i].done = NULL;
		flush.done(flush.ctx, peer->number, result);
	}
}

/* More has to be told than what changes from now on. */
static void begin_anew(struct sync_peer *peer)
{
	peer->scanning = peer->complete = peer->marked = false;
	peer->scan_due = 0;
	peer->synced = -1;
}

static void begin_copy(struct sync_peer *peer)
{
	shadow_forget(peer->shadow);
	peer->forgotten = true;
	begin_anew(peer);
}

static void see_acknowledged(struct sync_peer *peer)
{
	if (!peer->marked || stream_acknowledged(peer->stream) < peer->mark)
		return;
	peer->marked = false;
	peer->synced = peer->mark_began;
	end_flushes(peer, peer->synced, 0);
}

/* A lap is over: all that was there when it began was put. */
static void end_scan(struct sync_peer *peer, int64_t now)
{
	struct wire_record complete = { .op = WIRE_COMPLETE, .slots = peer->sync->owned };

	if (!peer->complete) {
		if (!stream_has_room(peer->stream, 1))
			return;
		stream_put(peer->stream, &complete, now);
		peer->complete = true;
	}
	peer->scanning = false;
	if (peer->marked) /* the one before is under way */
		return;
	peer->marked = true;
	peer->mark = stream_put_count(peer->stream);
	peer->mark_began = peer->scan_began;
}

static uint32_t walk_slots(const struct sync *sync, int64_t ms)
{
	uint64_t slots = (uint64_t)sync->source->table.count * ms / WALK_MS;

	if (slots < WALK_LEAST)
		return WALK_LEAST;
	return slots < WALK_MOST ? slots : WALK_MOST;
}

static void put_mark(struct sync_peer *peer, enum wire_op op, bool *due, int64_t now)
{
	struct wire_record record = { .op = op };

	if (!*due || !stream_has_room(peer->stream, 1))
		return;
	stream_put(peer->stream, &record, now);
	*due = false;
}

/* A tick that comes late makes up for it. */
static unsigned int most_now(const struct sync_peer *peer, int64_t now)
{
	int64_t most = (now - peer->told) * RATE_PER_MS;

	return most < MOST ? most : MOST;
}

static void tell(struct sync_peer *peer, int64_t now)
{
	put_mark(peer, WIRE_WANTED, &peer->wants, now);
	put_mark(peer, WIRE_BEGIN, &peer->forgotten, now);
	if (peer->forgotten)
		return;
	if (!peer->scanning && now >= peer->scan_due) {
		peer->scanning = true;
		peer->scan_began = now;
		peer->scan_due = now + SCAN_MS;
	}
	if (peer->scanning && shadow_scan(peer->shadow, peer->stream, most_now(peer, now), now))
		end_scan(peer, now);
	if (peer->complete)
		shadow_walk(peer->shadow, peer->stream, walk_slots(peer->sync, now - peer->told),
			    now);
	peer->told = now;
	stream_flush(peer->stream, now);
}

static bool tick_peer(struct sync_peer *peer, int64_t now)
{
	if (!channel_is_open(peer->sync->channel, peer->number))
		return false;
	tell(peer, now);
	stream_tick(peer->stream, now);
	see_acknowledged(peer);
	replica_tick(peer->replica, EVICT);
	return peer->scanning || peer->marked;
}

static void tick(void *ctx)
{
	struct sync *sync = ctx;
	int64_t now = loop_monotonic_ms();
	bool moved = find_slots(sync), busy = false;

	for (int i = 0; i < CHANNEL_PEERS_MAX; i++) {
		struct sync_peer *peer = peer_of(sync, i);

		if (!peer)
			continue;
		if (moved) {
			shadow_moved(peer->shadow);
			begin_anew(peer);
		}
		busy |= tick_peer(peer, now);
	}
	sync->soon = busy;
	loop_timer_once(sync->timer, busy ? BUSY_MS : SCAN_MS);
}

static int send_to_peer(void *ctx, const void *data, size_t len)
{
	const struct sync_peer *peer = ctx;

	return channel_send(peer->sync->channel, peer->number, CHANNEL_SYNC, data, len);
}

static void take_record(void *ctx, const struct wire_record *record)
{
	struct sync_peer *peer = ctx;

	if (record->op == WIRE_WANTED)
		begin_copy(peer);
	else
		replica_take(peer->replica, record);
}

static void received(void *ctx, int number, const void *data, size_t len)
{
	struct sync_peer *peer = peer_of(ctx, number);

	if (!peer)
		return;
	stream_take(peer->stream, data, len, loop_monotonic_ms());
	replica_flush(peer->replica);
	see_acknowledged(peer);
	if (peer->sync->soon)
		return;
	peer->sync->soon = true; /* what has come is acknowledged then */
	loop_timer_once(peer->sync->timer, BUSY_MS);
}

static void began(void *ctx, int number)
{
	struct sync_peer *peer = peer_of(ctx, number);

	if (!peer)
		return;
	stream_reset(peer->stream);
	begin_copy(peer);
	end_flushes(peer, INT64_MAX, -ECONNRESET);
	loop_timer_once(peer->sync->timer, 0);
}

struct sync *sync_start(struct loop *loop, struct channel *channel, struct source *source,
			const __be32 addr[WIRE_SLOTS], struct err *err)
{
	struct channel_user user = { .received = received, .began = began };
	struct sync *sync;

	if (source->insert < 0 || !source->tags) {
		err_set(err, STATUS_STATE, EOPNOTSUPP,
			"the NAT was loaded by another version of natxdp, which cannot take flows "
			"over: 'natxdp load' it again");
		return NULL;
	}
	sync = calloc(1, sizeof(*sync));
	if (!sync) {
		err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
		return NULL;
	}
	sync->loop = loop;
	sync->channel = channel;
	sync->source = source;
	memcpy(sync->addr, addr, sizeof(sync->addr));
	sync->outward.table = sync->inward.table = &source->table;
	sync->outward.tags = source->tags;
	sync->outward.config = sync->inward.config = &source->nat.config;
	sync->inward.insert = put_into_table;
	sync->inward.ctx = sync;
	find_slots(sync);
	sync->timer = loop_timer(loop, tick, sync);
	if (sync->timer < 0) {
		err_set(err, STATUS_SYSTEM, -sync->timer, "no timers: too many open files");
		free(sync);
		return NULL;
	}
	loop_timer_once(sync->timer, SCAN_MS);
	user.ctx = sync;
	channel_use(channel, CHANNEL_SYNC, &user);
	return sync;
}

void sync_stop(struct sync *sync)
{
	if (!sync)
		return;
	channel_use(sync->channel, CHANNEL_SYNC, NULL);
	for (int i = 0; i < CHANNEL_PEERS_MAX; i++)
		sync_remove_peer(sync, i);
	loop_timer_free(sync->loop, sync->timer);
	free(sync);
}

void sync_set_owned(struct sync *sync, uint64_t slots)
{
	/* what a new owner has told of them before now was not taken */
	for (int i = 0; i < CHANNEL_PEERS_MAX && sync->owned & ~slots; i++)
		sync->peer[i].wants = sync->peer[i].stream != NULL;
	sync->owned = slots;
	sync->inward.own = slots; /* at once: what comes later is not of an owner */
	loop_timer_once(sync->timer, 0);
}

int sync_add_peer(struct sync *sync, int number)
{
	struct sync_peer *peer = &sync->peer[number];

	memset(peer, 0, sizeof(*peer));
	peer->sync = sync;
	peer->number = number;
	peer->shadow = shadow_new(&sync->outward);
	peer->replica = replica_new(&sync->inward);
	peer->stream = stream_new(send_to_peer, take_record, peer);
	if (peer->shadow && peer->replica && peer->stream) {
		begin_copy(peer);
		return 0;
	}
	shadow_free(peer->shadow);
	replica_free(peer->replica);
	stream_free(peer->stream);
	memset(peer, 0, sizeof(*peer));
	return -ENOMEM;
}

void sync_remove_peer(struct sync *sync, int number)
{
	struct sync_peer *peer = peer_of(sync, number), gone;

	if (!peer)
		return;
	gone = *peer;
	memset(peer, 0, sizeof(*peer));
	shadow_free(gone.shadow);
	replica_free(gone.replica);
	stream_free(gone.stream);
	end_flushes(&gone, INT64_MAX, -ENOTCONN);
}

static uint32_t behind(struct sync_peer *peer, int64_t now)
{
	if (now >= peer->behind_due) {
		peer->behind = shadow_behind(peer->shadow);
		peer->behind_due = now + BEHIND_MS;
	}
	return peer->behind + stream_put_count(peer->stream) - stream_acknowledged(peer->stream);
}

void sync_state(const struct sync *sync, int number, struct sync_state *state)
{
	struct sync_peer *peer = peer_of(sync, number);
	int64_t now = loop_monotonic_ms();

	memset(state, 0, sizeof(*state));
	state->lag_ms = -1;
	if (!peer)
		return;
	state->connected = channel_is_open(sync->channel, number);
	state->synced = state->connected && peer->synced >= 0;
	state->known = shadow_known(peer->shadow);
	state->behind = behind(peer, now);
	if (peer->synced >= 0)
		state->lag_ms = now - peer->synced;
}

int sync_flush(struct sync *sync, int number, sync_done done, void *ctx)
{
	struct sync_peer *peer = peer_of(sync, number);

	if (!peer || !channel_is_open(sync->channel, number))
		return -ENOTCONN;
	for (int i = 0; i < FLUSHES_MAX; i++) {
		if (peer->flush[i].done)
			continue;
		/* a scan that has begun in this very millisecond may be past what has just changed */
		peer->flush[i] = (struct flush){ done, ctx, loop_monotonic_ms() + 1 };
		peer->scan_due = 0;
		loop_timer_once(sync->timer, 1);
		return 0;
	}
	return -EBUSY;
}

const struct stream_counters *sync_stream(const struct sync *sync, int number)
{
	const struct sync_peer *peer = peer_of(sync, number);

	return peer ? stream_counters(peer->stream) : NULL;
}

const struct replica_counters *sync_replica(const struct sync *sync, int number)
{
	const struct sync_peer *peer = peer_of(sync, number);

	return peer ? replica_counters(peer->replica) : NULL;
}
