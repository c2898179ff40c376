/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Records in order and without loss over datagrams that may be lost: one
 * stream a peer and direction, as long as a session lasts. Pure: what is to be
 * sent goes to @send, and time is given.
 *
 * The sender keeps what is not acknowledged, STREAM_WINDOW datagrams at most:
 * no room there is the whole of back-pressure. The receiver keeps what has come
 * early, and says with each acknowledgement what that is; what lies between is
 * sent again.
 */
#ifndef NATXDP_AGENT_HA_STREAM_H
#define NATXDP_AGENT_HA_STREAM_H

#include "session.h"
#include "wire.h"

enum {
	STREAM_WINDOW = 256, /* datagrams; at most WIRE_ACK_BITS */
	STREAM_RETRY_MS = 60,
	STREAM_RETRY_MOST_MS = 2000,
	STREAM_ACK_EVERY = 8, /* datagrams, and at each stream_tick() */
	STREAM_DATAGRAM = SESSION_DATA_MAX,
};

/* Returns 0 or -errno; what fails is as good as lost. */
typedef int (*stream_send)(void *ctx, const void *data, size_t len);
typedef void (*stream_record)(void *ctx, const struct wire_record *record);

struct stream_counters {
	uint64_t records_sent, records_taken;
	uint64_t datagrams_sent, datagrams_taken; /* without those sent again */
	uint64_t sent_again;
	uint64_t bytes_sent; /* handed to @send, acknowledgements and what is sent again with it */
	uint64_t copies;     /* datagrams that had come before */
	uint64_t bad;	     /* datagrams or records that could not be read */
};

struct stream;

/* NULL without memory. */
struct stream *stream_new(stream_send send, stream_record record, void *ctx);
void stream_free(struct stream *stream);

/* A new session: both directions begin anew. */
void stream_reset(struct stream *stream);

/* Is there room for @records more of the largest? */
bool stream_has_room(const struct stream *stream, unsigned int records);

/* There has to be room. It goes with the datagram that it fills, or with stream_flush(). */
void stream_put(struct stream *stream, const struct wire_record *record, int64_t now);
void stream_flush(struct stream *stream, int64_t now);

/* A datagram has come. Returns false if it cannot be read. */
bool stream_take(struct stream *stream, const uint8_t *data, size_t len, int64_t now);

/* Sends again what is due, and acknowledges what has come. */
void stream_tick(struct stream *stream, int64_t now);

/* Records put so far, and of these acknowledged, in this session. */
uint64_t stream_put_count(const struct stream *stream);
uint64_t stream_acknowledged(const struct stream *stream);

const struct stream_counters *stream_counters(const struct stream *stream);

#endif
