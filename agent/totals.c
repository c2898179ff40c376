/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "totals.h"

#include <string.h>

enum totals_side totals_reason_side(enum natxdp_reason reason)
{
	switch (reason) {
	case NATXDP_OUT_FORWARDED:
	case NATXDP_OUT_VIA_KERNEL:
	case NATXDP_DROP_NO_ROUTE:
	case NATXDP_DROP_NO_PORT:
	case NATXDP_REPLY_NO_PORT:
	case NATXDP_DROP_TABLE_FULL:
	case NATXDP_DROP_MIDSTREAM:
	case NATXDP_REPLY_RST:
	case NATXDP_DROP_BLOCKED:
	case NATXDP_DROP_LIMIT:
	case NATXDP_DROP_RATE:
	case NATXDP_DROP_TOO_BIG: /* only the way out has an MTU to keep */
	case NATXDP_REPLY_TOO_BIG:
		return SIDE_SOURCE;
	case NATXDP_IN_FORWARDED:
	case NATXDP_IN_VIA_KERNEL:
	case NATXDP_DROP_UNSOLICITED:
		return SIDE_DESTINATION;
	default:
		return SIDE_UNKNOWN;
	}
}

bool totals_reason_is_fault(enum natxdp_reason reason)
{
	switch (reason) {
	case NATXDP_DROP_INACTIVE:
	case NATXDP_DROP_FRAGMENT:
	case NATXDP_DROP_NO_ROUTE:
	case NATXDP_DROP_NO_PORT:
	case NATXDP_REPLY_NO_PORT:
	case NATXDP_DROP_TABLE_FULL:
	case NATXDP_DROP_INTERNAL:
		return true;
	default:
		return false;
	}
}

static void add_reason(struct totals *t, enum natxdp_reason reason, uint64_t packets,
		       uint64_t bytes)
{
	bool forwarded = reason_names[reason].verdict == VERDICT_FORWARD ||
			 reason == NATXDP_OUT_VIA_KERNEL || reason == NATXDP_IN_VIA_KERNEL;

	switch (totals_reason_side(reason)) {
	case SIDE_SOURCE:
		t->sum[METRIC_PACKETS_IN_FROM_SOURCE] += packets;
		t->sum[METRIC_BYTES_IN_FROM_SOURCE] += bytes;
		t->sum[METRIC_PACKETS_OUT_TO_DESTINATION] += forwarded ? packets : 0;
		t->sum[METRIC_BYTES_OUT_TO_DESTINATION] += forwarded ? bytes : 0;
		break;
	case SIDE_DESTINATION:
		t->sum[METRIC_PACKETS_IN_FROM_DESTINATION] += packets;
		t->sum[METRIC_BYTES_IN_FROM_DESTINATION] += bytes;
		t->sum[METRIC_PACKETS_OUT_TO_SOURCE] += forwarded ? packets : 0;
		t->sum[METRIC_BYTES_OUT_TO_SOURCE] += forwarded ? bytes : 0;
		break;
	case SIDE_UNKNOWN:
		break;
	}
	if (totals_reason_is_fault(reason))
		t->sum[METRIC_PACKETS_DROPPED] += packets;
}

void totals_count(struct totals *t, const struct natxdp_counters *c)
{
	static const enum metric cleared[] = {
		METRIC_PACKETS_IN_FROM_SOURCE,
		METRIC_BYTES_IN_FROM_SOURCE,
		METRIC_PACKETS_OUT_TO_DESTINATION,
		METRIC_BYTES_OUT_TO_DESTINATION,
		METRIC_PACKETS_IN_FROM_DESTINATION,
		METRIC_BYTES_IN_FROM_DESTINATION,
		METRIC_PACKETS_OUT_TO_SOURCE,
		METRIC_BYTES_OUT_TO_SOURCE,
		METRIC_PACKETS_DROPPED,
	};

	for (unsigned int i = 0; i < sizeof(cleared) / sizeof(*cleared); i++)
		t->sum[cleared[i]] = 0;
	for (int i = 0; i < NATXDP_REASON_COUNT; i++) {
		add_reason(t, i, c->packets[i], c->bytes[i]);
		t->reason_packets[i] = c->packets[i];
		t->reason_bytes[i] = c->bytes[i];
	}
	t->sum[METRIC_PORT_ALLOCATION_ERRORS] = c->packets[NATXDP_REPLY_NO_PORT] +
						c->packets[NATXDP_DROP_NO_PORT];
	t->sum[METRIC_CONNECTION_ATTEMPTS] = c->events[NATXDP_EVENT_TCP_ATTEMPTS];
	t->sum[METRIC_CONNECTIONS_ESTABLISHED] = c->events[NATXDP_EVENT_TCP_ESTABLISHED];
	t->sum[METRIC_IDLE_TIMEOUTS] = c->events[NATXDP_EVENT_IDLE_TIMEOUTS];
	t->sum[METRIC_NEW_FLOWS] = c->events[NATXDP_EVENT_FLOWS_OPENED];
}
