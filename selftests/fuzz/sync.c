/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a peer tells of its flows, as it comes out of the channel: datagrams, each
 * with two bytes of length before it, as far as what would go into the flow table. A peer
 * has the key, but it may be of another version, or broken. An input takes a millisecond.
 *
 * fuzz-runs: 5000
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ha/replica.h"
#include "ha/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SLOTS = NATXDP_GROUP_SLOTS };

static struct natxdp_flow entries[SLOTS];
static struct table table = { .entries = entries, .count = SLOTS };
static struct natxdp_config config;
static struct replica_source source;

static int insert(void *ctx, struct natxdp_insertion *items, unsigned int count)
{
	(void)ctx;
	if (!count || count > NATXDP_INSERT_BATCH)
		abort();
	for (unsigned int i = 0; i < count; i++) {
		struct natxdp_insertion *item = &items[i];

		/* a slot that is not ours, and an address that we have */
		if (item->out.pool < 2 || item->out.pool > 5 || !item->out.new_saddr)
			abort();
		item->result = item->out.key.sport % 8 == 7 ? -22 : 1;
		item->in.peer = item->out.key.saddr;
		item->out.peer = item->out.key.daddr;
	}
	return 0;
}

static int drop(void *ctx, const void *data, size_t len)
{
	(void)ctx;
	(void)data;
	return len > STREAM_DATAGRAM ? -1 : 0;
}

static void take(void *ctx, const struct wire_record *record)
{
	uint8_t bytes[WIRE_RECORD_MAX];
	struct wire_record again;
	size_t len = wire_write(record, bytes);

	if (len > WIRE_RECORD_MAX || wire_read(bytes, len, &again) != (int)len ||
	    memcmp(&again, record, sizeof(again)))
		abort();
	replica_take(ctx, record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct replica *replica;
	struct stream *stream;
	int64_t now = 0;

	source.table = &table;
	source.config = &config;
	source.own = 3;
	source.insert = insert;
	for (int i = 0; i < 6; i++) {
		source.slot[i].addr = 0x0a000001 + i;
		source.slot[i].pool = i;
	}
	config.two_armed = size & 1;
	replica = replica_new(&source);
	stream = stream_new(drop, take, replica);
	while (size > 2) {
		size_t len = data[0] << 8 | data[1];

		data += 2;
		size -= 2;
		len = len < size ? len : size;
		stream_take(stream, data, len, ++now);
		replica_flush(replica);
		replica_tick(replica, 64);
		stream_tick(stream, now);
		data += len;
		size -= len;
	}
	stream_free(stream);
	replica_free(replica);
	return 0;
}
