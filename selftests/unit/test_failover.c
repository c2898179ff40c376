/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Whole fleets under faults: what is true over time, not in one decision (test_policy.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet.h"
#include "unit.h"

enum { SETTLE = 10000 };

static struct fleet *settled(unsigned int nodes, uint64_t seed)
{
	struct fleet *f = malloc(sizeof(*f));

	assert_non_null(f);
	fleet_init(f, nodes, seed);

	fleet_run(f, SETTLE);
	assert_true(fleet_is_well(f));
	for (unsigned int z = 0; z < nodes; z++) {
		assert_int_equal(f->lease[z].owner, z);
		assert_int_equal(f->changes[z], 1);
	}
	f->claims = f->sets = f->witnesses = 0;
	return f;
}

/* Runs until the zone has changed hands; returns the time it took. */
static int64_t time_to_change(struct fleet *f, unsigned int zone, int64_t at_most)
{
	unsigned int before = f->changes[zone];
	int64_t begin = f->now;

	while (f->changes[zone] == before && f->now < begin + at_most)
		fleet_run(f, FLEET_STEP);
	return f->now - begin;
}

static void a_dead_node_is_replaced_in_time(void **state)
{
	int64_t worst = 0;

	(void)state;
	for (unsigned int nodes = 2; nodes <= 3; nodes++) {
		for (uint64_t seed = 1; seed <= 50; seed++) {
			struct fleet *f = settled(nodes, seed);
			int64_t took;

			fleet_run(f, fleet_random(f, 400));
			fleet_crash(f, 1);
			took = time_to_change(f, 1, 10000);
			worst = took > worst ? took : worst;
			fleet_run(f, 2000);
			assert_true(fleet_is_well(f));
			assert_int_equal(f->claims, 1);
			free(f);
		}
	}
	printf("worst: %lld ms\n", (long long)worst);
	assert_in_range(worst, 1, 1500);
}

static void one_survivor_takes_all(void **state)
{
	struct fleet *f = settled(3, 1);

	(void)state;
	fleet_crash(f, 0);
	fleet_crash(f, 2);
	fleet_run(f, 5000);
	assert_true(fleet_is_well(f));
	for (int z = 0; z < 3; z++)
		assert_int_equal(f->lease[z].owner, 1);
	/* they come back, and get theirs after the damping window, once */
	fleet_start(f, 0);
	fleet_start(f, 2);
	fleet_run(f, FLEET_DAMPING - 2000);
	assert_int_equal(f->claims, 2);
	fleet_run(f, 10000);
	assert_true(fleet_is_well(f));
	assert_int_equal(f->claims, 4);
	for (int z = 0; z < 3; z++)
		assert_int_equal(f->lease[z].owner, z);
	fleet_run(f, 10 * FLEET_DAMPING);
	assert_int_equal(f->claims, 4);
	free(f);
}

static void a_dead_agent_moves_nothing(void **state)
{
	struct fleet *f = settled(3, 1);

	(void)state;
	fleet_kill_agent(f, 1);
	fleet_run(f, 600000);
	assert_int_equal(f->claims, 0);
	assert_int_equal(f->sets, 0);
	fleet_crash(f, 1); /* now the rest of it */
	assert_in_range(time_to_change(f, 1, 10000), 1, 2000);
	free(f);
}

/* Both live, both reach AWS, neither hears the other; with two nodes nobody can tell but the table. */
static void a_partition_moves_nothing(void **state)
{
	(void)state;
	for (unsigned int nodes = 2; nodes <= 3; nodes++) {
		for (uint64_t seed = 1; seed <= 20; seed++) {
			struct fleet *f = settled(nodes, seed);

			fleet_run(f, fleet_random(f, 400));
			fleet_isolate(f, 1, true);
			fleet_run(f, 600000);
			assert_int_equal(f->claims, 0);
			fleet_isolate(f, 1, false);
			fleet_run(f, 60000);
			assert_int_equal(f->claims, 0);
			assert_int_equal(f->sets, 0);
			free(f);
		}
	}
}

static void half_a_partition_moves_nothing(void **state)
{
	struct fleet *f = settled(2, 1);

	(void)state;
	f->cut[1][0] = true; /* node 0 does not hear node 1 */
	fleet_run(f, 120000);
	assert_int_equal(f->claims, 0);
	/* an agent that starts in the middle of it has never heard its peer */
	fleet_kill_agent(f, 0);
	fleet_run(f, 1000);
	fleet_start(f, 0);
	fleet_run(f, 120000);
	assert_int_equal(f->claims, 0);
	free(f);
}

/* In the middle of a partition the owner dies: seen by the witness alone. */
static void death_behind_a_partition(void **state)
{
	struct fleet *f = settled(2, 1);

	(void)state;
	fleet_isolate(f, 1, true);
	fleet_run(f, 5000);
	fleet_crash(f, 1);
	assert_in_range(time_to_change(f, 1, 60000), 1, 5000);
	free(f);
}

static void an_island_without_aws_is_left(void **state)
{
	struct fleet *f = settled(3, 1);

	(void)state;
	fleet_isolate(f, 1, true);
	f->node[1].aws = false;
	fleet_run(f, 5000);
	assert_int_equal(f->claims, 1);
	assert_int_not_equal(f->lease[1].owner, 1);
	/* it comes back, learns it, and gives no call that undoes it */
	fleet_isolate(f, 1, false);
	f->node[1].aws = true;
	fleet_run(f, 3000);
	assert_int_equal(f->node[1].policy.zone[1].state, POLICY_STANDBY);
	assert_int_equal(f->claims, 1);
	free(f);
}

static void a_wedged_data_path_is_handed_over(void **state)
{
	struct fleet *f = settled(2, 1);

	(void)state;
	f->node[1].ill = true;
	assert_in_range(time_to_change(f, 1, 10000), 1, 500);
	fleet_run(f, 1000);
	assert_true(fleet_is_well(f));
	fleet_run(f, 10 * FLEET_DAMPING);
	assert_int_equal(f->claims, 1);
	f->node[1].ill = false;
	fleet_run(f, 2 * FLEET_DAMPING);
	assert_int_equal(f->lease[1].owner, 1);
	assert_int_equal(f->claims, 2);
	free(f);
}

static void flapping_is_damped(void **state)
{
	struct fleet *f = settled(2, 1);

	(void)state;
	for (int i = 0; i < 20; i++) { /* dies every 8 s, for two damping windows and more */
		fleet_crash(f, 1);
		fleet_run(f, 4000);
		fleet_start(f, 1);
		fleet_run(f, 4000);
	}
	assert_int_equal(f->changes[1], 2); /* the first, and one failover */
	assert_int_equal(f->lease[1].owner, 0);
	free(f);
}

static void a_drain_hands_over_and_stays_away(void **state)
{
	struct fleet *f = settled(3, 1);

	(void)state;
	f->node[1].draining = true;
	assert_in_range(time_to_change(f, 1, 10000), 1, 500);
	fleet_run(f, 5 * FLEET_DAMPING);
	assert_true(fleet_is_well(f));
	assert_int_equal(f->claims, 1);
	f->node[1].draining = false;
	fleet_run(f, 2 * FLEET_DAMPING);
	assert_int_equal(f->lease[1].owner, 1);
	free(f);
}

static void an_operator_moves_and_holds(void **state)
{
	struct policy_event to = { .kind = POLICY_TO, .zone = 1, .node = 2 };
	struct fleet *f = settled(3, 1);

	(void)state;
	fleet_event(f, 0, &to); /* told to a node that has nothing to do with it */
	fleet_run(f, 2000);
	assert_int_equal(f->lease[1].owner, 2);
	fleet_run(f, 5 * FLEET_DAMPING); /* it stays where the operator wants it */
	assert_int_equal(f->lease[1].owner, 2);
	to.node = 1;
	fleet_event(f, 1, &to);
	fleet_run(f, 2000);
	assert_int_equal(f->lease[1].owner, 1);
	f->lease[1].held = true;
	fleet_run(f, 10000);
	fleet_crash(f, 1);
	fleet_run(f, 60000);
	assert_int_equal(f->lease[1].owner, 1);
	f->lease[1].held = false;
	fleet_run(f, 10000);
	assert_int_not_equal(f->lease[1].owner, 1);
	free(f);
}

static void a_node_that_slept_suspects_nobody(void **state)
{
	struct fleet *f = settled(2, 1);

	(void)state;
	f->node[0].stopped_until = f->now + 700; /* shorter than the suspicion of the other */
	fleet_run(f, 60000);
	assert_int_equal(f->claims, 0);
	/* for hours: its kernel answers, so its agent alone is gone */
	f->node[0].stopped_until = f->now + 7200000;
	fleet_run(f, 7200000 + 60000);
	assert_int_equal(f->claims, 0);
	assert_true(fleet_is_well(f));
	free(f);
}

static void time_that_goes_back_stands_still(void **state)
{
	struct policy_event tick = { .kind = POLICY_TICK };
	struct fleet *f = settled(2, 1);
	struct policy_actions actions;
	struct policy *p = &f->node[0].policy;

	(void)state;
	policy_step(p, &tick, -5, &actions);
	assert_true(p->now > SETTLE);
	policy_step(p, &tick, INT64_MAX / 2, &actions);
	for (unsigned int i = 0; i < actions.count; i++)
		assert_int_not_equal(actions.item[i].kind, POLICY_DO_CLAIM);
	free(f);
}

static void one_fault(struct fleet *f)
{
	unsigned int node = fleet_random(f, f->nodes), other = fleet_random(f, f->nodes);
	struct policy_event to = { .kind = POLICY_TO,
				   .zone = fleet_random(f, f->nodes),
				   .node = other,
				   .on = fleet_random(f, 2) };

	switch (fleet_random(f, 14)) {
	case 0:
		fleet_crash(f, node);
		break;
	case 1:
		fleet_kill_agent(f, node);
		break;
	case 2:
	case 3:
	case 4:
		fleet_start(f, node);
		break;
	case 5:
		f->node[node].stopped_until = f->now + fleet_random(f, 5000);
		break;
	case 6:
		f->node[node].aws = fleet_random(f, 2);
		break;
	case 7:
		f->node[node].ill = fleet_random(f, 2);
		break;
	case 8:
		f->node[node].draining = fleet_random(f, 2);
		break;
	case 9:
		fleet_isolate(f, node, fleet_random(f, 2));
		break;
	case 10:
		f->cut[node][other] = fleet_random(f, 2);
		break;
	case 11:
		f->loss = fleet_random(f, 300);
		f->delay = 1 + fleet_random(f, 300);
		break;
	case 12:
		f->api = 1 + fleet_random(f, 800);
		f->vague = fleet_random(f, 100);
		break;
	case 13:
		if (f->node[node].agent)
			fleet_event(f, node, &to);
		break;
	}
}

static void heal(struct fleet *f)
{
	memset(f->cut, 0, sizeof(f->cut));
	f->loss = f->vague = 0;
	f->delay = 5;
	f->api = 30;
	for (unsigned int i = 0; i < f->nodes; i++) {
		f->node[i].aws = true;
		f->node[i].ill = f->node[i].draining = false;
		fleet_start(f, i);
	}
}

/* An epoch has one owner, and never goes back. */
static void watch_leases(const struct fleet *f, struct policy_lease *before)
{
	for (unsigned int z = 0; z < f->nodes; z++) {
		assert_true(f->lease[z].epoch >= before[z].epoch);
		if (f->lease[z].epoch == before[z].epoch)
			assert_int_equal(f->lease[z].owner, before[z].owner);
		else
			assert_int_equal(f->lease[z].epoch, f->changes[z]);
		before[z] = f->lease[z];
	}
}

static void random_faults(struct fleet *f, uint64_t seed)
{
	struct policy_lease before[POLICY_ZONES];
	unsigned int claims;

	fleet_init(f, 2 + seed % 2, seed);
	memcpy(before, f->lease, sizeof(before));
	for (int i = 0; i < 60; i++) {
		one_fault(f);
		for (int j = 0; j < 20; j++) {
			fleet_run(f, FLEET_STEP + fleet_random(f, 200));
			watch_leases(f, before);
		}
	}
	heal(f);
	fleet_run(f, 15000); /* whatever happened: soon somebody has each zone */
	for (int i = 0; i < 20 && !fleet_is_well(f); i++) /* it may just be going home */
		fleet_run(f, 100);
	if (!fleet_is_well(f))
		printf("seed %llu: not well\n", (unsigned long long)seed);
	assert_true(fleet_is_well(f));
	fleet_run(f, 4 * FLEET_DAMPING);
	claims = f->claims;
	fleet_run(f, 4 * FLEET_DAMPING); /* and then nothing moves any more */
	assert_int_equal(f->claims, claims);
	for (unsigned int z = 0; z < f->nodes; z++) {
		if (f->lease[z].reason != POLICY_MANUAL)
			assert_int_equal(f->lease[z].owner, z);
		for (unsigned int i = 0; i < f->nodes; i++) {
			assert_int_equal(policy_owns(&f->node[i].policy, z),
					 f->lease[z].owner == i);
			assert_int_equal(f->node[i].policy.zone[z].lease.epoch, f->lease[z].epoch);
		}
	}
}

static void whatever_happens(void **state)
{
	const char *wanted = getenv("NATXDP_TEST_SEED"), *longer = getenv("NATXDP_TEST_LONG");
	uint64_t first = wanted ? strtoull(wanted, NULL, 10) : 1;
	uint64_t count = wanted ? 1 : longer ? 5000 : 150;
	struct fleet *f = malloc(sizeof(*f));

	(void)state;
	assert_non_null(f);
	for (uint64_t seed = first; seed < first + count; seed++)
		random_faults(f, seed);
	free(f);
}

/* Faults that leave an owner able never take a zone from it: lossy links, slow calls, other nodes. */
static void who_is_able_keeps_its_zone(void **state)
{
	unsigned int needless = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct fleet *f = settled(2 + seed % 2, seed);

		for (int i = 0; i < 40; i++) {
			unsigned int node = fleet_random(f, f->nodes);

			f->loss = fleet_random(f, 200);
			f->delay = 1 + fleet_random(f, 100);
			f->api = 1 + fleet_random(f, 100);
			if (fleet_random(f, 3) == 0)
				fleet_isolate(f, node, fleet_random(f, 2));
			if (fleet_random(f, 4) == 0)
				fleet_crash(f, node);
			fleet_start(f, fleet_random(f, f->nodes));
			fleet_run(f, 3000);
		}
		needless += f->needless;
		free(f);
	}
	assert_int_equal(needless, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dead_node_is_replaced_in_time),
		cmocka_unit_test(one_survivor_takes_all),
		cmocka_unit_test(a_dead_agent_moves_nothing),
		cmocka_unit_test(a_partition_moves_nothing),
		cmocka_unit_test(half_a_partition_moves_nothing),
		cmocka_unit_test(death_behind_a_partition),
		cmocka_unit_test(an_island_without_aws_is_left),
		cmocka_unit_test(a_wedged_data_path_is_handed_over),
		cmocka_unit_test(flapping_is_damped),
		cmocka_unit_test(a_drain_hands_over_and_stays_away),
		cmocka_unit_test(an_operator_moves_and_holds),
		cmocka_unit_test(a_node_that_slept_suspects_nobody),
		cmocka_unit_test(time_that_goes_back_stands_still),
		cmocka_unit_test(who_is_able_keeps_its_zone),
		cmocka_unit_test(whatever_happens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
