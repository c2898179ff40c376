/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "wire.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

/* Where the next byte goes to or comes from. */
struct out {
	uint8_t *at;
};

struct in {
	const uint8_t *at, *end;
	bool bad; /* ended too early, or a value that cannot be */
};

static void put(struct out *out, const void *bytes, size_t len)
{
	memcpy(out->at, bytes, len);
	out->at += len;
}

static void put_byte(struct out *out, uint8_t byte)
{
	*out->at++ = byte;
}

static void put_varint(struct out *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*out->at++ = value | 0x80;
	*out->at++ = value;
}

static void put_64(struct out *out, uint64_t value)
{
	value = htobe64(value);
	put(out, &value, sizeof(value));
}

static void get(struct in *in, void *bytes, size_t len)
{
	if ((size_t)(in->end - in->at) < len) {
		in->bad = true;
		memset(bytes, 0, len);
		return;
	}
	memcpy(bytes, in->at, len);
	in->at += len;
}

static uint8_t get_byte(struct in *in)
{
	uint8_t byte;

	get(in, &byte, 1);
	return byte;
}

static uint64_t get_varint(struct in *in, uint64_t most)
{
	uint64_t value = 0;
	uint8_t byte = 0x80;

	for (int shift = 0; byte & 0x80; shift += 7) {
		byte = get_byte(in);
		if (shift > 63 || (shift == 63 && byte > 1))
			in->bad = true;
		if (in->bad)
			return 0;
		value |= (uint64_t)(byte & 0x7f) << shift;
	}
	in->bad |= value > most;
	return value;
}

static uint64_t get_64(struct in *in)
{
	uint64_t value;

	get(in, &value, sizeof(value));
	return be64toh(value);
}

static void put_flow(struct out *out, const struct wire_flow *flow)
{
	__be32 remote = flow->flags & WIRE_HAIRPIN ? htobe32(flow->remote) : flow->remote;

	put_byte(out, flow->proto);
	put_byte(out, flow->slot);
	put_byte(out, flow->flags);
	put(out, &flow->inside, 4);
	put(out, &flow->inside_port, 2);
	put(out, &remote, 4);
	put(out, &flow->remote_port, 2);
	put(out, &flow->external_port, 2);
}

static void get_flow(struct in *in, struct wire_flow *flow)
{
	flow->proto = get_byte(in);
	flow->slot = get_byte(in);
	flow->flags = get_byte(in);
	get(in, &flow->inside, 4);
	get(in, &flow->inside_port, 2);
	get(in, &flow->remote, 4);
	get(in, &flow->remote_port, 2);
	get(in, &flow->external_port, 2);
	if (flow->proto == NATXDP_PROTO_FREE || flow->proto == NATXDP_PROTO_DEAD ||
	    flow->slot >= WIRE_SLOTS || flow->flags & ~WIRE_FLAGS)
		in->bad = true;
	if (!(flow->flags & WIRE_HAIRPIN))
		return;
	flow->remote = be32toh(flow->remote);
	in->bad |= flow->remote >= WIRE_SLOTS;
}

size_t wire_write(const struct wire_record *record, uint8_t *bytes)
{
	struct out out = { bytes };

	put_byte(&out, record->op);
	if (record->op == WIRE_COMPLETE)
		put_64(&out, record->slots);
	if (record->op > WIRE_REMOVE)
		return out.at - bytes;
	put_flow(&out, &record->flow);
	if (record->op == WIRE_REMOVE)
		return out.at - bytes;
	if (record->flow.flags & WIRE_HAIRPIN) {
		put(&out, &record->other, 4);
		put(&out, &record->other_port, 2);
	}
	put_byte(&out, record->seen_out << 4 | record->seen_in);
	put_varint(&out, record->age);
	put_varint(&out, record->idle_out);
	put_varint(&out, record->idle_in);
	put_varint(&out, record->packets_out);
	put_varint(&out, record->bytes_out);
	put_varint(&out, record->packets_in);
	put_varint(&out, record->bytes_in);
	return out.at - bytes;
}

static void get_state(struct in *in, struct wire_record *record)
{
	uint8_t seen;

	if (record->flow.flags & WIRE_HAIRPIN) {
		get(in, &record->other, 4);
		get(in, &record->other_port, 2);
	}
	seen = get_byte(in);
	record->seen_out = seen >> 4;
	record->seen_in = seen & 0xf;
	record->age = get_varint(in, UINT32_MAX);
	record->idle_out = get_varint(in, UINT32_MAX);
	record->idle_in = get_varint(in, UINT32_MAX);
	record->packets_out = get_varint(in, UINT64_MAX);
	record->bytes_out = get_varint(in, UINT64_MAX);
	record->packets_in = get_varint(in, UINT64_MAX);
	record->bytes_in = get_varint(in, UINT64_MAX);
}

int wire_read(const uint8_t *bytes, size_t len, struct wire_record *record)
{
	struct in in = { bytes, bytes + len, false };

	memset(record, 0, sizeof(*record));
	record->op = get_byte(&in);
	switch (record->op) {
	case WIRE_PUT:
		get_flow(&in, &record->flow);
		get_state(&in, record);
		break;
	case WIRE_REMOVE:
		get_flow(&in, &record->flow);
		break;
	case WIRE_BEGIN:
	case WIRE_WANTED:
		break;
	case WIRE_COMPLETE:
		record->slots = get_64(&in);
		break;
	default:
		in.bad = true;
	}
	return in.bad ? -EBADMSG : in.at - bytes;
}

void wire_write_data_head(uint64_t sequence, uint8_t bytes[WIRE_DATA_HEAD])
{
	struct out out = { bytes };

	put_byte(&out, WIRE_VERSION);
	put_byte(&out, WIRE_DATA);
	put_64(&out, sequence);
}

void wire_write_ack(const struct wire_ack *ack, uint8_t bytes[WIRE_ACK])
{
	struct out out = { bytes };

	put_byte(&out, WIRE_VERSION);
	put_byte(&out, WIRE_ACK_OF);
	put_64(&out, ack->next);
	put(&out, ack->beyond, sizeof(ack->beyond));
}

int wire_type(const uint8_t *bytes, size_t len)
{
	if (len < WIRE_HEAD)
		return -EBADMSG;
	if (bytes[0] != WIRE_VERSION)
		return -EPROTONOSUPPORT;
	if (bytes[1] == WIRE_DATA && len >= WIRE_DATA_HEAD)
		return WIRE_DATA;
	if (bytes[1] == WIRE_ACK_OF && len == WIRE_ACK)
		return WIRE_ACK_OF;
	return -EBADMSG;
}

uint64_t wire_sequence(const uint8_t *bytes)
{
	uint64_t sequence;

	memcpy(&sequence, bytes + WIRE_HEAD, sizeof(sequence));
	return be64toh(sequence);
}

void wire_read_ack(const uint8_t *bytes, struct wire_ack *ack)
{
	memcpy(&ack->next, bytes + WIRE_HEAD, sizeof(ack->next));
	ack->next = be64toh(ack->next);
	memcpy(ack->beyond, bytes + WIRE_HEAD + sizeof(ack->next), sizeof(ack->beyond));
}
