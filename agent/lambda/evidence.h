/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is known of a node's egress, and what follows from it. */
#ifndef NATXDP_LAMBDA_EVIDENCE_H
#define NATXDP_LAMBDA_EVIDENCE_H

#include <stdbool.h>

enum opinion { OPINION_NONE, OPINION_WELL, OPINION_ILL };

struct evidence {
	enum opinion agent;  /* /healthz of the agent: its data path is proven */
	enum opinion target; /* the load balancer's health check */
	enum opinion path;   /* natxdp verify on the node: a packet got through the program */
	unsigned int asked;  /* targets tried from the node itself; 0: not known */
	unsigned int reached;
	double latency_ms; /* to connect, the median of those reached */
	bool alive;	   /* its kernel refuses connections to the agent: only the agent is dead */
};

enum verdict {
	VERDICT_UNKNOWN, /* publish nothing: an alarm must not go off, nor end */
	VERDICT_REACHES,
	VERDICT_CUT_OFF,
};

/*
 * The node's own attempts count: its data path must be proven, for these go
 * around it, and most of the targets must be reached: one alone may be down
 * itself. Where they are not known (SSM does not answer), a
 * node is cut off if two others say that it is ill, or the agent does not even
 * answer and nobody says well; else nothing is known. Nor where the kernel answers for
 * a dead agent: the data plane needs none. *@percent: of the targets.
 */
enum verdict evidence_judge(const struct evidence *evidence, double *percent);

/*
 * Reads what the document reach prints: lines "host:port SECONDS", 0 if it was
 * not reached, and "natxdp STATUS", the exit status of natxdp verify. Fills path, asked,
 * reached and latency_ms; other lines are left out. @expected: how many targets
 * there should be.
 */
void evidence_read(struct evidence *evidence, const char *output, unsigned int expected);

#endif
