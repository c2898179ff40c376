/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A packet that leaves by the wire: from an inside host that need not exist,
 * through the program that is attached, out of the interface to a target that
 * answers, and the answer back through the program. An echo request, or with
 * a port a SYN, which is answered by SYN and ACK or by RST, and then taken back.
 */
#ifndef NATXDP_WIRE_H
#define NATXDP_WIRE_H

#include <linux/types.h>
#include <stdbool.h>

struct instance;
struct nat;
struct plan;
struct probe;

enum { WIRE_WHY_MAX = 160 };

struct wire {
	__be32 inside;
	__be32 target;
	__be16 port; /* 0: echo */
	/* what came of it */
	__be32 external;
	__be16 external_port;
	unsigned int ms; /* until the answer was seen */
	char why[WIRE_WHY_MAX];
};

/* "ADDR" or "ADDR:PORT". False if it is neither. */
bool wire_parse(struct wire *wire, const char *text);

/*
 * Behind load balancers it comes as @probe does, from one of them, and so does the answer go
 * there: as what no load balancer has sent, it takes that for nothing. Returns 0, or -EIO and
 * writes why.
 */
int wire_run(struct wire *wire, const struct probe *probe, const struct instance *instance,
	     const struct nat *nat, const struct plan *plan);

#endif
