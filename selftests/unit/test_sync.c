/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The format of replicated flows, and the stream that carries them over a bad network. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ha/stream.h"
#include "unit.h"

static struct wire_record random_record(void)
{
	struct wire_record record = { .op = 1 + rand() % 5 };
	struct wire_flow *flow = &record.flow;

	if (record.op == WIRE_COMPLETE)
		record.slots = (uint64_t)rand() << 32 | rand();
	if (record.op > WIRE_REMOVE)
		return record;
	flow->proto = 1 + rand() % 254;
	flow->slot = rand() % WIRE_SLOTS;
	flow->flags = rand() % (WIRE_FLAGS + 1);
	flow->inside = rand();
	flow->inside_port = rand();
	flow->remote = flow->flags & WIRE_HAIRPIN ? rand() % WIRE_SLOTS : rand();
	flow->remote_port = rand();
	flow->external_port = rand();
	if (record.op == WIRE_REMOVE)
		return record;
	if (flow->flags & WIRE_HAIRPIN) {
		record.other = rand();
		record.other_port = rand();
	}
	record.seen_out = rand() % 16;
	record.seen_in = rand() % 16;
	record.age = rand();
	record.idle_out = rand() % 300;
	record.idle_in = UINT32_MAX;
	record.packets_out = rand();
	record.bytes_out = UINT64_MAX - rand();
	record.packets_in = 1ull << rand() % 64;
	record.bytes_in = 0;
	return record;
}

static void a_record_reads_back_the_same(void **state)
{
	uint8_t bytes[WIRE_RECORD_MAX];
	struct wire_record record, back;
	size_t len;

	(void)state;
	srand(1);
	for (int i = 0; i < 100000; i++) {
		record = random_record();
		len = wire_write(&record, bytes);
		assert_true(len < WIRE_RECORD_MAX);
		assert_int_equal(wire_read(bytes, len, &back), len);
		assert_memory_equal(&back, &record, sizeof(record));
		for (size_t shorter = 0; shorter < len; shorter++)
			assert_int_equal(wire_read(bytes, shorter, &back), -EBADMSG);
	}
}

/* As on the wire: written by hand, so that the format cannot change unseen. */
static void the_format_is_what_is_documented(void **state)
{
	static const uint8_t put[] = { 1,    17, 3, 2, 10, 0,	 1,    2,    0x12, 0x34,
				       192,  0,	 2, 9, 0,  53,	 0x80, 0x01, 0x31, 0x80,
				       0x02, 5,	 7, 1, 60, 0xac, 0x02, 0xff, 0xff, 0x03 };
	static const uint8_t complete[] = { 4, 0, 0, 0, 0, 0, 0, 0, 5 };
	static const uint8_t head[] = { 1, 1, 0, 0, 0, 0, 0, 0, 1, 2 };
	uint8_t bytes[WIRE_RECORD_MAX];
	struct wire_record record;

	(void)state;
	assert_int_equal(wire_read(put, sizeof(put), &record), sizeof(put));
	assert_int_equal(record.op, WIRE_PUT);
	assert_int_equal(record.flow.proto, 17);
	assert_int_equal(record.flow.slot, 3);
	assert_int_equal(record.flow.flags, WIRE_MAPPED);
	assert_memory_equal(&record.flow.inside, put + 4, 4);
	assert_memory_equal(&record.flow.inside_port, put + 8, 2);
	assert_memory_equal(&record.flow.remote, put + 10, 4);
	assert_memory_equal(&record.flow.remote_port, put + 14, 2);
	assert_memory_equal(&record.flow.external_port, put + 16, 2);
	assert_int_equal(record.seen_out, 3);
	assert_int_equal(record.seen_in, 1);
	assert_int_equal(record.age, 256);
	assert_int_equal(record.idle_out, 5);
	assert_int_equal(record.idle_in, 7);
	assert_int_equal(record.packets_out, 1);
	assert_int_equal(record.bytes_out, 60);
	assert_int_equal(record.packets_in, 300);
	assert_int_equal(record.bytes_in, 65535);
	assert_int_equal(wire_write(&record, bytes), sizeof(put));
	assert_memory_equal(bytes, put, sizeof(put));
	assert_int_equal(wire_read(complete, sizeof(complete), &record), sizeof(complete));
	assert_int_equal(record.slots, 5);
	wire_write_data_head(258, bytes);
	assert_memory_equal(bytes, head, sizeof(head));
	assert_int_equal(wire_sequence(bytes), 258);
}

