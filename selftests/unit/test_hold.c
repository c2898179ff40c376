/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What is kept of the fragments that come too early, and who goes first. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include <natxdp/flow.h>

#include "hold.h"

enum { FRAME_LEN = 1514, LARGE_LEN = 9014, SENT_MAX = 64 };

#define START (1000000 * HOLD_MS)

struct arrival {
	uint32_t sender;
	uint16_t id;
	uint16_t offset;
	uint32_t len;
	uint8_t side;
	uint32_t at; /* ms after START */
};

struct scene {
	struct hold_counters counters;
	struct hold *hold;
	unsigned int sent;
	uint16_t sent_offset[SENT_MAX];
	int result; /* of sending */
};

static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	assert_non_null(scene);
	scene->hold = hold_new(&scene->counters);
	assert_non_null(scene->hold);
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	hold_free(scene->hold);
	free(scene);
	return 0;
}

static void arrive(struct scene *scene, const struct arrival *arrival)
{
	const struct natxdp_held held = {
		.ifindex = 7,
		.len = arrival->len,
		.saddr = arrival->sender,
		.daddr = 99,
		.id = arrival->id,
		.proto = IPPROTO_UDP,
		.side = arrival->side,
	};
	uint8_t frame[UINT16_MAX + 1] = { 0 };

	frame[20] = 0x20 | arrival->offset >> 8; /* more fragments follow */
	frame[21] = arrival->offset;
	hold_add(scene->hold, &held, frame, START + arrival->at * HOLD_MS);
}

static struct arrival fragment(uint32_t sender, uint16_t id, uint16_t offset, uint32_t at)
{
	return (struct arrival){ sender, id, offset, FRAME_LEN, NATXDP_SIDE_INSIDE, at };
}

static void arrive_now(struct scene *scene, uint32_t sender, uint16_t id, uint16_t offset,
		       uint32_t at)
{
	const struct arrival arrival = fragment(sender, id, offset, at);

	arrive(scene, &arrival);
}

static struct hold_datagram *find(struct scene *scene, uint32_t sender, uint16_t id)
{
	struct hold_datagram *datagram = NULL;

	while ((datagram = hold_next(scene->hold, datagram, UINT64_MAX))) {
		if (datagram->key.saddr == sender && datagram->key.id == id)
			return datagram;
	}
	return NULL;
}

static unsigned int count_of(struct scene *scene, uint32_t sender)
{
	struct hold_datagram *datagram = NULL;
	unsigned int count = 0;

	while ((datagram = hold_next(scene->hold, datagram, UINT64_MAX))) {
		if (datagram->key.saddr == sender)
			count += datagram->count;
	}
	return count;
}

static int take(const struct hold_datagram *datagram, const struct hold_fragment *sent, void *data)
{
	struct scene *scene = data;

	assert_int_equal(datagram->ifindex, 7);
	assert_true(scene->sent < SENT_MAX);
	scene->sent_offset[scene->sent++] = sent->offset;
	return scene->result;
}

static void release(struct scene *scene, uint32_t sender, uint16_t id, uint32_t at)
{
	struct hold_datagram *datagram = find(scene, sender, id);

	assert_non_null(datagram);
	scene->sent = 0;
	hold_release(scene->hold, datagram, START + at * HOLD_MS, take, scene);
}

static void they_leave_in_order(void **state)
{
	static const struct {
		uint16_t come[5], leave[5];
		unsigned int come_count, leave_count;
	} cases[] = {
		{ { 185 }, { 185 }, 1, 1 },
		{ { 185, 370, 555 }, { 185, 370, 555 }, 3, 3 },
		{ { 555, 370, 185 }, { 185, 370, 555 }, 3, 3 },
		{ { 370, 8000, 185, 555 }, { 185, 370, 555, 8000 }, 4, 4 },
		/* what comes twice is held once */
		{ { 370, 185, 370, 185, 185 }, { 185, 370 }, 5, 2 },
	};
	struct scene *scene = *state;

	for (uint16_t i = 0; i < COUNT_OF(cases); i++) {
		uint64_t refused = scene->counters.refused;

		for (unsigned int j = 0; j < cases[i].come_count; j++)
			arrive_now(scene, 1, i, cases[i].come[j], 0);
		release(scene, 1, i, 2);
		assert_int_equal(scene->sent, cases[i].leave_count);
		assert_memory_equal(scene->sent_offset, cases[i].leave,
				    scene->sent * sizeof(*scene->sent_offset));
		assert_int_equal(scene->counters.refused - refused,
				 cases[i].come_count - cases[i].leave_count);
		assert_true(hold_is_empty(scene->hold));
	}
	assert_int_equal(scene->counters.sent_on, scene->counters.held);
}

static void an_overlap_is_not_judged_here(void **state)
{
	struct scene *scene = *state;
	struct arrival shorter = fragment(1, 1, 185, 0);

	shorter.len -= 100;
	arrive_now(scene, 1, 1, 185, 0);
	arrive(scene, &shorter);
	release(scene, 1, 1, 2);
	assert_int_equal(scene->sent, 2);
}

