/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Every frame ends in count_packet(), exactly once. */
#ifndef NATXDP_COUNT_BPF_H
#define NATXDP_COUNT_BPF_H

#include "maps.bpf.h"

/* A frame may stand for several packets of the wire: @packets with @bytes in all. */
static __always_inline void count_packet(__u32 reason, __u32 packets, __u32 bytes)
{
	struct natxdp_counters *c;
	__u32 zero = 0;

	c = bpf_map_lookup_elem(&counters, &zero);
	barrier_var(reason); /* the verifier must see that what is checked is what is used */
	if (!c || reason >= NATXDP_REASON_COUNT)
		return;
	c->packets[reason] += packets;
	c->bytes[reason] += bytes;
}

static __always_inline void count_event(enum natxdp_event event, __u64 n)
{
	struct natxdp_counters *c;
	__u32 zero = 0;

	c = bpf_map_lookup_elem(&counters, &zero);
	if (c)
		c->events[event] += n;
}

/*
 * The same where it may run in a process: a packet on its CPU may come between reading and
 * writing, and count the same event.
 */
static __always_inline void count_event_atomic(enum natxdp_event event, __u64 n)
{
	struct natxdp_counters *c;
	__u32 zero = 0;

	c = bpf_map_lookup_elem(&counters, &zero);
	if (c)
		__sync_fetch_and_add(&c->events[event], n);
}

#endif
