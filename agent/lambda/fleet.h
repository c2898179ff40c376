/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Instances of the NAT: its nodes (natxdp:module = nat), its probes (= probes), what is ephemeral. */
#ifndef NATXDP_LAMBDA_FLEET_H
#define NATXDP_LAMBDA_FLEET_H

#include <stdbool.h>
#include <stddef.h>

struct job;

enum {
	FLEET_NODES_MAX = 128,
	FLEET_ID_MAX = 32,
	FLEET_NAME_MAX = 64,
};

struct node {
	char id[FLEET_ID_MAX];	   /* of the instance */
	char name[FLEET_NAME_MAX]; /* tag natxdp:node; several in gwlb mode */
	char zone[FLEET_NAME_MAX];
	char state[FLEET_ID_MAX];   /* "running", "stopping", ... */
	char address[FLEET_ID_MAX]; /* private, the primary one */
	char interface[FLEET_ID_MAX];
	char launched[FLEET_ID_MAX]; /* ISO 8601 */
	bool isolated;		     /* tag natxdp:quarantine */
};

struct fleet {
	unsigned int count;
	struct node node[FLEET_NODES_MAX];
};

/*
 * Reads all instances of the NAT that are not terminated and bear @tag = @value, ordered
 * by name and id. Returns 0 or job_failure().
 */
int fleet_read(struct job *job, const char *tag, const char *value, struct fleet *fleet);

/* Leaves those that run. */
void fleet_keep_running(struct fleet *fleet);

struct node *fleet_find(struct fleet *fleet, const char *instance);

#endif
