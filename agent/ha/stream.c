/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "stream.h"

#include <stdlib.h>
#include <string.h>

_Static_assert((int)STREAM_WINDOW <= (int)WIRE_ACK_BITS,
	       "an acknowledgement names the whole window");

struct kept {
	uint16_t len; /* 0: nothing here */
	uint16_t records;
	bool acknowledged;
	int64_t sent; /* when last */
	uint8_t bytes[STREAM_DATAGRAM];
};

struct stream {
	stream_send send;
	stream_record record;
	void *ctx;
	/* outward: [oldest, next) are under way, and the one at @next is being filled */
	uint64_t oldest, next;
	uint64_t put, acknowledged; /* records */
	int64_t retry_ms;
	struct kept out[STREAM_WINDOW];
	/* inward: all before @expected were taken, @early ones wait */
	uint64_t expected;
	unsigned int unacknowledged, early;
	struct kept in[STREAM_WINDOW];
	struct stream_counters counters;
};

struct stream *stream_new(stream_send send, stream_record record, void *ctx)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	stream->send = send;
	stream->record = record;
	stream->ctx = ctx;
	stream_reset(stream);
	return stream;
}

void stream_free(struct stream *stream)
{
	free(stream);
}

void stream_reset(struct stream *stream)
{
	for (int i = 0; i < STREAM_WINDOW; i++)
		stream->out[i].len = stream->in[i].len = 0;
	stream->oldest = stream->next = stream->expected = 1;
	stream->put = stream->acknowledged = 0;
	stream->unacknowledged = stream->early = 0;
	stream->retry_ms = STREAM_RETRY_MS;
}

static struct kept *out_at(struct stream *stream, uint64_t sequence)
{
	return &stream->out[sequence % STREAM_WINDOW];
}

bool stream_has_room(const struct stream *stream, unsigned int records)
{
	const struct kept *filling = &stream->out[stream->next % STREAM_WINDOW];
	uint64_t free = STREAM_WINDOW - (stream->next - stream->oldest);
	size_t left = STREAM_DATAGRAM - (filling->len ? filling->len : WIRE_DATA_HEAD);

	if (!free)
		return false;
	return free > 1 || left >= records * WIRE_RECORD_MAX;
}

static void send_bytes(struct stream *stream, const void *bytes, size_t len)
{
	stream->counters.bytes_sent += len;
	stream->send(stream->ctx, bytes, len);
}

static void transmit(struct stream *stream, struct kept *kept, int64_t now)
{
	kept->sent = now;
	send_bytes(stream, kept->bytes, kept->len);
}

void stream_flush(struct stream *stream, int64_t now)
{
	struct kept *kept = out_at(stream, stream->next);

	if (stream->next - stream->oldest == STREAM_WINDOW || !kept->len)
		return;
	kept->acknowledged = false;
	stream->next++;
	stream->counters.datagrams_sent++;
	transmit(stream, kept, now);
}

void stream_put(struct stream *stream, const struct wire_record *record, int64_t now)
{
	struct kept *kept = out_at(stream, stream->next);

	if (!kept->len) {
		wire_write_data_head(stream->next, kept->bytes);
		kept->len = WIRE_DATA_HEAD;
		kept->records = 0;
	}
	kept->len += wire_write(record, kept->bytes + kept->len);
	kept->records++;
	stream->put++;
	stream->counters.records_sent++;
	if (kept->len + WIRE_RECORD_MAX > STREAM_DATAGRAM)
		stream_flush(stream, now);
}

static void acknowledge(struct stream *stream)
{
	uint8_t bytes[WIRE_ACK];
	struct wire_ack ack = { .next = stream->expected };

	for (unsigned int i = 0; stream->early && i < STREAM_WINDOW - 1; i++) {
		if (stream->in[(stream->expected + 1 + i) % STREAM_WINDOW].len)
			ack.beyond[i / 8] |= 1 << i % 8;
	}
	wire_write_ack(&ack, bytes);
	stream->unacknowledged = 0;
	send_bytes(stream, bytes, sizeof(bytes));
}

static void read_records(struct stream *stream, const struct kept *kept)
{
	const uint8_t *at = kept->bytes + WIRE_DATA_HEAD, *end = kept->bytes + kept->len;
	struct wire_record record;
	int len;

	stream->counters.datagrams_taken++;
	while (at < end) {
		len = wire_read(at, end - at, &record);
		if (len < 0) {
			stream->counters.bad++;
			return;
		}
		stream->counters.records_taken++;
		stream->record(stream->ctx, &record);
		at += len;
	}
}

