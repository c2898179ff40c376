/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Keys, their homes in the table, and its size. */
#include "unit.h"

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

		assert_int_equal(geometry_buckets(&g), g.groups * NATXDP_GROUP_BUCKETS);
		assert_true(g.groups >= 2 && fill <= 0.96 && fill > 0.90);
	}
}

/* The tags of a table, as the data plane keeps them. */
struct model {
	struct natxdp_geometry g;
	struct natxdp_tags *tags;
};

static struct model model_for(uint32_t max_flows)
{
	struct model m = { .g = geometry_for(max_flows) };

	m.tags = calloc(m.g.groups, sizeof(*m.tags));
	assert_non_null(m.tags);
	return m;
}

/* The slot of a group that a key gets, as slot_take() of the data plane has it. */
static uint32_t free_slot(const struct natxdp_tags *tags, uint32_t start)
{
	for (unsigned int i = 0; i < NATXDP_GROUP_BUCKETS; i++) {
		uint32_t at = (start / NATXDP_WAYS + i) % NATXDP_GROUP_BUCKETS;
		uint64_t free = natxdp_tags_free(tags->word[at]);
		uint32_t way = start % NATXDP_WAYS;

		if (!free)
			continue;
		way += natxdp_tags_first(natxdp_tags_turn(free, way));
		return at * NATXDP_WAYS + way % NATXDP_WAYS;
	}
	return NATXDP_SLOT_NONE;
}

/* Puts a key where the data plane would. NATXDP_SLOT_NONE if both its groups are full. */
static uint32_t put(struct model *m, const struct natxdp_key *key)
{
	struct natxdp_home home;
	uint32_t group, used, slot;

	natxdp_home(&m->g, key, &home);
	group = home.group[0];
	used = natxdp_tags_used(&m->tags[group]);
	if (used >= NATXDP_FIRST_CHOICE && natxdp_tags_used(&m->tags[home.group[1]]) < used)
		group = home.group[1];
	slot = free_slot(&m->tags[group], home.slot);
	if (slot == NATXDP_SLOT_NONE)
		return slot;
	m->tags[group].word[slot / NATXDP_WAYS] |= (uint64_t)home.tag << slot % NATXDP_WAYS * 8;
	return group * NATXDP_GROUP_SLOTS + slot;
}

static void take_out(struct model *m, uint32_t slot)
{
	__u64 *word =
		&m->tags[slot / NATXDP_GROUP_SLOTS].word[slot / NATXDP_WAYS % NATXDP_GROUP_BUCKETS];

	*word &= ~(0xffull << slot % NATXDP_WAYS * 8);
}

/* Flow @n as a few clients of two servers make them: consecutive ports, one external address. */
static void keys_of_flow(uint32_t n, struct natxdp_key *out, struct natxdp_key *in)
{
	*out = udp_key(n);
	out->daddr += htonl(n & 1);
	*in = *out;
	in->saddr = out->daddr;
	in->daddr = htonl(0xcb007101);
	in->sport = htons(53 + n / 118000);
	in->dport = htons(1024 + n / 2 % 59000);
}

/* One client of one server: nothing but the source port differs. */
static void keys_of_port(uint32_t n, struct natxdp_key *out, struct natxdp_key *in)
{
	*out = udp_key(0);
	out->sport = htons(n);
	out->dport = htons(443 + n / 65536);
	*in = *out;
	in->saddr = out->daddr;
	in->daddr = htonl(0xcb007101);
	in->sport = out->dport;
	in->dport = out->sport;
}

typedef void make_keys(uint32_t n, struct natxdp_key *out, struct natxdp_key *in);

/* All flows at once, and then each of them ends @rounds times and another one comes for it. */
static void fill_and_churn(uint32_t flows, unsigned int rounds, make_keys *keys)
{
	struct model m = model_for(flows);
	uint32_t *slots = calloc(flows, 2 * sizeof(*slots)), n = 0;
	struct natxdp_key out, in;

	assert_non_null(slots);
	for (uint64_t i = 0; i < (uint64_t)flows * (rounds + 1); i++, n++) {
		uint32_t at = i < flows ? i : (uint64_t)random() * flows >> 31;

		if (i >= flows) {
			take_out(&m, slots[2 * at]);
			take_out(&m, slots[2 * at + 1]);
		}
		keys(n, &out, &in);
		slots[2 * at] = put(&m, &out);
		slots[2 * at + 1] = put(&m, &in);
		assert_int_not_equal(slots[2 * at], NATXDP_SLOT_NONE);
		assert_int_not_equal(slots[2 * at + 1], NATXDP_SLOT_NONE);
	}
	free(slots);
	free(m.tags);
}

