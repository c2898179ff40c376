/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Giving a flow to the table that another table had: of a peer, of the NAT
 * before an upgrade. The program natxdp_insert (pinned as `insert`) does it
 * under the locks of the data plane, which may be at work.
 *
 * It is an XDP program, because only those may take a lock on Linux 6.1, and
 * is run by BPF_PROG_TEST_RUN: an array of struct natxdp_insertion is the data,
 * in and out, NATXDP_INSERT_BATCH at most; it returns XDP_PASS, and each
 * element has its result. Loader and agent call it by loader/insert.h.
 */
#ifndef NATXDP_INSERT_H
#define NATXDP_INSERT_H

#include <natxdp/flow.h>

enum natxdp_insert_result {
	/*
	 * Negative: refused, nothing was changed:
	 * -EINVAL	 the two entries are no pair, or of another arm than this NAT
	 * -EADDRNOTAVAIL out.pool is no external address here, or not out.new_saddr
	 * -EEXIST	 one of the keys is taken by another flow
	 * -ETIME	 the flow has been idle for longer than its timeout
	 * -ENOENT	 it is MAPPED, and its mapping was not inserted before
	 * -ENOSPC	 no room: in the table, for its next hop
	 */
	NATXDP_INSERT_NONE,
	NATXDP_INSERT_DONE,
	/*
	 * It was there, with the same translation. What is later was taken over:
	 * counters and times, and with a later time what the direction has seen.
	 */
	NATXDP_INSERT_EXISTED,
};

enum natxdp_insert_flags {
	/* next_hop of both is not known: the first packet of each looks its route up */
	NATXDP_INSERT_ROUTE = 1 << 0,
	/*
	 * The giver knows better: a flow of the same external address, or of one that is on
	 * standby here, that has one of the keys and is another one, ends; and of one that was
	 * there what its directions have seen is as given.
	 */
	NATXDP_INSERT_REPLACE = 1 << 1,
	/*
	 * The flow of out.key ends, if it leaves as out.new_saddr and out.new_sport: DONE, else
	 * NONE. Nothing more of the two entries is read.
	 */
	NATXDP_INSERT_REMOVE = 1 << 2,
};

/*
 * Both entries of a flow, as they stand in a table, ticks of the clock of this
 * host. A time after now is taken as now. l3_delta, l4_delta and peer are made
 * here and not read; after DONE and EXISTED in.peer is the slot of the outbound entry, and
 * out.peer that of the inbound one.
 *
 * A mapping (tenant NATXDP_TENANT_MAPPING) is inserted like a flow, before the
 * flows that hold it. Its holders are counted as these come, so its packets are
 * not read. COUNTED is heeded: the flow counts for its host, beyond any limit.
 */
struct natxdp_insertion {
	struct natxdp_flow out;
	struct natxdp_flow in;
	__s32 result; /* enum natxdp_insert_result, or -errno */
	__u32 flags;  /* enum natxdp_insert_flags */
};

enum { NATXDP_INSERT_BATCH = 24 }; /* the linear part of a frame is about 3.5 KB */

_Static_assert(sizeof(struct natxdp_insertion) == 136, "insertion layout");

#endif
