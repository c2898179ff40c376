/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What time it is in the data plane, against CLOCK_MONOTONIC. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cmocka.h>

#include "box.h"

enum { MS = 1000000, PATIENCE_MS = 2000 };

static uint64_t monotonic(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static uint64_t offset_of(struct box *box)
{
	uint64_t offset;
	uint32_t zero = 0;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(box_map(box, ".data.clock")), &zero,
					     &offset),
			 0);
	return offset;
}

static void set_offset(struct box *box, uint64_t offset)
{
	uint32_t zero = 0;

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(box_map(box, ".data.clock")), &zero,
					     &offset, BPF_ANY),
			 0);
}

/* How many ticks the stamp of a packet is behind; the most that it may be if read late. */
static int ticks_behind(struct box *box)
{
	struct frame f = { .proto = IPPROTO_UDP, .sport = 5000, .dport = 53 };
	struct natxdp_flow flow;
	struct natxdp_key key;
	uint32_t before, after;
	struct output out;

	f.saddr = addr("10.77.0.2");
	f.daddr = addr("198.51.100.7");
	before = monotonic() >> NATXDP_TICK_SHIFT;
	box_run(box, BOX_SINGLE, &f, &out);
	after = monotonic() >> NATXDP_TICK_SHIFT;
	key = box_key(BOX_SINGLE, IPPROTO_UDP, f.saddr, f.sport, f.daddr, f.dport);
	assert_true(box_flow(box, &key, &flow));
	assert_true((int32_t)(after - flow.last_seen) >= 0); /* not ahead */
	return (int32_t)(before - flow.last_seen);
}

/* Never ahead; behind by two jiffies, which are less than one tick at 250 Hz and more. */
static void test_agrees(void **state)
{
	struct box_options options = { 0 };
	struct box *box = box_open(&options);
	uint64_t offset = offset_of(box), until = monotonic() + 300 * MS;

	(void)state;
	assert_int_not_equal(offset, 0); /* or it would be the slow clock that agrees */
	while (monotonic() < until) {
		assert_in_range(1 + ticks_behind(box), 0, 2);
		usleep(500);
	}
	/* the sweeps of this time have not found another one */
	assert_true(offset_of(box) == offset);
	box_close(box);
}

/* A kernel that has lost ticks: the sweeper notices. */
static void test_lost_ticks(void **state)
{
	struct box_options options = { 0 };
	struct box *box = box_open(&options);
	uint64_t offset = offset_of(box), until;
	int behind;

	(void)state;
	set_offset(box, offset - 1000ull * MS);
	until = monotonic() + PATIENCE_MS * MS;
	do
		behind = ticks_behind(box);
	while (behind > 1 && monotonic() < until);
	assert_in_range(1 + behind, 0, 2);
	assert_true(offset_of(box) != offset - 1000ull * MS);
	box_close(box);
}

/* A packet that comes before the clock was measured has the right time, too. */
static void test_not_measured(void **state)
{
	struct box_options options = { 0 };
	struct box *box = box_open(&options);

	(void)state;
	for (int i = 0; i < 20; i++) {
		set_offset(box, 0);
		assert_in_range(1 + ticks_behind(box), 0, 2);
	}
	box_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agrees),
		cmocka_unit_test(test_lost_ticks),
		cmocka_unit_test(test_not_measured),
	};

	return cmocka_run_group_tests_name("prog/clock", tests, NULL, NULL);
}
