/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What changes under a NAT that runs: its pool at a reload, its next hops. */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "nexthops.h"
#include "pool.h"

static struct pool pool_of(const char *const *addrs)
{
	struct pool pool = { 0 };

	for (; *addrs; addrs++) {
		pool.item[pool.count].addr = inet_addr(*addrs);
		pool.item[pool.count].port_min = 1024;
		pool.item[pool.count++].port_max = 60999;
	}
	return pool;
}

#define POOL(...) pool_of((const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

static void expect(const struct pool *pool, unsigned int i, const char *addr, uint32_t flags)
{
	assert_int_equal(pool->item[i].addr, inet_addr(addr));
	assert_int_equal(pool->item[i].flags, flags);
}

static void an_address_keeps_its_index(void **state)
{
	struct pool old = POOL("192.0.2.1", "192.0.2.2"), merged;
	struct pool wanted = POOL("192.0.2.3", "192.0.2.2");
	bool used[NATXDP_POOL_MAX] = { false };

	(void)state;
	wanted.item[1].port_min = 5000;
	assert_int_equal(pool_merge(&old, &wanted, used, &merged), 0);
	assert_int_equal(merged.count, 2);
	expect(&merged, 0, "192.0.2.3", 0); /* in the place of one that nobody used */
	expect(&merged, 1, "192.0.2.2", 0);
	assert_int_equal(merged.item[1].port_min, 5000);
}

/* It is the agent that says when it ends. */
static void a_standby_stays_one(void **state)
{
	struct pool old = POOL("192.0.2.1", "192.0.2.2"), wanted = POOL("192.0.2.2", "192.0.2.1");
	bool used[NATXDP_POOL_MAX] = { false };
	struct pool merged;

	(void)state;
	old.item[1].flags = NATXDP_POOL_STANDBY;
	assert_int_equal(pool_merge(&old, &wanted, used, &merged), 0);
	expect(&merged, 0, "192.0.2.1", 0);
	expect(&merged, 1, "192.0.2.2", NATXDP_POOL_STANDBY);
}

static void what_is_used_drains_and_then_goes(void **state)
{
	struct pool old = POOL("192.0.2.1", "192.0.2.2"), wanted = POOL("192.0.2.2"), merged, later;
	bool used[NATXDP_POOL_MAX] = { true };

	(void)state;
	assert_int_equal(pool_merge(&old, &wanted, used, &merged), 0);
	assert_int_equal(merged.count, 2);
	expect(&merged, 0, "192.0.2.1", NATXDP_POOL_DRAINING);
	expect(&merged, 1, "192.0.2.2", 0);
	used[0] = false;
	assert_int_equal(pool_merge(&merged, &wanted, used, &later), 0);
	assert_int_equal(later.count, 2);
	expect(&later, 0, "0.0.0.0", NATXDP_POOL_DRAINING);
	expect(&later, 1, "192.0.2.2", 0);
	wanted = POOL("192.0.2.1");
	assert_int_equal(pool_merge(&merged, &wanted, used, &later), 0);
	assert_int_equal(later.count,
			 1); /* the last one went, and the draining one is wanted again */
	expect(&later, 0, "192.0.2.1", 0);
}

static void draining_addresses_may_take_all_the_room(void **state)
{
	struct pool old = { 0 }, wanted = POOL("198.51.100.1"), merged;
	bool used[NATXDP_POOL_MAX];

	(void)state;
	memset(used, true, sizeof(used));
	for (unsigned int i = 0; i < NATXDP_POOL_MAX; i++)
		old.item[old.count++].addr = htonl(0xc0000200 + i);
	assert_int_equal(pool_merge(&old, &wanted, used, &merged), -ENOSPC);
	used[5] = false;
	assert_int_equal(pool_merge(&old, &wanted, used, &merged), 0);
	expect(&merged, 5, "198.51.100.1", 0);
	expect(&merged, 6, "192.0.2.6", NATXDP_POOL_DRAINING);
}

static void changes_concern_their_next_hops_only(void **state)
{
	struct natxdp_next_hop hop = {
		.dst_mac = { 2, 0, 0, 0, 0, 1 },
		.ifindex = 3,
		.addr = inet_addr("192.0.2.1"),
		.state = NATXDP_NEXT_HOP_VALID,
	};
	const struct neighbour same = {
		.ifindex = 3,
		.addr = hop.addr,
		.reachable = true,
		.mac = { 2, 0, 0, 0, 0, 1 },
	};
	struct neighbour other;
	struct changes changes = { 0 };

	(void)state;
	assert_false(changes_concern(&changes, &hop));
	changes_add(&changes, &same);
	assert_false(changes_concern(&changes, &hop));
	other = same;
	other.ifindex = 4;
	other.mac[5] = 9;
	changes_add(&changes, &other);
	assert_false(changes_concern(&changes, &hop));
	other.ifindex = 3;
	changes_add(&changes, &other);
	assert_true(changes_concern(&changes, &hop));
	memset(&changes, 0, sizeof(changes));
	other = same;
	other.reachable = false;
	changes_add(&changes, &other);
	assert_true(changes_concern(&changes, &hop));
	hop.state = NATXDP_NEXT_HOP_STALE; /* the data plane may be rewriting it now */
	assert_false(changes_concern(&changes, &hop));
	hop.state = NATXDP_NEXT_HOP_VALID;
	hop.addr = 0; /* learned from a frame */
	changes.all = true;
	assert_false(changes_concern(&changes, &hop));
}

static void too_many_changes_are_everything(void **state)
{
	const struct neighbour neighbour = { .ifindex = 1 };
	struct changes changes = { 0 };

	(void)state;
	for (int i = 0; i < NEIGHBOURS_MAX; i++)
		changes_add(&changes, &neighbour);
	assert_false(changes.all);
	changes_add(&changes, &neighbour);
	assert_true(changes.all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_keeps_its_index),
		cmocka_unit_test(a_standby_stays_one),
		cmocka_unit_test(what_is_used_drains_and_then_goes),
		cmocka_unit_test(draining_addresses_may_take_all_the_room),
		cmocka_unit_test(changes_concern_their_next_hops_only),
		cmocka_unit_test(too_many_changes_are_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