static void a_datagram_is_its_key(void **state)
{
	static const struct arrival others[] = {
		{ 2, 1, 185, FRAME_LEN, NATXDP_SIDE_INSIDE, 0 },
		{ 1, 2, 185, FRAME_LEN, NATXDP_SIDE_INSIDE, 0 },
		{ 1, 1, 185, FRAME_LEN, NATXDP_SIDE_OUTSIDE, 0 },
	};
	struct scene *scene = *state;
	struct hold_datagram *datagram = NULL;
	unsigned int count = 0;

	arrive_now(scene, 1, 1, 185, 0);
	for (unsigned int i = 0; i < COUNT_OF(others); i++)
		arrive(scene, &others[i]);
	while ((datagram = hold_next(scene->hold, datagram, START))) {
		assert_int_equal(datagram->count, 1);
		count++;
	}
	assert_int_equal(count, 1 + COUNT_OF(others));
}

static void what_has_no_room_is_refused(void **state)
{
	static const struct {
		uint32_t len;
		bool held;
	} cases[] = {
		{ 0, false },	       { HOLD_FRAME_MIN - 1, false }, { HOLD_FRAME_MIN, true },
		{ LARGE_LEN, true },   { UINT16_MAX, true },	      { UINT16_MAX + 1, false },
		{ UINT32_MAX, false },
	};
	struct scene *scene = *state;

	for (uint16_t i = 0; i < COUNT_OF(cases); i++) {
		struct arrival arrival = fragment(1, i, 185, 0);

		arrival.len = cases[i].len;
		if (arrival.len > UINT16_MAX + 1)
			arrival.len = UINT16_MAX + 1;
		arrive(scene, &arrival);
		assert_int_equal(!!find(scene, 1, i), cases[i].held);
	}
	assert_int_equal(scene->counters.held + scene->counters.refused, COUNT_OF(cases));
}

static void a_datagram_has_so_many_fragments(void **state)
{
	struct scene *scene = *state;

	for (uint16_t i = 1; i <= HOLD_DATAGRAM_FRAGMENTS + 3; i++)
		arrive_now(scene, 1, 1, i * 185, 0);
	assert_int_equal(find(scene, 1, 1)->count, HOLD_DATAGRAM_FRAGMENTS);
	assert_int_equal(scene->counters.held, HOLD_DATAGRAM_FRAGMENTS);
	assert_int_equal(scene->counters.refused, 3);
}

static void all_of_it_is_bounded(void **state)
{
	static const struct {
		uint32_t len, most;
	} cases[] = {
		{ 60, HOLD_FRAGMENTS },
		{ FRAME_LEN, HOLD_FRAGMENTS },
		{ LARGE_LEN, HOLD_BYTES / LARGE_LEN },
		{ UINT16_MAX, HOLD_BYTES / UINT16_MAX },
	};
	struct scene *scene = *state;

	for (unsigned int i = 0; i < COUNT_OF(cases); i++) {
		for (uint32_t j = 0; j < 3 * HOLD_FRAGMENTS; j++) {
			struct arrival arrival = fragment(100 + i, j, 185, 10000 * i + j);

			arrival.len = cases[i].len;
			arrive(scene, &arrival);
			if (!j)
				hold_expire(scene->hold, START + 10000 * i * HOLD_MS);
		}
		assert_int_equal(count_of(scene, 100 + i), cases[i].most);
		/* the youngest are there */
		assert_non_null(find(scene, 100 + i, 3 * HOLD_FRAGMENTS - 1));
		assert_non_null(find(scene, 100 + i, 3 * HOLD_FRAGMENTS - cases[i].most));
		assert_null(find(scene, 100 + i, 3 * HOLD_FRAGMENTS - cases[i].most - 1));
	}
}

static void a_flood_pushes_out_its_own(void **state)
{
	struct scene *scene = *state;

	for (uint16_t i = 1; i <= 6; i++)
		arrive_now(scene, 1, 1, i * 185, 0);
	for (uint16_t i = 0; i < 5000; i++)
		arrive_now(scene, 2, i, 185, 1);
	for (uint16_t i = 1; i <= 6; i++)
		arrive_now(scene, 3, 1, i * 185, 2);
	assert_int_equal(count_of(scene, 1), 6);
	assert_int_equal(count_of(scene, 2), HOLD_FRAGMENTS - 12);
	assert_int_equal(count_of(scene, 3), 6);
	assert_int_equal(scene->counters.refused, 5000 - (HOLD_FRAGMENTS - 12));
}

static void forged_senders_push_out_their_own_side(void **state)
{
	struct scene *scene = *state;

	for (uint16_t i = 1; i <= 6; i++)
		arrive_now(scene, 1, 1, i * 185, 0);
	for (uint32_t i = 0; i < 5000; i++) {
		struct arrival arrival = fragment(1000 + i, 1, 185, 1);

		arrival.side = NATXDP_SIDE_OUTSIDE;
		arrive(scene, &arrival);
	}
	assert_int_equal(count_of(scene, 1), 6);
	assert_int_equal(count_of(scene, 1000 + 4999), 1);
	assert_int_equal(count_of(scene, 1000), 0);
}

