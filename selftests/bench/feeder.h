/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the generators in BPF and their user space share. */
#ifndef BENCH_FEEDER_H
#define BENCH_FEEDER_H

#include <linux/types.h>

enum { BENCH_CPUS_MAX = 64 };

/* Ethernet, IPv4, UDP and GENEVE before a packet that comes from a load balancer. */
enum { FEEDER_OUTER = 14 + 68, FEEDER_OUTER_WORDS = 8 };

/* They, in pieces in which they are read. */
struct outer {
	__u32 eth[3];
	__u16 eth_type;
	__u32 ip; /* its first word */
	__u64 word[FEEDER_OUTER_WORDS];
} __attribute__((packed, aligned(2)));

_Static_assert(sizeof(struct outer) == FEEDER_OUTER, "no gap");

/* What a packet carries, and the number of its flow. */
struct tuple {
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
	__u32 flow;
};

/* Where a CPU is in an array of tuples: from begin to end - 1, and again. */
struct cursor {
	__u32 at;
	__u32 begin;
	__u32 end;
	__u32 left; /* of a run of packets; the first and the last of it look at the clock */
	__u64 started;
	__u64 ended;
	__u64 arrived[2]; /* packets at the sink at these two times */
	__u64 pad[2];	  /* a cache line each */
};

/* What a CPU has counted. */
struct delivered {
	__u64 packets;
	__u64 pad[7];
};

#endif
