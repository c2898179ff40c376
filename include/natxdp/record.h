/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Flow records: what the data plane tells the agent of flows as they open and
 * close, through the ring buffer `records`. Nobody waits for a reader: what
 * finds no room is lost and counted (NATXDP_EVENT_RECORDS_LOST).
 */
#ifndef NATXDP_RECORD_H
#define NATXDP_RECORD_H

#include <natxdp/flow.h>

enum natxdp_record_kind {
	NATXDP_RECORD_OPEN,
	NATXDP_RECORD_CLOSE,
};

enum natxdp_record_wanted {
	NATXDP_RECORD_OPENS = 1 << NATXDP_RECORD_OPEN,
	NATXDP_RECORD_CLOSES = 1 << NATXDP_RECORD_CLOSE,
};

enum natxdp_record_flags {
	NATXDP_RECORD_ENDED = 1 << 0,	/* by user space, before its time */
	NATXDP_RECORD_HALF = 1 << 1,	/* what came back was not known any more */
	NATXDP_RECORD_HAIRPIN = 1 << 2, /* both ends are inside */
};

struct natxdp_record {
	struct natxdp_key key; /* of the direction that leaves */
	__be32 new_saddr;
	__be32 new_daddr;
	__be16 new_sport;
	__be16 new_dport;
	__u8 kind;  /* enum natxdp_record_kind */
	__u8 state; /* enum natxdp_state: when it closes, its last one */
	__u8 pool;
	__u8 flags; /* enum natxdp_record_flags */
	__u64 packets_out;
	__u64 bytes_out;
	__u64 packets_in;
	__u64 bytes_in;
	__u32 first_seen; /* ticks */
	__u32 last_seen;
	__u32 now;
	__u32 reserved;
};

/*
 * What natxdpd and `natxdp verify` have sent through the programs to prove that
 * they translate. The data plane counts it like any other packet, and
 * counters_read() takes it away again; but it writes no record of it, so that
 * one that finds no room is never counted as lost. Several may write: atomic
 * adds only.
 */
enum natxdp_probe_way {
	NATXDP_PROBE_OUT_FORWARDED,
	NATXDP_PROBE_OUT_VIA_KERNEL,
	NATXDP_PROBE_IN_FORWARDED,
	NATXDP_PROBE_IN_VIA_KERNEL,
	NATXDP_PROBE_WAYS,
};

/* A flow of a probe that was ended: it has expired when its slot has another key. */
struct natxdp_probe_end {
	__u32 slot; /* plus 1; 0: none */
	__u32 reserved;
	__u64 key[2];
};

enum { NATXDP_PROBE_ENDS = 4 };

struct natxdp_probes {
	__u64 packets[NATXDP_PROBE_WAYS]; /* that got through, NATXDP_PROBE_BYTES each */
	__u64 flows_opened;
	__u64 flows_expired; /* but for those of which the end is here */
	struct natxdp_probe_end end[NATXDP_PROBE_ENDS];
};

enum { NATXDP_PROBE_BYTES = 48 }; /* IP bytes */

/*
 * Map agent: ARRAY, one element, mmapped by the agent, which alone writes it,
 * but for the probes. It lives as long as the counters do, so what the agent has
 * to remember of them over its own death stands here (agent/keep.h).
 */
struct natxdp_agent {
	__u32 wanted; /* enum natxdp_record_wanted; 0: no records */
	__u32 sample; /* records of one flow in so many; 0 and 1: of all */
	__u64 keep[491];
	struct natxdp_key probe; /* of the flow of the probes; its tenant means nothing */
	struct natxdp_probes probes;
};

_Static_assert(sizeof(struct natxdp_record) == 80, "record layout");
_Static_assert(sizeof(struct natxdp_agent) == 4096, "agent layout");

#endif