static void waiting_ends(void **state)
{
	struct scene *scene = *state;

	arrive_now(scene, 1, 1, 185, 0);
	arrive_now(scene, 1, 2, 185, 10);
	arrive_now(scene, 1, 1, 370, HOLD_PATIENCE_MS - 1); /* extends nothing */
	hold_expire(scene->hold, START + (HOLD_PATIENCE_MS - 1) * HOLD_MS);
	assert_int_equal(count_of(scene, 1), 3);
	hold_expire(scene->hold, START + HOLD_PATIENCE_MS * HOLD_MS);
	assert_null(find(scene, 1, 1));
	assert_int_equal(count_of(scene, 1), 1);
	assert_int_equal(scene->counters.given_up, 2);
	/* nobody has called for it yet, but what comes now is another datagram */
	arrive_now(scene, 1, 2, 370, 5000);
	assert_int_equal(find(scene, 1, 2)->count, 1);
	assert_int_equal(scene->counters.given_up, 3);
	hold_expire(scene->hold, START + 10000 * HOLD_MS);
	assert_true(hold_is_empty(scene->hold));
}

static void what_comes_back_waits_longer_each_time(void **state)
{
	struct scene *scene = *state;
	uint64_t now = START, before = 0;
	unsigned int tries = 0;

	while (now < START + HOLD_PATIENCE_MS * HOLD_MS) {
		arrive_now(scene, 1, 1, 185, (now - START) / HOLD_MS);
		assert_non_null(find(scene, 1, 1));
		release(scene, 1, 1, (now - START) / HOLD_MS);
		arrive_now(scene, 1, 1, 185, (now - START) / HOLD_MS);
		assert_true(find(scene, 1, 1)->next - now >= 2 * before);
		before = find(scene, 1, 1)->next - now;
		now += before;
		tries++;
	}
	assert_true(tries <= 9);
	hold_expire(scene->hold, now);
	assert_true(hold_is_empty(scene->hold));
	assert_int_equal(scene->counters.given_up, 1);
	assert_true(scene->counters.returned >= tries);
}

static void looks_become_rare(void **state)
{
	struct scene *scene = *state;
	struct hold_datagram *datagram;
	unsigned int looks = 0;

	arrive_now(scene, 1, 1, 185, 0);
	for (uint32_t at = 0; at < HOLD_PATIENCE_MS; at += HOLD_PACE_MS) {
		uint64_t now = START + at * HOLD_MS;

		datagram = hold_next(scene->hold, NULL, now);
		assert_true(datagram || at > 8 * HOLD_PACE_MS);
		if (!datagram)
			continue;
		hold_defer(datagram, now);
		looks++;
	}
	assert_in_range(looks, 30, 60);
}

static void slots_are_used_again(void **state)
{
	struct scene *scene = *state;

	for (uint32_t i = 0; i < 3 * HOLD_FRAGMENTS; i++) {
		arrive_now(scene, i, i, 185, 0);
		release(scene, i, i, 0);
	}
	assert_int_equal(scene->counters.sent_on, 3 * HOLD_FRAGMENTS);
	assert_int_equal(scene->counters.refused, 0);
}

static void what_cannot_be_sent_is_lost(void **state)
{
	struct scene *scene = *state;

	scene->result = -22;
	arrive_now(scene, 1, 1, 185, 0);
	release(scene, 1, 1, 2);
	assert_int_equal(scene->counters.lost, 1);
	assert_int_equal(scene->counters.sent_on, 0);
	assert_true(hold_is_empty(scene->hold));
}

static void an_old_first_one_is_of_another_datagram(void **state)
{
	static const struct {
		int ticks; /* before the other fragment */
		bool known;
	} cases[] = {
		{ 0, true },  { 1, true },   { -60, true },
		{ 30, true }, { 31, false }, { 179, false },
	};
	struct scene *scene = *state;
	struct natxdp_frag first = { 0 };

	arrive_now(scene, 1, 1, 185, 0);
	for (unsigned int i = 0; i < COUNT_OF(cases); i++) {
		first.tick = (START >> NATXDP_TICK_SHIFT) - cases[i].ticks;
		assert_int_equal(hold_is_first_known(find(scene, 1, 1), &first), cases[i].known);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(they_leave_in_order),
		TEST(an_overlap_is_not_judged_here),
		TEST(a_datagram_is_its_key),
		TEST(what_has_no_room_is_refused),
		TEST(a_datagram_has_so_many_fragments),
		TEST(all_of_it_is_bounded),
		TEST(a_flood_pushes_out_its_own),
		TEST(forged_senders_push_out_their_own_side),
		TEST(waiting_ends),
		TEST(what_comes_back_waits_longer_each_time),
		TEST(looks_become_rare),
		TEST(slots_are_used_again),
		TEST(what_cannot_be_sent_is_lost),
		TEST(an_old_first_one_is_of_another_datagram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