/* Each with a hash key of its own. */
static void max_flows_fit(void **state)
{
	static const uint32_t sizes[] = { 1024, 5000, 20000, 100000, 262144 };

	(void)state;
	for (unsigned int i = 0; i < COUNT_OF(sizes); i++) {
		for (int seed = 0; seed < 4; seed++) {
			fill_and_churn(sizes[i], 4, keys_of_flow);
			fill_and_churn(sizes[i], 1, keys_of_port);
		}
	}
	fill_and_churn(2000000, 0, keys_of_flow);
}

static void keys_are_drawn_anew(void **state)
{
	struct natxdp_geometry a = geometry_for(1024), b = geometry_for(1024);

	(void)state;
	assert_memory_not_equal(a.hash_key, b.hash_key, sizeof(a.hash_key));
}

static void homes_are_in_the_table(void **state)
{
	struct natxdp_geometry sizes[] = { geometry_for(262144), { .groups = 2 } };
	struct natxdp_home home;
	struct natxdp_key key;

	(void)state;
	for (uint32_t i = 0; i < 200000; i++) {
		const struct natxdp_geometry *g = &sizes[i & 1];

		key = udp_key(i);
		natxdp_home(g, &key, &home);
		assert_true(home.group[0] < g->groups && home.group[1] < g->groups);
		assert_int_not_equal(home.group[0], home.group[1]);
		assert_in_range(home.slot, 0, NATXDP_GROUP_SLOTS - 1);
		assert_in_range(home.stripe, 0, NATXDP_STRIPES - 1);
		assert_in_range(home.tag, 1, 255);
	}
}

/* Against the same done byte by byte. */
static void words_of_tags_are_read_rightly(void **state)
{
	(void)state;
	for (int round = 0; round < 100000; round++) {
		uint8_t byte[NATXDP_WAYS], tag = 1 + random() % 3;
		int first_free = -1, first_equal = -1;
		uint64_t word = 0, free, equal;

		for (int way = NATXDP_WAYS - 1; way >= 0; way--) {
			byte[way] = random() % 4 ? random() % 4 : random();
			word = word << 8 | byte[way];
			first_free = byte[way] ? first_free : way;
			first_equal = byte[way] == tag ? way : first_equal;
		}
		free = natxdp_tags_free(word);
		equal = natxdp_tags_equal(word, tag * NATXDP_TAG_ONES);
		for (int way = 0; way < NATXDP_WAYS; way++) {
			assert_int_equal(free >> way * 8 & 0xff, byte[way] ? 0 : 0x80);
			if (byte[way] == tag)
				assert_int_equal(equal >> way * 8 & 0xff, 0x80);
			assert_int_equal(natxdp_tags_turn(word, way) & 0xff, byte[way]);
		}
		assert_int_equal(!equal, first_equal < 0);
		if (equal)
			assert_int_equal(natxdp_tags_first(equal), first_equal);
		if (free)
			assert_int_equal(natxdp_tags_first(free), first_free);
	}
}

static void used_tags_are_counted(void **state)
{
	struct natxdp_tags tags = { 0 };

	(void)state;
	assert_int_equal(natxdp_tags_used(&tags), 0);
	for (uint32_t n = 0; n < NATXDP_GROUP_SLOTS; n++) {
		((uint8_t *)tags.word)[n * 37 % NATXDP_GROUP_SLOTS] = 1 + n % 255;
		assert_int_equal(natxdp_tags_used(&tags), n + 1);
	}
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
		cmocka_unit_test(homes_are_in_the_table),
		cmocka_unit_test(words_of_tags_are_read_rightly),
		cmocka_unit_test(used_tags_are_counted),
		cmocka_unit_test(the_reverse_of_the_reverse_is_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
