/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "heartbeat.h"

#include <errno.h>
#include <string.h>

enum { FLAG_HEALTHY = 1, FLAG_DRAINING = 2 };

static uint8_t *put(uint8_t *to, uint64_t number, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		to[i] = number >> (8 * (bytes - 1 - i));
	return to + bytes;
}

static uint64_t get(const uint8_t **from, unsigned int bytes)
{
	uint64_t number = 0;

	while (bytes--)
		number = number << 8 | *(*from)++;
	return number;
}

size_t heartbeat_write(const struct members *m, const struct policy_beat *beat,
		       uint8_t out[HEARTBEAT_MAX])
{
	uint8_t *to = out;

	to = put(to, HEARTBEAT_VERSION, 1);
	to = put(to, m->nodes, 1);
	to = put(to, m->zones, 1);
	to = put(to, beat->healthy * FLAG_HEALTHY | beat->draining * FLAG_DRAINING, 1);
	to = put(to, members_fingerprint(m), 8);
	to = put(to, beat->incarnation, 8);
	to = put(to, beat->hears, 4);
	for (unsigned int i = 0; i < m->zones; i++) {
		const struct policy_claim *claim = &beat->zone[i];

		to = put(to, claim->epoch, 8);
		to = put(to, claim->owner, 1);
		to = put(to, claim->state, 1);
		to = put(to, claim->offer, 1);
		to = put(to, claim->reason, 1);
		to = put(to, claim->ask, 1);
		to = put(to, claim->force, 1);
	}
	return to - out;
}

/* A number of a node, or one of the two that are none. */
static uint8_t node(const struct members *m, uint8_t number)
{
	return number < m->nodes || number == POLICY_STRANGER ? number : POLICY_NOBODY;
}

int heartbeat_read(const struct members *m, const void *bytes, size_t len, struct policy_beat *beat)
{
	const uint8_t *from = bytes;
	unsigned int nodes, zones, flags;

	memset(beat, 0, sizeof(*beat));
	if (!len)
		return -EBADMSG;
	if (get(&from, 1) != HEARTBEAT_VERSION)
		return -EPROTONOSUPPORT;
	if (len < HEARTBEAT_HEAD)
		return -EBADMSG;
	nodes = get(&from, 1);
	zones = get(&from, 1);
	flags = get(&from, 1);
	if (get(&from, 8) != members_fingerprint(m) || nodes != m->nodes || zones != m->zones)
		return -ESTALE;
	if (len != HEARTBEAT_HEAD + (size_t)zones * HEARTBEAT_ZONE)
		return -EBADMSG;
	beat->healthy = flags & FLAG_HEALTHY;
	beat->draining = flags & FLAG_DRAINING;
	beat->incarnation = get(&from, 8);
	beat->hears = get(&from, 4);
	for (unsigned int i = 0; i < zones; i++) {
		struct policy_claim *claim = &beat->zone[i];

		claim->epoch = get(&from, 8);
		claim->owner = node(m, get(&from, 1));
		claim->state = get(&from, 1) % POLICY_STATES;
		claim->offer = node(m, get(&from, 1));
		claim->reason = get(&from, 1) % POLICY_REASONS;
		claim->ask = node(m, get(&from, 1));
		claim->force = get(&from, 1) & 1;
	}
	return 0;
}
