/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * External addresses of other zones: who gets which, while they are here, while
 * they are not, and that nobody else notices when they come and go.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <cmocka.h>

#include "box.h"

/* 203.0.113.1 and .2 are of this zone, .3 and .4 of the zone whose hosts are in 10.88.0.0/16. */
enum { OWN = 2, FOREIGN = 2, HOSTS = 60, GROUP = 3 };

static uint32_t external(unsigned int index)
{
	return addr("203.0.113.1") + index;
}

static void set_pool(struct box *box, uint32_t index, uint32_t group, uint32_t flags)
{
	struct natxdp_pool pool;

	assert_int_equal(bpf_map__lookup_elem(box_map(box, "ext_pool"), &index, sizeof(index),
					      &pool, sizeof(pool), 0),
			 0);
	pool.group = group;
	pool.flags = flags;
	assert_int_equal(bpf_map__update_elem(box_map(box, "ext_pool"), &index, sizeof(index),
					      &pool, sizeof(pool), BPF_ANY),
			 0);
}

static void set_foreign(struct box *box, bool here)
{
	for (unsigned int i = OWN; i < OWN + FOREIGN; i++)
		set_pool(box, i, GROUP, here ? 0 : NATXDP_POOL_STANDBY);
}

static struct box *open_groups(void)
{
	struct box_options options = { .externals = OWN + FOREIGN, .features = NATXDP_POOL_GROUPS };
	struct natxdp_prefix prefix = { .bits = 16, .addr = htonl(addr("10.88.0.0")) };
	struct box *box = box_open(&options);
	uint32_t group = GROUP;

	assert_int_equal(bpf_map__update_elem(box_map(box, "inside_nets"), &prefix, sizeof(prefix),
					      &group, sizeof(group), BPF_ANY),
			 0);
	for (unsigned int i = 0; i < OWN; i++)
		set_pool(box, i, 0, 0);
	set_foreign(box, false);
	return box;
}

/* The external address of a new flow of a host. */
static uint32_t source_of(struct box *box, uint32_t host, uint16_t sport)
{
	struct frame f = { .proto = IPPROTO_UDP, .sport = sport, .dport = 53 };
	struct output out;

	f.saddr = host;
	f.daddr = addr("198.51.100.7");
	box_run(box, BOX_SINGLE, &f, &out);
	assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	return out.f.saddr;
}

static bool is_foreign(uint32_t source)
{
	assert_in_range(source, external(0), external(OWN + FOREIGN - 1));
	return source >= external(OWN);
}

static void test_who_gets_which(void **state)
{
	uint32_t own = addr("10.77.0.2"), moved = addr("10.88.0.2"), before[HOSTS], there[HOSTS];
	struct box *box = open_groups();
	unsigned int seen = 0;

	(void)state;
	/* the addresses are elsewhere: whose they are goes by ours, rather than not at all */
	for (unsigned int i = 0; i < HOSTS; i++) {
		before[i] = source_of(box, own + i, 1000);
		assert_false(is_foreign(before[i]));
		assert_false(is_foreign(source_of(box, moved + i, 1000)));
		seen |= 1u << (before[i] - external(0));
	}
	assert_int_equal(seen, 3); /* both are used */
	/* they come: for these hosts alone, and nobody else changes */
	set_foreign(box, true);
	for (unsigned int i = 0; i < HOSTS; i++) {
		assert_int_equal(source_of(box, own + i, 2000), before[i]);
		there[i] = source_of(box, moved + i, 2000);
		assert_true(is_foreign(there[i]));
		seen |= 1u << (there[i] - external(0));
	}
	assert_int_equal(seen, 15);
	/* one alone is not here yet: who has the other keeps it */
	set_pool(box, OWN, GROUP, NATXDP_POOL_STANDBY);
	for (unsigned int i = 0; i < HOSTS; i++)
		assert_int_equal(source_of(box, moved + i, 3000), external(OWN + 1));
	set_foreign(box, true);
	for (unsigned int i = 0; i < HOSTS; i++)
		assert_int_equal(source_of(box, moved + i, 4000), there[i]);
	/* they go again: what is there goes on, what is new has ours */
	set_foreign(box, false);
	for (unsigned int i = 0; i < HOSTS; i++) {
		assert_int_equal(source_of(box, moved + i, 4000), there[i]);
		assert_int_equal(source_of(box, own + i, 5000), before[i]);
		assert_false(is_foreign(source_of(box, moved + i, 5000)));
	}
	box_close(box);
}

/* A full group has no ports of another. */
static void test_own_hosts_never_have_foreign_ones(void **state)
{
	struct box_options options = {
		.externals = 2, .features = NATXDP_POOL_GROUPS, .port_min = 5000, .port_max = 5009
	};
	struct frame f = { .proto = IPPROTO_UDP, .dport = 53 };
	struct box *box = box_open(&options);
	struct output out;

	(void)state;
	set_pool(box, 1, GROUP, 0);
	f.saddr = addr("10.77.0.2");
	f.daddr = addr("198.51.100.7");
	for (unsigned int i = 0; i < 10; i++) {
		f.sport = 1000 + i;
		box_run(box, BOX_SINGLE, &f, &out);
		assert_int_equal(out.f.saddr, external(0));
	}
	f.sport = 2000;
	box_run(box, BOX_SINGLE, &f, &out);
	assert_true(out.reason == NATXDP_REPLY_NO_PORT || out.reason == NATXDP_DROP_NO_PORT);
	box_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_gets_which),
		cmocka_unit_test(test_own_hosts_never_have_foreign_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
