/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Ending flows in a table that others write, and counting what uses the pool. */
#include "unit.h"

#include <arpa/inet.h>
#include <string.h>

#include "block.h"
#include "pooluse.h"
#include "table.h"

enum { OUT = 3, IN = 9 };

static struct natxdp_flow entries[16];

/* One flow: its outbound entry in slot OUT, its inbound one in slot IN. */
static struct table fake_table(void)
{
	struct natxdp_flow *out = &entries[OUT], *in = &entries[IN];

	memset(entries, 0, sizeof(entries));
	out->key.saddr = inet_addr("10.0.0.1");
	out->key.daddr = inet_addr("192.0.2.1");
	out->key.sport = htons(5000);
	out->key.dport = htons(53);
	out->key.proto = IPPROTO_UDP;
	out->key.side = NATXDP_SIDE_INSIDE;
	out->new_saddr = inet_addr("198.51.100.1");
	out->new_sport = htons(40000);
	out->new_daddr = out->key.daddr;
	out->new_dport = out->key.dport;
	out->flags = NATXDP_FLOW_MAPPED | NATXDP_FLOW_COUNTED;
	out->last_seen = 100;
	out->peer = IN;
	natxdp_reverse_key(out, &in->key);
	in->flags = NATXDP_FLOW_INBOUND;
	in->last_seen = 100;
	in->peer = OUT;
	return (struct table){ .entries = entries, .count = COUNT_OF(entries) };
}

static void no_packet_finds_an_ended_flow(void **state)
{
	struct table table = fake_table();
	struct natxdp_key reverse;
	struct flow_view view;

	(void)state;
	assert_true(table_next(&table, &view));
	assert_true(table_end_flow(&table, &view, 500));
	assert_int_equal(entries[IN].key.proto, NATXDP_PROTO_DEAD);
	assert_int_equal(entries[IN].last_seen, 500);
	assert_int_equal(entries[OUT].key.tenant, NATXDP_TENANT_ENDED);
	/* what the sweeper has to give back can still be read */
	assert_int_equal(entries[OUT].key.proto, IPPROTO_UDP);
	assert_int_equal(entries[OUT].key.saddr, inet_addr("10.0.0.1"));
	assert_int_equal(entries[OUT].key.sport, htons(5000));
	assert_int_equal(entries[OUT].flags, NATXDP_FLOW_MAPPED | NATXDP_FLOW_COUNTED);
	/* and it finds no other direction, so the flow is over for it */
	natxdp_reverse_key(&entries[OUT], &reverse);
	assert_memory_not_equal(&reverse, &entries[IN].key, sizeof(reverse));
	table_rewind(&table);
	assert_false(table_next_any(&table, &view));
}

static void a_flow_ends_once(void **state)
{
	struct table table = fake_table();
	struct flow_view view;

	(void)state;
	assert_true(table_next(&table, &view));
	assert_true(table_end_flow(&table, &view, 500));
	assert_false(table_end_flow(&table, &view, 600));
	assert_int_equal(entries[OUT].key.tenant, NATXDP_TENANT_ENDED);
}

static void a_slot_that_changed_hands_is_left_alone(void **state)
{
	struct table table = fake_table();
	struct natxdp_flow out, in;
	struct flow_view view;

	(void)state;
	assert_true(table_next(&table, &view));
	entries[OUT].key.daddr = inet_addr("192.0.2.77"); /* the same ports, another address */
	entries[IN].key.sport = htons(54);
	out = entries[OUT];
	in = entries[IN];
	assert_false(table_end_flow(&table, &view, 500));
	assert_memory_equal(&entries[OUT], &out, sizeof(out));
	assert_memory_equal(&entries[IN].key, &in.key, sizeof(in.key));
}

static void half_a_flow_ends_too(void **state)
{
	struct table table = fake_table();
	struct flow_view view;

	(void)state;
	entries[OUT].peer = NATXDP_SLOT_NONE;
	assert_true(table_next(&table, &view));
	assert_true(table_end_flow(&table, &view, 500));
	assert_int_equal(entries[IN].key.proto, IPPROTO_UDP);
	assert_int_equal(entries[IN].last_seen, 100);
}

static void a_block_concerns_both_ends_of_a_hairpin(void **state)
{
	struct table table = fake_table();
	struct flow_view view;

	(void)state;
	assert_true(table_next(&table, &view));
	assert_true(block_concerns(&view, inet_addr("10.0.0.1")));
	assert_false(block_concerns(&view, inet_addr("192.0.2.1")));
	view.out.flags |= NATXDP_FLOW_HAIRPIN;
	view.out.new_daddr = inet_addr("10.0.0.2");
	assert_true(block_concerns(&view, inet_addr("10.0.0.2")));
	assert_true(block_concerns(&view, inet_addr("10.0.0.1")));
}

static void the_fullest_destination_is_found(void **state)
{
	static const struct natxdp_host_ports host = { .word = { [1024 / 64] = 1 } };
	struct pool pool = { .count = 2,
			     .item = { { .addr = 1, .port_min = 1024, .port_max = 1033 },
				       { .addr = 2, .port_min = 2000, .port_max = 2003 } } };
	struct pool_use use[NATXDP_POOL_MAX];
	struct table table = fake_table();

	(void)state;
	entries[4] = entries[5] = entries[OUT];
	entries[5].key.daddr = inet_addr("192.0.2.2");
	entries[6] = entries[OUT];
	entries[6].pool = 1;
	entries[7] = entries[6];
	entries[7].key.tenant = NATXDP_TENANT_MAPPING;
	entries[7].key.daddr = entries[7].key.dport = 0;
	entries[8] = entries[7];
	entries[10] = entries[6];
	entries[10].key.proto = IPPROTO_GRE;
	entries[11] = entries[7]; /* who may send: takes no port */
	entries[11].key.daddr = inet_addr("192.0.2.1");
	assert_int_equal(pool_use_count(use, &pool, &host, &table), 0);
	assert_int_equal(use[0].flows[POOL_UDP], 3);
	assert_int_equal(use[0].ports, 9);
	assert_int_equal(use[0].fullest_ports, 2);
	assert_int_equal(use[0].fullest_addr, inet_addr("192.0.2.1"));
	assert_int_equal(use[0].fullest_port, htons(53));
	assert_int_equal(use[1].flows[POOL_UDP], 1);
	assert_int_equal(use[1].flows[POOL_OTHER], 1);
	assert_int_equal(use[1].fullest_ports, 2);
	assert_int_equal(use[1].fullest_addr, 0);
	assert_true(pool_use_percent(&use[1]) == 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_packet_finds_an_ended_flow),
		cmocka_unit_test(a_flow_ends_once),
		cmocka_unit_test(a_slot_that_changed_hands_is_left_alone),
		cmocka_unit_test(half_a_flow_ends_too),
		cmocka_unit_test(a_block_concerns_both_ends_of_a_hairpin),
		cmocka_unit_test(the_fullest_destination_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
