/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A fleet in a box: nodes that run the failover policy, a network that loses and
 * delays, a lease table and an API that are slow, out of reach, or leave it open
 * whether a call was done. Time is simulated, chance comes from a seed.
 */
#ifndef NATXDP_FLEET_H
#define NATXDP_FLEET_H

#include "ha/policy.h"

enum {
	FLEET_MESSAGES = 256,
	FLEET_CALLS = 256,
	FLEET_STEP = 10,      /* ms */
	FLEET_INTERVAL = 200, /* heartbeats */
	FLEET_SILENCE = 1000,
	FLEET_DAMPING = 20000,
};

struct fleet_node {
	struct policy policy;
	bool host; /* its kernel and data plane are there */
	bool agent;
	int64_t stopped_until; /* the process: no steps, but it is not dead */
	bool aws;
	bool ill;
	bool draining;
	int64_t beat_due, tick_due;
	int64_t able_since; /* agent, AWS and data path are well since */
	uint64_t incarnation;
};

struct fleet_message {
	int64_t at;
	uint8_t from, to;
	bool pong;
	struct policy_beat beat;
};

enum fleet_call_kind { CALL_READ, CALL_CLAIM, CALL_WITNESS, CALL_SET, CALL_VERIFY, CALL_AUDIT };

struct fleet_call {
	int64_t at, answer_at;
	enum fleet_call_kind kind;
	bool applied, fails;
	uint8_t node, zone, what; /* of CALL_SET: 0 routes, 1 addresses */
	uint64_t incarnation, epoch;
	enum policy_reason reason;
	struct policy_lease lease; /* expected; then the answer */
	struct policy_event answer;
};

struct fleet {
	uint64_t random;
	int64_t now;
	unsigned int nodes;
	struct fleet_node node[POLICY_NODES];
	bool cut[POLICY_NODES][POLICY_NODES]; /* from, to */
	unsigned int loss;		      /* of 1000 */
	unsigned int delay, api;	      /* ms at most */
	unsigned int vague;		      /* of 1000 calls: done or not, the answer is lost */
	struct policy_lease lease[POLICY_ZONES];
	uint8_t holder[POLICY_ZONES][2];
	unsigned int message_count, call_count;
	struct fleet_message message[FLEET_MESSAGES];
	struct fleet_call call[FLEET_CALLS];
	/* what was seen */
	unsigned int changes[POLICY_ZONES], claims, sets, witnesses, needless;
	int64_t changed[POLICY_ZONES];
	bool verbose;
};

void fleet_init(struct fleet *fleet, unsigned int nodes, uint64_t seed);
void fleet_run(struct fleet *fleet, int64_t ms);
uint32_t fleet_random(struct fleet *fleet, uint32_t below);

void fleet_crash(struct fleet *fleet, unsigned int node); /* the host, or what is left of it */
void fleet_start(struct fleet *fleet, unsigned int node); /* host and agent */
void fleet_kill_agent(struct fleet *fleet, unsigned int node);
void fleet_isolate(struct fleet *fleet, unsigned int node, bool cut); /* from all its peers */
void fleet_event(struct fleet *fleet, unsigned int node, const struct policy_event *event);

/* Every zone is owned by a node that could do it, which has its routes and addresses. */
bool fleet_is_well(const struct fleet *fleet);

#endif
