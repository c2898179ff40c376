/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What tcp_load sends and tcp_echo sends back: a header and bytes that follow
 * from it, so that either end knows a message that is not whole, not in order
 * or not of this connection.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

enum {
	MESSAGE_MAGIC = 0x6e617478,
	MESSAGE_MAX = 2048, /* with the header */
};

/* Host byte order: both ends are on one machine. */
struct message {
	uint32_t magic;
	uint32_t connection;
	uint32_t sequence;
	uint32_t size; /* with this header */
	uint64_t seed; /* of the run */
	uint64_t hash; /* of the bytes that follow */
	/* written by the server: whom it sees at the other end, network byte order */
	uint32_t peer_address;
	uint32_t peer_port;
};

/* Raises the limit of open descriptors as far as it goes, and returns it. */
static inline uint32_t descriptors_max(uint32_t wanted)
{
	struct rlimit limit = { wanted, wanted };

	if (setrlimit(RLIMIT_NOFILE, &limit)) {
		/* without CAP_SYS_RESOURCE the hard limit stays */
		getrlimit(RLIMIT_NOFILE, &limit);
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	return limit.rlim_cur;
}

/* splitmix64 */
static inline uint64_t message_mix(uint64_t state)
{
	state += 0x9e3779b97f4a7c15;
	state = (state ^ state >> 30) * 0xbf58476d1ce4e5b9;
	state = (state ^ state >> 27) * 0x94d049bb133111eb;
	return state ^ state >> 31;
}

static inline uint64_t message_hash(const uint8_t *bytes, uint32_t size)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (uint32_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	return hash;
}

/* Writes the message @sequence of a connection to @at. Returns its size. */
static inline uint32_t message_make(uint8_t at[MESSAGE_MAX], uint64_t seed, uint32_t connection,
				    uint32_t sequence, uint32_t size_max)
{
	uint64_t state = message_mix(seed ^ (uint64_t)connection << 32 ^ sequence);
	struct message message = {
		.magic = MESSAGE_MAGIC, .connection = connection, .sequence = sequence, .seed = seed
	};
	uint32_t room = size_max - sizeof(message);

	message.size = sizeof(message) + (room ? state % (room + 1) : 0);
	for (uint32_t i = sizeof(message); i < message.size; i++) {
		if (i % 8 == 0)
			state = message_mix(state);
		at[i] = state >> i % 8 * 8;
	}
	message.hash = message_hash(at + sizeof(message), message.size - sizeof(message));
	memcpy(at, &message, sizeof(message));
	return message.size;
}

static inline bool message_is_whole(const uint8_t *at, const struct message *message)
{
	return message_hash(at + sizeof(*message), message->size - sizeof(*message)) ==
	       message->hash;
}

#endif
