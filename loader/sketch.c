/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "sketch.h"

#include <string.h>

void sketch_clear(struct sketch *sketch)
{
	memset(sketch, 0, sizeof(*sketch));
}

static uint32_t set_of(uint64_t key)
{
	key *= 0xd6e8feb86659fd93ull;
	return (key >> 40) % SKETCH_SETS;
}

void sketch_add(struct sketch *sketch, uint64_t key, uint64_t weight, uint64_t packets)
{
	struct sketch_item *set = sketch->item[set_of(key)], *lightest = set;

	sketch->total += weight;
	for (int way = 0; way < SKETCH_WAYS; way++) {
		if (set[way].key == key) {
			set[way].weight += weight;
			set[way].packets += packets;
			return;
		}
		if (set[way].weight < lightest->weight)
			lightest = &set[way];
	}
	lightest->key = key;
	lightest->error = lightest->weight;
	lightest->weight += weight;
	lightest->packets = packets;
}

/* @top is in order and has room for one more. */
static void insert(struct sketch_item *top, unsigned int count, const struct sketch_item *item)
{
	unsigned int at = count;

	while (at && top[at - 1].weight < item->weight) {
		top[at] = top[at - 1];
		at--;
	}
	top[at] = *item;
}

unsigned int sketch_top(const struct sketch *sketch, struct sketch_item *top, unsigned int max)
{
	const struct sketch_item *item = &sketch->item[0][0];
	unsigned int count = 0;

	for (int i = 0; max && i < SKETCH_SETS * SKETCH_WAYS; i++, item++) {
		if (!item->key || !item->weight)
			continue;
		if (count < max)
			insert(top, count++, item);
		else if (item->weight > top[max - 1].weight)
			insert(top, max - 1, item);
	}
	return count;
}
