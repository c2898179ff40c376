/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The heaviest of very many keys in bounded memory: space-saving (Metwally,
 * Agrawal, El Abbadi 2005), in sets of a few counters, so that an addition
 * looks at one set. A new key takes the place of the lightest of its set and
 * inherits its weight: so no weight is too low, and `error` says by how much
 * it may be too high.
 */
#ifndef NATXDP_SKETCH_H
#define NATXDP_SKETCH_H

#include <stdint.h>

enum { SKETCH_SETS = 512, SKETCH_WAYS = 8, SKETCH_TOP_MAX = 100 };

struct sketch_item {
	uint64_t key; /* never 0: 0 is a free counter */
	uint64_t weight;
	uint64_t error;
	uint64_t packets; /* since the key took the counter */
};

struct sketch {
	struct sketch_item item[SKETCH_SETS][SKETCH_WAYS];
	uint64_t total; /* weight of all keys */
};

void sketch_clear(struct sketch *sketch);
void sketch_add(struct sketch *sketch, uint64_t key, uint64_t weight, uint64_t packets);

/* The heaviest ones, the heaviest first. Returns how many. */
unsigned int sketch_top(const struct sketch *sketch, struct sketch_item *top, unsigned int max);

#endif