/* The sizes that wire.h and the manual page state. */
static void a_flow_is_small(void **state)
{
	struct wire_record record = { .op = WIRE_PUT, .flow.proto = IPPROTO_TCP };
	uint8_t bytes[WIRE_RECORD_MAX];

	(void)state;
	record.age = record.idle_out = record.idle_in = 3;
	record.packets_out = record.packets_in = 2;
	record.bytes_out = 112;
	record.bytes_in = 60;
	assert_int_equal(wire_write(&record, bytes), 26);
	record.age = 3600 * 60;
	record.packets_out = record.packets_in = 1 << 20;
	record.bytes_out = 1ull << 32;
	record.bytes_in = 1ull << 34;
	assert_int_equal(wire_write(&record, bytes), 40);
	record.op = WIRE_REMOVE;
	assert_int_equal(wire_write(&record, bytes), 18);
}

static void what_cannot_be_is_refused(void **state)
{
	struct wire_record record = { .op = WIRE_PUT, .flow.proto = IPPROTO_TCP }, back;
	uint8_t bytes[WIRE_RECORD_MAX], good[WIRE_RECORD_MAX];
	size_t len = wire_write(&record, good);

	(void)state;
#define REFUSES(offset, value)                                            \
	do {                                                              \
		memcpy(bytes, good, len);                                 \
		bytes[offset] = (value);                                  \
		assert_int_equal(wire_read(bytes, len, &back), -EBADMSG); \
	} while (0)
	REFUSES(0, 0);
	REFUSES(0, 6);
	REFUSES(1, NATXDP_PROTO_FREE);
	REFUSES(1, NATXDP_PROTO_DEAD);
	REFUSES(2, WIRE_SLOTS);
	REFUSES(3, 8);
	REFUSES(3, WIRE_HAIRPIN);
	memset(bytes, 0xff, sizeof(bytes)); /* a varint without an end */
	memcpy(bytes, good, 19);
	assert_int_equal(wire_read(bytes, sizeof(bytes), &back), -EBADMSG);
	bytes[0] = WIRE_VERSION + 1;
	assert_int_equal(wire_type(bytes, sizeof(bytes)), -EPROTONOSUPPORT);
}

/* A network between two streams: it loses, doubles and turns round, by a seed. */
enum { ON_THE_WAY = 1024, ENDS = 2 };

struct packet {
	int64_t due;
	size_t len; /* 0: none */
	int to;
	uint8_t bytes[STREAM_DATAGRAM];
};

struct network;

struct end {
	struct network *network;
	struct stream *stream;
	int number;
	uint64_t next; /* number of the record that has to come next */
};

struct network {
	struct end end[ENDS];
	struct packet packet[ON_THE_WAY];
	int64_t now;
	int loss, copies; /* percent */
	bool cut;
};

static void put_on_the_way(struct network *network, int to, const void *data, size_t len)
{
	for (int i = 0; i < ON_THE_WAY; i++) {
		struct packet *packet = &network->packet[i];

		if (packet->len)
			continue;
		packet->due = network->now + 1 + rand() % 20;
		packet->to = to;
		packet->len = len;
		memcpy(packet->bytes, data, len);
		return;
	}
}

static int network_send(void *ctx, const void *data, size_t len)
{
	struct end *end = ctx;
	struct network *network = end->network;

	assert_true(len <= STREAM_DATAGRAM);
	if (network->cut || rand() % 100 < network->loss)
		return 0;
	put_on_the_way(network, !end->number, data, len);
	if (rand() % 100 < network->copies)
		put_on_the_way(network, !end->number, data, len);
	return 0;
}

/* Records carry their number, and have to come in its order. */
static void arrived(void *ctx, const struct wire_record *record)
{
	struct end *end = ctx;

	assert_int_equal(record->op, WIRE_PUT);
	assert_int_equal(record->packets_out, end->next);
	end->next++;
}

