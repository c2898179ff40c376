/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Keys, their homes in the table, and its size. */
#include "unit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "geometry.h"

static struct natxdp_geometry geometry_for(uint32_t max_flows)
{
	struct natxdp_geometry geometry = { 0 };

	geometry_size(&geometry, max_flows);
	assert_int_equal(geometry_draw_key(&geometry), 0);
	return geometry;
}

static struct natxdp_key udp_key(uint32_t n)
{
	struct natxdp_key key = { 0 };

	key.saddr = htonl(0x0a000000 + n / 50000);
	key.daddr = htonl(0xc0000201);
	key.sport = htons(1024 + n % 50000);
	key.dport = htons(53);
	key.proto = IPPROTO_UDP;
	return key;
}

static void the_table_has_room_for_what_it_was_asked_for(void **state)
{
	static const uint32_t sizes[] = { 1024, 5000, 262144, 1000000, 16777216 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		struct natxdp_geometry g = geometry_for(sizes[i]);
		double fill = 2.0 * sizes[i] / (geometry_buckets(&g) * (double)NATXDP_WAYS);

		assert_int_equal(g.stripes & (g.stripes - 1), 0);
		assert_in_range(g.stripes, 1, NATXDP_STRIPES_MAX);
		assert_true(fill <= 0.55 && fill > 0.35);
		assert_true(geometry_due_groups(&g) * NATXDP_DUE_GROUP >= geometry_buckets(&g));
		assert_true((geometry_due_groups(&g) - 1) * NATXDP_DUE_GROUP <
			    geometry_buckets(&g));
	}
}

/* Puts a key where the data plane would. False if both its buckets are full. */
static bool put(uint8_t *used, const struct natxdp_geometry *g, const struct natxdp_key *key)
{
	struct natxdp_home home;
	uint32_t bucket;

	natxdp_home(g, key, &home);
	bucket = home.bucket[0];
	if (used[bucket] >= NATXDP_FIRST_BUCKET && used[home.bucket[1]] < used[bucket])
		bucket = home.bucket[1];
	return used[bucket]++ < NATXDP_WAYS;
}

/* Flows as a few clients of two servers make them: consecutive ports, one external address. */
static void max_flows_fit(void **state)
{
	static const uint32_t sizes[] = { 1024, 5000, 20000, 100000, 262144 };

	(void)state;
	for (unsigned int i = 0; i < 4 * COUNT_OF(sizes); i++) {
		uint32_t flows = sizes[i / 4];
		struct natxdp_geometry g = geometry_for(flows);
		uint8_t *used = calloc(geometry_buckets(&g), 1);

		for (uint32_t n = 0; n < flows; n++) {
			struct natxdp_key out = udp_key(n), in = out;

			out.daddr += htonl(n & 1);
			in.saddr = out.daddr;
			in.daddr = htonl(0xcb007101);
			in.sport = out.dport;
			in.dport = htons(1024 + n / 2 % 59000);
			in.sport = htons(53 + n / 118000);
			assert_true(put(used, &g, &out));
			assert_true(put(used, &g, &in));
		}
		free(used);
	}
}

static void keys_are_drawn_anew(void **state)
{
	struct natxdp_geometry a = geometry_for(1024), b = geometry_for(1024);

	(void)state;
	assert_memory_not_equal(a.hash_key, b.hash_key, sizeof(a.hash_key));
}

static void both_homes_are_in_one_stripe(void **state)
{
	struct natxdp_geometry g = geometry_for(262144);
	struct natxdp_home home;
	struct natxdp_key key;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		key = udp_key(i);
		natxdp_home(&g, &key, &home);
		assert_true(home.stripe < g.stripes && home.way < NATXDP_WAYS);
		for (int choice = 0; choice < NATXDP_CHOICES; choice++) {
			assert_true(home.bucket[choice] < geometry_buckets(&g));
			assert_int_equal(home.bucket[choice] & (g.stripes - 1), home.stripe);
		}
	}
}

/*
 * Consecutive ports of few hosts are what real traffic looks like. At the load
 * of a full max_flows the better of two buckets must have room for nearly all.
 */
static void consecutive_ports_spread(void **state)
{
	struct natxdp_geometry g = geometry_for(262144);
	unsigned char *used = calloc(geometry_buckets(&g), 1);
	struct natxdp_home home;
	struct natxdp_key key;
	uint32_t full = 0;

	(void)state;
	for (uint32_t i = 0; i < 2 * 262144; i++) {
		uint32_t *b = home.bucket;

		key = udp_key(i);
		natxdp_home(&g, &key, &home);
		if (used[b[1]] < used[b[0]])
			b[0] = b[1];
		if (used[b[0]] == NATXDP_WAYS)
			full++;
		else
			used[b[0]]++;
	}
	free(used);
	assert_true(full < 10);
}

static void the_reverse_of_the_reverse_is_the_key(void **state)
{
	struct natxdp_flow out = { 0 }, in = { 0 };
	struct natxdp_key back;

	(void)state;
	for (int side = NATXDP_SIDE_SINGLE; side <= NATXDP_SIDE_OUTSIDE; side++) {
		out.key = udp_key(7);
		out.key.side = side;
		out.new_saddr = htonl(0xcb007101);
		out.new_sport = htons(40000);
		out.new_daddr = out.key.daddr;
		out.new_dport = out.key.dport;
		natxdp_reverse_key(&out, &in.key);
		assert_int_equal(in.key.saddr, out.key.daddr);
		assert_int_equal(in.key.daddr, htonl(0xcb007101));
		assert_int_equal(in.key.dport, htons(40000));
		assert_int_equal(in.key.side, side == 1 ? 2 : side == 2 ? 1 : 0);
		in.new_saddr = in.key.saddr;
		in.new_sport = in.key.sport;
		in.new_daddr = out.key.saddr;
		in.new_dport = out.key.sport;
		natxdp_reverse_key(&in, &back);
		assert_memory_equal(&back, &out.key, sizeof(back));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_has_room_for_what_it_was_asked_for),
		cmocka_unit_test(max_flows_fit),
		cmocka_unit_test(keys_are_drawn_anew),
		cmocka_unit_test(both_homes_are_in_one_stripe),
		cmocka_unit_test(consecutive_ports_spread),
		cmocka_unit_test(the_reverse_of_the_reverse_is_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
