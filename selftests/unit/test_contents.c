/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a plan makes of the maps, how contents differ, which packet proves them. */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "contents.h"
#include "err.h"
#include "plan.h"
#include "probe.h"
#include "profile.h"
#include "settings.h"

struct case_data {
	struct settings settings;
	struct plan plan;
	struct contents now;
	struct contents wanted;
	struct difference differences[8];
};

static int set_up(void **state)
{
	struct case_data *c = calloc(1, sizeof(*c));

	settings_init(&c->settings);
	profile_apply(&c->settings);
	c->plan.settings = &c->settings;
	c->plan.dev_count = 1;
	c->plan.dev[0].ifindex = 7;
	c->plan.dev[0].mtu = 9001;
	c->plan.pool.count = 2;
	c->plan.pool.item[0] = (struct natxdp_pool){ inet_addr("192.0.2.1"), 1024, 60999, 0, 0 };
	c->plan.pool.item[1] = (struct natxdp_pool){ inet_addr("192.0.2.2"), 1024, 60999, 0, 0 };
	c->plan.addrs.count = 2;
	c->plan.addrs.item[0] = (struct host_addr){ inet_addr("192.0.2.1"), 7, false };
	c->plan.addrs.item[1] = (struct host_addr){ inet_addr("127.0.0.1"), 1, false };
	*state = c;
	return 0;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

static int make(struct case_data *c)
{
	const bool used[NATXDP_POOL_MAX] = { false };

	return contents_make(&c->wanted, &c->now, used, &c->plan);
}

static unsigned int differ(struct case_data *c)
{
	return contents_compare(&c->now, &c->wanted, c->differences, COUNT_OF(c->differences));
}

static void a_plan_becomes_contents(void **state)
{
	struct case_data *c = *state;

	c->now.config.max_flows = 4711;
	assert_int_equal(make(c), 0);
	assert_int_equal(c->wanted.config.max_flows, 4711);
	assert_int_equal(c->wanted.config.pool_count, 2);
	assert_int_equal(c->wanted.config.egress_mtu, 1500);
	assert_int_equal(c->wanted.config.dev_addr[0], inet_addr("192.0.2.1"));
	assert_int_equal(c->wanted.dev[0], 7);
	assert_int_equal(c->wanted.own.count, 3);
	assert_int_equal(own_addrs_find(&c->wanted.own, inet_addr("192.0.2.2"))->pool, 1);
	assert_int_equal(own_addrs_find(&c->wanted.own, inet_addr("127.0.0.1"))->pool,
			 NATXDP_OWN_ADDR);
	assert_int_equal(c->wanted.inside_nets.count, 4);
	assert_int_equal(c->wanted.no_nat_nets.count, 4);
}

static void too_many_addresses_are_refused(void **state)
{
	struct case_data *c = *state;

	c->plan.addrs.count = NATXDP_OWN_ADDRS_MAX;
	for (unsigned int i = 0; i < c->plan.addrs.count; i++)
		c->plan.addrs.item[i].addr = htonl(0x0a000001 + i);
	assert_int_equal(make(c), -E2BIG);
}

static void equal_contents_do_not_differ(void **state)
{
	struct case_data *c = *state;
	struct natxdp_prefix first;

	assert_int_equal(make(c), 0);
	c->now = c->wanted;
	assert_int_equal(differ(c), 0);
	/* the order of a list means nothing */
	first = c->now.inside_nets.item[0];
	c->now.inside_nets.item[0] = c->now.inside_nets.item[1];
	c->now.inside_nets.item[1] = first;
	assert_int_equal(differ(c), 0);
}

static void every_part_is_compared(void **state)
{
	struct case_data *c = *state;

#define EXPECT(change, text, is, be)                               \
	do {                                                       \
		assert_int_equal(make(c), 0);                      \
		c->now = c->wanted;                                \
		change;                                            \
		assert_int_equal(differ(c), 1);                    \
		assert_string_equal(c->differences[0].what, text); \
		assert_string_equal(c->differences[0].found, is);  \
		assert_string_equal(c->differences[0].needed, be); \
		memset(&c->now, 0, sizeof(c->now));                \
	} while (0)

	EXPECT(c->now.config.mss_clamp = 1300, "mss_clamp", "1300", "0");
	EXPECT(c->now.config.limit_flows = 9, "limit_flows", "9", "0");
	EXPECT(c->now.config.mapping[NATXDP_CLASS_TCP] = 1, "mapping of tcp", "1", "0");
	EXPECT(c->now.inside_nets.count--, "inside prefix 100.64.0.0/10", "missing", "present");
	EXPECT(c->wanted.no_nat_nets.count--, "no_nat prefix 100.64.0.0/10", "present", "missing");
	EXPECT(c->now.own.count--, "own address 127.0.0.1", "missing", "present");
	EXPECT(c->now.pool.item[1].port_max = 2000, "external 192.0.2.2",
	       "index 1, ports 1024-2000", "index 1, ports 1024-60999");
	EXPECT(c->now.dev[0] = 8, "interface index", "8", "7");
	EXPECT(c->now.host_ports.word[3] = 1, "host_ports", "another set of ports",
	       "that of the configuration");
#undef EXPECT
}

static void more_differences_than_fit_are_counted(void **state)
{
	struct case_data *c = *state;
	struct difference one = { .what = "" };

	assert_int_equal(make(c), 0);
	assert_true(contents_compare(&c->now, &c->wanted, &one, 1) > 10);
	assert_string_not_equal(one.what, "");
}

static void a_drain_is_kept(void **state)
{
	struct case_data *c = *state;

	assert_int_equal(make(c), 0);
	c->now = c->wanted;
	c->now.pool.item[1].flags = NATXDP_POOL_DRAINING;
	assert_int_equal(make(c), 0);
	assert_int_equal(c->wanted.pool.item[1].flags, 0);
	assert_int_equal(contents_keep_drains(&c->wanted, &c->now, NULL, NULL), 1);
	assert_int_equal(c->wanted.pool.item[1].flags, NATXDP_POOL_DRAINING);
	assert_int_equal(differ(c), 0);
}

static void the_test_packet_is_one_that_is_translated(void **state)
{
	struct case_data *c = *state;
	struct probe probe;

	assert_int_equal(make(c), 0);
	assert_true(probe_choose(&probe, &c->wanted));
	assert_int_equal(probe.inside, inet_addr("10.255.255.254"));
	/* 192.0.2.1 is our own: the next documentation net */
	assert_int_equal(probe.outside, inet_addr("198.51.100.1"));
	c->wanted.own.item[0].addr = inet_addr("10.255.255.254");
	assert_true(probe_choose(&probe, &c->wanted));
	assert_int_equal(probe.inside, inet_addr("10.255.255.253"));
	/* all addresses are elsewhere: there is nothing to prove */
	for (unsigned int i = 0; i < c->wanted.pool.count; i++)
		c->wanted.pool.item[i].flags = NATXDP_POOL_STANDBY;
	assert_false(probe_choose(&probe, &c->wanted));
	/* that of another zone is here, with its hosts */
	c->wanted.pool.item[0].flags = 0;
	c->wanted.pool.item[0].group = 7;
	assert_false(probe_choose(&probe, &c->wanted));
	c->wanted.inside_nets.item[c->wanted.inside_nets.count] = (struct natxdp_prefix){
		20, inet_addr("10.1.16.0")
	};
	c->wanted.inside_group[c->wanted.inside_nets.count++] = 7;
	assert_true(probe_choose(&probe, &c->wanted));
	assert_int_equal(probe.inside, inet_addr("10.1.31.254"));
	c->wanted.no_nat_nets.count = 1;
	c->wanted.no_nat_nets.item[0] = (struct natxdp_prefix){ 0, 0 };
	assert_false(probe_choose(&probe, &c->wanted));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_plan_becomes_contents),
		TEST(too_many_addresses_are_refused),
		TEST(equal_contents_do_not_differ),
		TEST(every_part_is_compared),
		TEST(more_differences_than_fit_are_counted),
		TEST(a_drain_is_kept),
		TEST(the_test_packet_is_one_that_is_translated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
