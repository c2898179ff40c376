/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "scan.h"

#include <stdlib.h>
#include <string.h>

#include "sketch.h"

const char *const scan_proto_names[SCAN_PROTOS] = { "tcp", "udp", "icmp", "other" };

struct scan {
	struct table *table;
	const struct natxdp_key *unseen;
	struct talkers *talkers;
	struct sketch ports; /* by pool, protocol and destination: flows, each on its port */
	struct scan_result now, last;
	bool complete;
	uint64_t standby; /* pools */
};

const char *scan_state_name(enum natxdp_state state)
{
	static const char *const names[] = {
#define X(id, name, timeout) name,
		NATXDP_STATES(X)
#undef X
	};

	return names[state];
}

const char *scan_state_proto(enum natxdp_state state)
{
	switch (state) {
	case NATXDP_STATE_UDP_NEW:
	case NATXDP_STATE_UDP_REPLIED:
		return scan_proto_names[SCAN_UDP];
	case NATXDP_STATE_ICMP_NEW:
	case NATXDP_STATE_ICMP_REPLIED:
		return scan_proto_names[SCAN_ICMP];
	case NATXDP_STATE_OTHER:
		return scan_proto_names[SCAN_OTHER];
	default:
		return scan_proto_names[SCAN_TCP];
	}
}

enum scan_proto scan_proto_of(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return SCAN_TCP;
	case IPPROTO_UDP:
		return SCAN_UDP;
	case IPPROTO_ICMP:
		return SCAN_ICMP;
	default:
		return SCAN_OTHER;
	}
}

struct scan *scan_new(struct table *table, const struct natxdp_key *unseen)
{
	struct scan *scan = calloc(1, sizeof(*scan));

	if (!scan)
		return NULL;
	scan->table = table;
	scan->unseen = unseen;
	return scan;
}

void scan_free(struct scan *scan)
{
	free(scan);
}

void scan_set_talkers(struct scan *scan, struct talkers *talkers)
{
	scan->talkers = talkers;
}

void scan_set_standby(struct scan *scan, uint64_t pools)
{
	scan->standby = pools;
}

void scan_begin(struct scan *scan)
{
	memset(&scan->now, 0, sizeof(scan->now));
	sketch_clear(&scan->ports);
	table_rewind(scan->table);
	if (scan->talkers)
		talkers_walk(scan->talkers, table_ticks_now());
}

/*
 * 64 bits for pool, protocol, address and port; with endpoint-independent
 * mapping a port serves all destinations, so the mapping counts for 0.
 */
static uint64_t destination(const struct natxdp_flow *out)
{
	uint64_t key = (uint64_t)out->pool << 56 | (uint64_t)out->key.proto << 48;

	if (out->key.tenant == NATXDP_TENANT_MAPPING)
		return key;
	return key | (uint64_t)out->key.daddr << 16 | out->key.dport;
}

static bool is_unseen(const struct scan *scan, const struct natxdp_key *key)
{
	return key->word[0] == scan->unseen->word[0] && key->word[1] == scan->unseen->word[1];
}

static void count(struct scan *scan, const struct flow_view *view)
{
	const struct natxdp_flow *out = &view->out;
	struct scan_result *now = &scan->now;

	if (out->pool >= NATXDP_POOL_MAX || scan->standby >> out->pool & 1 ||
	    is_unseen(scan, &out->key))
		return;
	if (flow_view_is_mapping(view)) {
		if (!out->key.daddr) /* else it only says who may send */
			sketch_add(&scan->ports, destination(out), 1, 1);
		return;
	}
	now->flows++;
	now->proto[scan_proto_of(out->key.proto)]++;
	now->state[flow_view_state(view)]++;
	now->pool_flows[out->pool]++;
	if (scan_proto_of(out->key.proto) != SCAN_OTHER && !(out->flags & NATXDP_FLOW_MAPPED))
		sketch_add(&scan->ports, destination(out), 1, 1);
	if (scan->talkers)
		talkers_flow(scan->talkers, view);
}

/* At least so many ports are in use: what was inherited may be another's. */
static void finish(struct scan *scan)
{
	const struct sketch_item *item = &scan->ports.item[0][0];

	for (int i = 0; i < SKETCH_SETS * SKETCH_WAYS; i++, item++) {
		uint32_t *ports = &scan->now.pool_ports[item->key >> 56];

		if (item->key && item->weight - item->error > *ports)
			*ports = item->weight - item->error;
	}
	scan->last = scan->now;
	scan->complete = true;
}

bool scan_slice(struct scan *scan)
{
	struct table *table = scan->table;
	uint32_t end = table->next + SCAN_SLICE;
	struct flow_view view;

	while (table_next_until(table, end, &view))
		count(scan, &view);
	if (table->next < table->count)
		return false;
	finish(scan);
	return true;
}

const struct scan_result *scan_last(const struct scan *scan)
{
	return scan->complete ? &scan->last : NULL;
}

uint64_t scan_active_connections(const struct scan_result *result)
{
	return result->state[NATXDP_STATE_TCP_ESTABLISHED] +
	       result->state[NATXDP_STATE_TCP_HALF_CLOSED];
}