static void network_open(struct network *network, int loss, int copies)
{
	memset(network, 0, sizeof(*network));
	network->loss = loss;
	network->copies = copies;
	for (int i = 0; i < ENDS; i++) {
		network->end[i].network = network;
		network->end[i].number = i;
		network->end[i].stream = stream_new(network_send, arrived, &network->end[i]);
		assert_non_null(network->end[i].stream);
	}
}

static void network_close(struct network *network)
{
	for (int i = 0; i < ENDS; i++)
		stream_free(network->end[i].stream);
}

static void network_step(struct network *network)
{
	network->now++;
	for (int i = 0; i < ON_THE_WAY; i++) {
		struct packet *packet = &network->packet[i];

		if (!packet->len || packet->due > network->now)
			continue;
		stream_take(network->end[packet->to].stream, packet->bytes, packet->len,
			    network->now);
		packet->len = 0;
	}
	for (int i = 0; i < ENDS && network->now % 10 == 0; i++)
		stream_tick(network->end[i].stream, network->now);
}

static void put_numbers(struct stream *stream, uint64_t end, int64_t now)
{
	struct wire_record record = { .op = WIRE_PUT, .flow.proto = IPPROTO_UDP };

	while (stream_put_count(stream) < end && stream_has_room(stream, 1)) {
		record.packets_out = stream_put_count(stream);
		stream_put(stream, &record, now);
	}
	stream_flush(stream, now);
}

static void records_come_once_and_in_order(void **state)
{
	static struct network network;
	static const struct {
		int loss, copies;
	} kinds[] = { { 0, 0 }, { 1, 1 }, { 10, 10 }, { 40, 20 } };
	enum { RECORDS = 40000 };

	(void)state;
	for (size_t kind = 0; kind < COUNT_OF(kinds); kind++) {
		srand(100 + kind);
		network_open(&network, kinds[kind].loss, kinds[kind].copies);
		while (network.end[0].next < RECORDS || network.end[1].next < RECORDS ||
		       stream_acknowledged(network.end[0].stream) < RECORDS) {
			for (int i = 0; i < ENDS; i++)
				put_numbers(network.end[i].stream, RECORDS, network.now);
			network_step(&network);
			assert_true(network.now < 600000);
		}
		assert_int_equal(stream_counters(network.end[0].stream)->bad, 0);
		if (!kinds[kind].loss)
			assert_int_equal(stream_counters(network.end[0].stream)->sent_again, 0);
		network_close(&network);
	}
}

static void a_dead_peer_fills_a_window_and_no_more(void **state)
{
	static struct network network;
	uint64_t put, again;

	(void)state;
	network_open(&network, 0, 0);
	network.cut = true;
	for (int i = 0; i < 60000; i++) {
		put_numbers(network.end[0].stream, UINT64_MAX, network.now);
		network_step(&network);
	}
	put = stream_put_count(network.end[0].stream);
	assert_true(put > 10000 && put < 20000);
	again = stream_counters(network.end[0].stream)->sent_again;
	assert_true(again < 60000 / STREAM_RETRY_MOST_MS * 4 + 40); /* it gets tired */
	network.cut = false;
	while (network.end[1].next < put)
		network_step(&network);
	assert_true(network.now < 60000 + 2 * STREAM_RETRY_MOST_MS + 2000);
	network_close(&network);
}

static void a_new_session_begins_anew(void **state)
{
	static struct network network;

	(void)state;
	network_open(&network, 20, 0);
	put_numbers(network.end[0].stream, 5000, network.now);
	for (int i = 0; i < 50; i++)
		network_step(&network);
	memset(network.packet, 0, sizeof(network.packet)); /* of another session: not decrypted */
	for (int i = 0; i < ENDS; i++) {
		stream_reset(network.end[i].stream);
		network.end[i].next = 0;
	}
	put_numbers(network.end[0].stream, 5000, network.now);
	while (network.end[1].next < 5000) {
		network_step(&network);
		assert_true(network.now < 60000);
	}
	network_close(&network);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_reads_back_the_same),
		cmocka_unit_test(the_format_is_what_is_documented),
		cmocka_unit_test(a_flow_is_small),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(records_come_once_and_in_order),
		cmocka_unit_test(a_dead_peer_fills_a_window_and_no_more),
		cmocka_unit_test(a_new_session_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
