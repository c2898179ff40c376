/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A NAT between two veth ends, and what makes and counts its packets there.
 * The calling process is in the network namespace of the ends.
 */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stdint.h>

#include "flows.h"

struct bpf_link;
struct path_bpf;

enum { PEERS_MAX = 8, PEER_LINKS = 4 };

struct peer {
	char name[32];	    /* as selftests/bench/steps.py has them */
	uint32_t inside;    /* the ends' interfaces: inside hosts, */
	uint32_t outside;   /* and the rest of the world; the same if one-armed */
	uint32_t room;	    /* for draws */
	uint32_t sink;	    /* the one at which packets come out in this direction */
	uint32_t generator; /* and in */
	struct path_bpf *bpf;
	struct tuple *draws;
	struct tuple *outcomes;
	struct bpf_link *links[PEER_LINKS];
};

/*
 * @name, with ends g-NAME and s-NAME, or g-NAME alone. @netns: the path of
 * its namespace, where the bare one gets its programs.
 */
void peer_open(struct peer *p, const char *name, const char *netns, uint32_t flows, uint32_t draws);
void peer_close(struct peer *p);

/* From now on packets go from the inside out, or from the outside in. */
void peer_direction(struct peer *p, int inbound);

/* Where in the draws the next packet is taken. */
void peer_range(struct peer *p, uint32_t begin, uint32_t end);

/*
 * Sends @packets. Returns the nanoseconds for each that came through in that
 * time, and in @arrived how many came through in the end.
 */
double peer_send(struct peer *p, uint32_t packets, uint64_t *arrived);

/*
 * Sends each flow until it has come through once. Returns how many did not;
 * then @answers[i] is what answers the flow, as the other side saw it.
 */
uint32_t peer_prime(struct peer *p, const struct tuple *flows, struct tuple *answers,
		    uint32_t count);

#endif
