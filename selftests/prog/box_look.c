/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Looking into the table of a box, and waiting for what its timer does. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "box.h"

enum hook box_hook = HOOK_XDP;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

struct natxdp_key box_key(enum box_side side, uint8_t proto, uint32_t saddr, uint16_t sport,
			  uint32_t daddr, uint16_t dport)
{
	return (struct natxdp_key){ .saddr = htonl(saddr),
				    .daddr = htonl(daddr),
				    .sport = htons(sport),
				    .dport = htons(dport),
				    .proto = proto,
				    .side = (uint8_t)side };
}

bool box_flow(struct box *box, const struct natxdp_key *key, struct natxdp_flow *flow)
{
	unsigned int b, w, found = 0, buckets;
	const struct natxdp_bucket *table = box_table(box, &buckets);

	for (b = 0; b < buckets; b++)
		for (w = 0; w < NATXDP_WAYS; w++)
			if (!memcmp(&table[b].way[w].key, key, sizeof(*key))) {
				*flow = table[b].way[w];
				found++;
			}
	assert_in_range(found, 0, 1);
	return found;
}

void box_count(struct box *box, unsigned int *live, unsigned int *dead)
{
	unsigned int b, w, buckets;
	const struct natxdp_bucket *table = box_table(box, &buckets);

	*live = 0;
	*dead = 0;
	for (b = 0; b < buckets; b++)
		for (w = 0; w < NATXDP_WAYS; w++) {
			uint8_t proto = table[b].way[w].key.proto;

			*dead += proto == NATXDP_PROTO_DEAD;
			*live += proto != NATXDP_PROTO_DEAD && proto != NATXDP_PROTO_FREE;
		}
}

unsigned int box_effort(unsigned int full)
{
	const char *percent = getenv("NATXDP_TEST_EFFORT");

	if (box_hook == HOOK_TC) /* the arithmetic is that of XDP */
		full /= 8;
	return percent ? full * strtoul(percent, NULL, 10) / 100 : full;
}

bool box_wait(struct box *box, unsigned int live, double seconds)
{
	double until = now() + seconds;
	unsigned int l, d;

	do {
		box_count(box, &l, &d);
		if (l == live && !d)
			return true;
		usleep(10000);
	} while (now() < until);
	return false;
}

void box_next_tick(void)
{
	uint32_t start = now() * 1e9 / (1 << NATXDP_TICK_SHIFT);

	/* two: the data plane's clock is coarse and lags by some milliseconds */
	while ((uint32_t)(now() * 1e9 / (1 << NATXDP_TICK_SHIFT)) < start + 2)
		usleep(1000);
}

int box_run_both(const char *group, const struct CMUnitTest *tests, size_t count)
{
	struct CMUnitTest *at_tc = calloc(count, sizeof(*at_tc));
	char(*names)[96] = calloc(count, sizeof(*names));
	int failed;
	size_t i;

	for (i = 0; i < count; i++) {
		snprintf(names[i], sizeof(*names), "%s_at_tc", tests[i].name);
		at_tc[i] = tests[i];
		at_tc[i].name = names[i];
	}
	failed = _cmocka_run_group_tests(group, tests, count, NULL, NULL);
	box_hook = HOOK_TC;
	failed += _cmocka_run_group_tests(group, at_tc, count, NULL, NULL);
	box_hook = HOOK_XDP;
	free(at_tc);
	free(names);
	return failed;
}
