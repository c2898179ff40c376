/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One peer, as datagrams: who sends what under which key, and what is a copy
 * of old. Pure: bytes in, bytes out.
 *
 *   A: hello (a -> 0)     "I offer the tag a"
 *   B: hello (b -> a)     answers with its own offer
 *   A: hello (a -> b)     proves that it is alive now: b was drawn for this session
 *
 * A tag is 64 random bits. Keys come of both tags, and each end takes a session only when a
 * datagram has come that names the tag that it has offered last. So nothing recorded
 * earlier, of whatever session, starts one or belongs to one; and within a
 * session a window of sequence numbers refuses copies. An end that has
 * restarted opens a session, which replaces the old one when it is proven.
 */
#ifndef NATXDP_AGENT_HA_SESSION_H
#define NATXDP_AGENT_HA_SESSION_H

#include "seal.h"

enum channel_kind {
	CHANNEL_HELLO, /* of the session itself */
	CHANNEL_HEARTBEAT,
	CHANNEL_SYNC,
	CHANNEL_CONTROL, /* requests of one agent to another */
	CHANNEL_KINDS,
};

enum {
	SESSION_VERSION = 1,
	SESSION_HEAD = 32,
	SESSION_OVERHEAD = SESSION_HEAD + SEAL_TAG,
	/* with the headers of IPv6 and UDP what an Ethernet frame of 1500 bytes takes */
	SESSION_DATAGRAM_MAX = 1452,
	SESSION_DATA_MAX = SESSION_DATAGRAM_MAX - SESSION_OVERHEAD,
	SESSION_WINDOW = 2048, /* datagrams that may overtake each other; a power of two */
};

/* All but the first are dropped. */
enum session_verdict {
	SESSION_TAKEN,
	SESSION_MALFORMED,   /* too short, not ours, no such kind */
	SESSION_VERSION_OF,  /* another version of natxdp */
	SESSION_KEY_UNKNOWN, /* sealed under a secret that this end does not have */
	SESSION_STALE,	     /* of a session that is over, or was never proven */
	SESSION_FORGED,	     /* the seal is broken */
	SESSION_REPLAYED,    /* seen before, or too old to know */
	SESSION_VERDICTS,
};

struct session_datagram {
	enum channel_kind kind;
	uint16_t len;
	bool began;	    /* with this datagram a new session: a hello in it is to be sent */
	uint64_t answer_to; /* not 0: session_answer() is to be sent */
	uint8_t data[SESSION_DATAGRAM_MAX];
};

struct session;

/* The addresses are those of the two ends, in any form that both ends give alike. */
struct session *session_new(const struct secrets *secrets, const uint8_t mine[18],
			    const uint8_t theirs[18]);
void session_free(struct session *session);

/* The secrets have changed: running sessions go on under the new ones. */
void session_rekey(struct session *session, const struct secrets *secrets);

bool session_is_open(const struct session *session);

/* These write a datagram to @out, and return its length or -errno; -ENOTCONN without a session. */
int session_hello(struct session *session, uint8_t out[SESSION_DATAGRAM_MAX]);
int session_answer(struct session *session, uint64_t to, uint8_t out[SESSION_DATAGRAM_MAX]);
int session_seal(struct session *session, enum channel_kind kind, const void *data, size_t len,
		 uint8_t out[SESSION_DATAGRAM_MAX]);

enum session_verdict session_take(struct session *session, const uint8_t *bytes, size_t len,
				  struct session_datagram *datagram);

#endif
