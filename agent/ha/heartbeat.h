/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What nodes tell each other in heartbeats (struct policy_beat), as bytes.
 *
 *   version 1, nodes 1, zones 1, flags 1 (1 healthy, 2 draining), fingerprint 8, incarnation 8,
 *   hears 4; then for each zone epoch 8, owner 1, state 1, offer 1, reason 1, ask 1, force 1
 *
 * Numbers are big endian. The fingerprint is of the configuration that nodes and
 * zones are numbered by (members.h): another one is another fleet.
 */
#ifndef NATXDP_AGENT_HA_HEARTBEAT_H
#define NATXDP_AGENT_HA_HEARTBEAT_H

#include <stddef.h>

#include "members.h"

enum {
	HEARTBEAT_VERSION = 1,
	HEARTBEAT_HEAD = 24,
	HEARTBEAT_ZONE = 14,
	HEARTBEAT_MAX = HEARTBEAT_HEAD + POLICY_ZONES * HEARTBEAT_ZONE,
};

/* Returns the length. */
size_t heartbeat_write(const struct members *members, const struct policy_beat *beat,
		       uint8_t out[HEARTBEAT_MAX]);

/* 0, or -EBADMSG, -EPROTONOSUPPORT: of another version, -ESTALE: of a node with another fleet. */
int heartbeat_read(const struct members *members, const void *bytes, size_t len,
		   struct policy_beat *beat);

#endif
