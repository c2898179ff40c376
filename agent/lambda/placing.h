/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Where the routes and Elastic IPs of a zone are, and putting them to a node:
 * only what is not there already is called for, and all of it is looked at again.
 */
#ifndef NATXDP_LAMBDA_PLACING_H
#define NATXDP_LAMBDA_PLACING_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

struct job;

/* Is it still right to go on? Asked before each call; 0: no. */
typedef bool (*placing_fence)(void *ctx);

struct placing {
	const char *zone;
	const char *node;
	bool dry_run;
	bool routes;	     /* else the addresses only */
	placing_fence fence; /* NULL: none is needed */
	void *ctx;
	/* results */
	unsigned int wrong; /* that were not where they belong, at the last look */
	unsigned int moved;
	cJSON *steps; /* owned: [{"action", "what", "before", "after"}] */
};

/* Returns 0 or job_failure(). */
int placing_run(struct job *job, struct placing *placing);

/* {interface of @node}, or NULL: the setup has none. */
const char *placing_interface(const struct job *job, const char *node);

#endif
