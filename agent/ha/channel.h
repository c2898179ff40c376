/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Sealed datagrams between agents, over one UDP socket in the agent's loop.
 * Datagrams may be lost, and may overtake each other; they never come twice,
 * and never from anybody who has not the key (session.h).
 *
 *   channel_open(), channel_add_peer() for each peer, channel_use() for each kind
 *   channel_send() at any time; what comes is handed to the user of its kind
 */
#ifndef NATXDP_AGENT_HA_CHANNEL_H
#define NATXDP_AGENT_HA_CHANNEL_H

#include "loop.h"
#include "session.h"

struct err;

enum {
	CHANNEL_PEERS_MAX = 15,
	CHANNEL_DATA_MAX = SESSION_DATA_MAX, /* bytes in one datagram */
};

struct channel_counters {
	uint64_t sent, sent_bytes; /* bytes as in UDP */
	uint64_t blocked;	   /* not sent: the socket was full */
	uint64_t failed;	   /* not sent: no route, no memory */
	uint64_t received, received_bytes;
	uint64_t refused[SESSION_VERDICTS]; /* dropped, by reason; [SESSION_TAKEN] stays 0 */
	uint64_t sessions;		    /* begun */
};

/* All calls come from the loop. A callback may send, and add and remove peers. */
struct channel_user {
	/* @data is as long as the call lasts. */
	void (*received)(void *ctx, int peer, const void *data, size_t len);
	/* A new session with @peer: it has restarted, or this end has; or NULL. */
	void (*began)(void *ctx, int peer);
	void *ctx;
};

struct channel;

/* @reason as in SESSION_VERDICTS: a word for labels of metrics and for JSON. */
const char *channel_refusal_name(enum session_verdict reason);

/*
 * Listens on @address, ADDRESS:PORT with the one address under which the peers know this
 * node: it is part of what keys are made of. NULL with @err written on failure.
 */
struct channel *channel_open(struct loop *loop, const char *address, const struct secrets *secrets,
			     struct err *err);
void channel_close(struct channel *channel);

/* New secrets, without a break. Roll them like this: second on all nodes, then first, then alone. */
void channel_set_secrets(struct channel *channel, const struct secrets *secrets);

/* Returns the number of the peer, 0 and upwards, or -errno with @err written. */
int channel_add_peer(struct channel *channel, const char *address, struct err *err);

/*
 * A new session with the peer, as if this end had been started anew: both ends hear that it
 * has begun. Until then nothing can be sent. Returns 0 or -ENOMEM, then all is as it was.
 */
int channel_restart(struct channel *channel, int peer);
void channel_remove_peer(struct channel *channel, int peer);

/* One user a kind, CHANNEL_HELLO excepted; NULL: nobody. */
void channel_use(struct channel *channel, enum channel_kind kind, const struct channel_user *user);

/* Is there a session? It says that the peer was there once, not that it is alive. */
bool channel_is_open(const struct channel *channel, int peer);

/*
 * Returns 0, or -ENOTCONN (no session yet), -EMSGSIZE, -EAGAIN (the socket is full:
 * later), or another -errno. Never waits.
 */
int channel_send(struct channel *channel, int peer, enum channel_kind kind, const void *data,
		 size_t len);

const struct channel_counters *channel_counters(const struct channel *channel, int peer);

/* Datagrams from addresses that are no peer's. */
uint64_t channel_strangers(const struct channel *channel);

#endif