static void take_data(struct stream *stream, const uint8_t *data, size_t len)
{
	uint64_t sequence = wire_sequence(data);
	struct kept *kept = &stream->in[sequence % STREAM_WINDOW];

	stream->unacknowledged++;
	if (sequence < stream->expected || sequence - stream->expected >= STREAM_WINDOW ||
	    kept->len) {
		stream->counters.copies++;
	} else {
		memcpy(kept->bytes, data, len);
		kept->len = len;
		stream->early++;
	}
	for (kept = &stream->in [stream->expected % STREAM_WINDOW]; kept->len;
	     kept = &stream->in[++stream->expected % STREAM_WINDOW]) {
		read_records(stream, kept);
		kept->len = 0;
		stream->early--;
	}
	if (stream->unacknowledged >= STREAM_ACK_EVERY)
		acknowledge(stream);
}

static bool is_beyond(const struct wire_ack *ack, uint64_t sequence)
{
	uint64_t bit = sequence - ack->next - 1;

	return sequence > ack->next && bit < WIRE_ACK_BITS && ack->beyond[bit / 8] >> bit % 8 & 1;
}

/* What lies before something that has come is missing there, unless it is on its way again. */
static void send_holes(struct stream *stream, const struct wire_ack *ack, int64_t now)
{
	uint64_t last = 0;

	for (uint64_t s = stream->oldest; s < stream->next; s++) {
		if (is_beyond(ack, s)) {
			out_at(stream, s)->acknowledged = true;
			last = s;
		}
	}
	for (uint64_t s = stream->oldest; s < last; s++) {
		struct kept *kept = out_at(stream, s);

		if (kept->acknowledged || now - kept->sent < STREAM_RETRY_MS)
			continue;
		stream->counters.sent_again++;
		transmit(stream, kept, now);
	}
}

static void take_ack(struct stream *stream, const uint8_t *data, int64_t now)
{
	struct wire_ack ack;

	wire_read_ack(data, &ack);
	if (ack.next > stream->next || ack.next < stream->oldest)
		return; /* of before, overtaken by a later one */
	if (ack.next > stream->oldest)
		stream->retry_ms = STREAM_RETRY_MS;
	for (; stream->oldest < ack.next; stream->oldest++) {
		struct kept *kept = out_at(stream, stream->oldest);

		stream->acknowledged += kept->records;
		kept->len = 0;
	}
	send_holes(stream, &ack, now);
}

bool stream_take(struct stream *stream, const uint8_t *data, size_t len, int64_t now)
{
	switch (wire_type(data, len)) {
	case WIRE_DATA:
		if (len > STREAM_DATAGRAM)
			break;
		take_data(stream, data, len);
		return true;
	case WIRE_ACK_OF:
		take_ack(stream, data, now);
		return true;
	}
	stream->counters.bad++;
	return false;
}

/*
 * Nothing has come for a while: the oldest ones again, a few, less and less
 * often. With the answer to them all that is missing is known.
 */
static void retry(struct stream *stream, int64_t now)
{
	enum { PROBES = 4 };
	int probes = 0;

	if (stream->oldest == stream->next ||
	    now - out_at(stream, stream->oldest)->sent < stream->retry_ms)
		return;
	for (uint64_t s = stream->oldest; s < stream->next && probes < PROBES; s++) {
		struct kept *kept = out_at(stream, s);

		if (kept->acknowledged)
			continue;
		stream->counters.sent_again++;
		transmit(stream, kept, now);
		probes++;
	}
	stream->retry_ms *= 2;
	if (stream->retry_ms > STREAM_RETRY_MOST_MS)
		stream->retry_ms = STREAM_RETRY_MOST_MS;
}

void stream_tick(struct stream *stream, int64_t now)
{
	if (stream->unacknowledged)
		acknowledge(stream);
	retry(stream, now);
}

uint64_t stream_put_count(const struct stream *stream)
{
	return stream->put;
}

uint64_t stream_acknowledged(const struct stream *stream)
{
	return stream->acknowledged;
}

const struct stream_counters *stream_counters(const struct stream *stream)
{
	return &stream->counters;
}
