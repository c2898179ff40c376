/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A walk over the flow table, a slice at a time, that counts flows by protocol
 * and state, and ports by address and destination.
 */
#ifndef NATXDP_AGENT_SCAN_H
#define NATXDP_AGENT_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "table.h"
#include "talkers.h"

enum scan_proto { SCAN_TCP, SCAN_UDP, SCAN_ICMP, SCAN_OTHER, SCAN_PROTOS };
extern const char *const scan_proto_names[SCAN_PROTOS];
enum scan_proto scan_proto_of(uint8_t proto);

/* Labels of enum natxdp_state. */
const char *scan_state_name(enum natxdp_state state);
const char *scan_state_proto(enum natxdp_state state);

enum {
	/* Entries a slice: 4 MiB of table, some milliseconds, so that nothing waits long. */
	SCAN_SLICE = 65536,
	SCAN_PACE_MS = 100,
};

struct scan_result {
	uint64_t state[NATXDP_STATE_COUNT]; /* other protocols: one state for all */
	uint64_t proto[SCAN_PROTOS];
	uint64_t pool_flows[NATXDP_POOL_MAX];
	uint32_t pool_ports[NATXDP_POOL_MAX]; /* of the busiest destination, see portuse.h */
	uint64_t flows;
};

struct scan;

/* NULL without memory. @table stays with the caller. @unseen: the key of a flow that is left out. */
struct scan *scan_new(struct table *table, const struct natxdp_key *unseen);
void scan_free(struct scan *scan);

/* Flow by flow, what it moved since the last walk goes to @talkers; NULL: nowhere. */
void scan_set_talkers(struct scan *scan, struct talkers *talkers);

/* Bits by index into ext_pool: flows of these addresses are copies, another node's to count. */
void scan_set_standby(struct scan *scan, uint64_t pools);

void scan_begin(struct scan *scan);

/* Does one slice. True when the walk is complete: the result is new then. */
bool scan_slice(struct scan *scan);

/* Of the last complete walk; NULL before the first. */
const struct scan_result *scan_last(const struct scan *scan);

uint64_t scan_active_connections(const struct scan_result *result);

#endif
