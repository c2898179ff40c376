/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The format in which agents tell each other of flows. All numbers are big
 * endian, ports and addresses as in packets; a varint has 7 bits in a byte, the
 * lowest first, and 0x80 says that more follow.
 *
 *   datagram: version (1 byte), type (1), then
 *   DATA: sequence (8), records
 *   ACK:  next (8): all before it have come; then one bit for each of the WIRE_ACK_BITS that
 *         follow @next, the first in the lowest bit of the first byte
 *
 *   record: op (1), then
 *   PUT:    flow, as below; with WIRE_HAIRPIN the other inside address (4) and port (2); seen (1: out in the high half, in in the low one);
 *           age, idle out, idle in, packets out, bytes out, packets in, bytes in: varints,
 *           times in ticks of 2^24 ns before the moment of writing
 *   REMOVE: flow
 *   BEGIN:  a full copy follows
 *   COMPLETE: slots (8): of all flows of these slots the receiver now has been told
 *   WANTED: a full copy, once more: the receiver of this did not take all that it was told
 *
 *   flow: protocol (1), slot (1), flags (1), inside address (4) and port (2), remote address (4)
 *         and port (2), external port (2); with WIRE_HAIRPIN the remote address is the
 *         number of a slot
 *
 * A slot is an external address: its number is the same on all nodes, while the
 * private address behind it is not. A new flow takes 26 bytes, one that has
 * moved gigabytes in an hour 40, a removal 18.
 *
 * What is not sent: mappings, which follow of the flows that hold them; next hops,
 * which every node looks up for itself; checksum deltas, which follow of the addresses.
 */
#ifndef NATXDP_AGENT_HA_WIRE_H
#define NATXDP_AGENT_HA_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <natxdp/flow.h>

enum wire_sizes {
	WIRE_VERSION = 1,
	WIRE_HEAD = 2,
	WIRE_DATA_HEAD = WIRE_HEAD + 8,
	WIRE_RECORD_MAX = 96, /* more than the longest record */
	WIRE_ACK_BITS = 512,
	WIRE_ACK = WIRE_HEAD + 8 + WIRE_ACK_BITS / 8,
	WIRE_SLOTS = 64,
};

enum wire_type { WIRE_DATA = 1, WIRE_ACK_OF };

enum wire_op { WIRE_PUT = 1, WIRE_REMOVE, WIRE_BEGIN, WIRE_COMPLETE, WIRE_WANTED };

enum wire_flags {
	WIRE_COUNTED = 1 << 0,
	WIRE_MAPPED = 1 << 1,
	WIRE_HAIRPIN = 1 << 2,
	WIRE_FLAGS = 7,
};

/* What tells one flow from all others, on any node. */
struct wire_flow {
	uint8_t proto;
	uint8_t slot;
	uint8_t flags; /* enum wire_flags */
	__be32 inside;
	__be16 inside_port;
	__be32 remote; /* with WIRE_HAIRPIN a slot, in host order */
	__be16 remote_port;
	__be16 external_port;
};

struct wire_record {
	enum wire_op op;
	struct wire_flow flow;
	__be32 other; /* with WIRE_HAIRPIN: the inside end at the remote slot */
	__be16 other_port;
	uint8_t seen_out, seen_in;
	uint32_t age, idle_out, idle_in; /* ticks */
	uint64_t packets_out, bytes_out, packets_in, bytes_in;
	uint64_t slots; /* of COMPLETE */
};

/* @out has room for WIRE_RECORD_MAX. Returns the length. */
size_t wire_write(const struct wire_record *record, uint8_t *out);

/* Returns the length of the record at @bytes, or -EBADMSG. */
int wire_read(const uint8_t *bytes, size_t len, struct wire_record *record);

struct wire_ack {
	uint64_t next;
	uint8_t beyond[WIRE_ACK_BITS / 8];
};

void wire_write_data_head(uint64_t sequence, uint8_t out[WIRE_DATA_HEAD]);
void wire_write_ack(const struct wire_ack *ack, uint8_t out[WIRE_ACK]);

/* The type of a datagram, or -EPROTONOSUPPORT, -EBADMSG. */
int wire_type(const uint8_t *bytes, size_t len);
uint64_t wire_sequence(const uint8_t *bytes); /* of DATA */
void wire_read_ack(const uint8_t *bytes, struct wire_ack *ack);

#endif
