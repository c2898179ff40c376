/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A node without peers, one of many behind a load balancer, and how it goes: it gets
 * nothing new (/readyz fails, its target group is told), serves the flows that it has
 * until they end, and then lets Auto Scaling end the instance. Nobody takes these flows over.
 */
#ifndef NATXDP_AGENT_SOLO_H
#define NATXDP_AGENT_SOLO_H

#include <stdbool.h>
#include <stdint.h>

struct agent;
struct cJSON;
struct err;
struct solo;

/* Opens sockets, so with the rights for that. NULL with @err written on failure. */
struct solo *solo_start(struct agent *agent, struct err *err);
void solo_stop(struct solo *solo);

void solo_status(const struct solo *solo, struct cJSON *object);

/* When a node that drains may go. Times in ms, of one clock. */
struct solo_rule {
	int64_t quiet; /* without a flow for so long: the load balancer has noticed, too */
	int64_t bound; /* since the drain began: then the flows that are left are given up */
};

struct solo_progress {
	int64_t since;	     /* the drain began; 0: none is going on */
	int64_t quiet_since; /* there is no flow; 0: there are some, or nobody knows */
	bool drained;	     /* and stays so until the drain is taken back */
	bool late;	     /* because of the bound */
};

/* @flows: left, negative: not known just now. Pure. */
void solo_advance(struct solo_progress *progress, const struct solo_rule *rule, bool draining,
		  int64_t flows, int64_t now);

#endif
