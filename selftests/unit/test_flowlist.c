/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Walking a table, filtering and sorting what is found, and printing it. */
#include "unit.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "flowjson.h"
#include "flowlist.h"
#include "flowprint.h"

static struct natxdp_flow out_flow(const char *inside, const char *destination, uint16_t port,
				   uint8_t proto)
{
	struct natxdp_flow flow = { 0 };

	flow.key.saddr = inet_addr(inside);
	flow.key.sport = htons(5000);
	flow.key.daddr = inet_addr(destination);
	flow.key.dport = htons(port);
	flow.key.proto = proto;
	flow.new_saddr = inet_addr("198.51.100.1");
	flow.new_sport = htons(40000);
	flow.new_daddr = flow.key.daddr;
	flow.new_dport = flow.key.dport;
	return flow;
}

static struct natxdp_flow in_flow(const struct natxdp_flow *out)
{
	struct natxdp_flow flow = { .flags = NATXDP_FLOW_INBOUND };

	natxdp_reverse_key(out, &flow.key);
	return flow;
}

static void the_walk_finds_flows_and_their_peers(void **state)
{
	struct natxdp_flow entries[16] = { 0 };
	struct table table = { .entries = entries, .count = COUNT_OF(entries) };
	struct flow_view view;

	(void)state;
	entries[3] = out_flow("10.0.0.1", "192.0.2.1", 53, IPPROTO_UDP);
	entries[3].peer = 9;
	entries[9] = in_flow(&entries[3]);
	entries[9].packets = 4;
	/* its peer's slot has another flow by now */
	entries[5] = out_flow("10.0.0.2", "192.0.2.1", 53, IPPROTO_UDP);
	entries[5].new_sport = htons(40001);
	entries[5].peer = 9;
	/* a peer beyond the table */
	entries[6] = out_flow("10.0.0.3", "192.0.2.1", 53, IPPROTO_UDP);
	entries[6].peer = NATXDP_SLOT_NONE;
	entries[7] = entries[3];
	entries[7].key.proto = NATXDP_PROTO_DEAD;

	assert_true(table_next(&table, &view));
	assert_int_equal(view.out.key.saddr, inet_addr("10.0.0.1"));
	assert_int_equal(view.in.packets, 4);
	assert_int_equal(flow_view_state(&view), NATXDP_STATE_UDP_REPLIED);
	assert_true(table_next(&table, &view));
	assert_int_equal(view.out.key.saddr, inet_addr("10.0.0.2"));
	assert_int_equal(view.in.key.proto, NATXDP_PROTO_FREE);
	assert_true(table_next(&table, &view));
	assert_int_equal(view.out.key.saddr, inet_addr("10.0.0.3"));
	assert_int_equal(flow_view_state(&view), NATXDP_STATE_UDP_NEW);
	assert_false(table_next(&table, &view));
}

static void ages_survive_a_clock_that_wraps(void **state)
{
	struct flow_view view = { .out.last_seen = 0xfffffff0, .out.first_seen = 0xffffff00 };

	(void)state;
	assert_int_equal(flow_view_age(&view, 0x10), 0x110);
	assert_int_equal(flow_view_idle(&view, 0x10), 0x20);
	view.in.key.proto = IPPROTO_UDP;
	view.in.last_seen = 0x8;
	assert_int_equal(flow_view_idle(&view, 0x10), 0x8);
	view.in.last_seen = 0x12; /* seen after the clock was read */
	assert_int_equal(flow_view_idle(&view, 0x10), 0);
}

static void filters_choose(void **state)
{
	struct flow_view view = { .out = out_flow("10.1.2.3", "192.0.2.9", 443, IPPROTO_TCP) };
	struct reason why;
	static const struct {
		int (*set)(struct flow_filter *filter, const char *text, struct reason *why);
		const char *text;
		bool match;
	} rows[] = {
		{ flow_filter_inside, "10.1.2.3", true },
		{ flow_filter_inside, "10.1.2.4", false },
		{ flow_filter_inside, "10.1.0.0/16", true },
		{ flow_filter_inside, "0.0.0.0/0", true },
		{ flow_filter_inside, "10.2.0.0/16", false },
		{ flow_filter_destination, "192.0.2.9", true },
		{ flow_filter_destination, "192.0.2.9:443", true },
		{ flow_filter_destination, "192.0.2.9:80", false },
		{ flow_filter_destination, "192.0.2.0/24:443", true },
		{ flow_filter_destination, "192.0.3.0/24", false },
		{ flow_filter_proto, "tcp", true },
		{ flow_filter_proto, "udp", false },
		{ flow_filter_proto, "6", true },
		{ flow_filter_proto, "gre", false },
		{ flow_filter_proto, "47", false },
		{ flow_filter_state, "opening", true },
		{ flow_filter_state, "established", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct flow_filter filter = { 0 };

		assert_int_equal(rows[i].set(&filter, rows[i].text, &why), 0);
		if (flow_filter_match(&filter, &view) != rows[i].match)
			fail_msg("'%s' chooses wrongly", rows[i].text);
	}
}

static void bad_filters_are_refused(void **state)
{
	struct flow_filter filter = { 0 };
	enum flow_sort sort = SORT_NONE;
	struct reason why;

	(void)state;
	assert_true(flow_filter_inside(&filter, "10.0.0.1/8", &why) < 0);
	assert_true(flow_filter_destination(&filter, "192.0.2.1:0", &why) < 0);
	assert_true(flow_filter_destination(&filter, ":443", &why) < 0);
	assert_true(flow_filter_destination(&filter, "", &why) < 0);
	assert_true(flow_filter_destination(&filter,
					    "1111111111111111111111111111111111111111111111:4",
					    &why) < 0);
	assert_true(flow_filter_proto(&filter, "0", &why) < 0);
	assert_true(flow_filter_proto(&filter, "255", &why) < 0);
	assert_true(flow_filter_proto(&filter, "6x", &why) < 0);
	assert_true(flow_filter_proto(&filter, "", &why) < 0);
	assert_true(flow_filter_state(&filter, "happy", &why) < 0);
	assert_true(flow_sort_parse(&sort, "none", &why) < 0);
	assert_int_equal(sort, SORT_NONE);
}

static void sorting_puts_the_most_first(void **state)
{
	struct flow_view views[3] = { 0 };
	const uint32_t now = 1000;
	static const struct {
		enum flow_sort sort;
		uint64_t first;
	} rows[] = { { SORT_BYTES, 1 }, { SORT_PACKETS, 2 }, { SORT_AGE, 0 }, { SORT_IDLE, 2 } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (int n = 0; n < 3; n++) {
			memset(&views[n], 0, sizeof(views[n]));
			views[n].out.key.saddr = n;
			views[n].out.first_seen = 100 + n;
			views[n].out.last_seen = 200 + n;
		}
		views[0].out.bytes = 10;
		views[1].out.bytes = 1;
		views[1].in.bytes = 5000000000;
		views[2].out.packets = 1;
		views[2].in.packets = 1;
		views[1].out.packets = 1;
		flow_sort(views, 3, rows[i].sort, now);
		assert_int_equal(views[0].out.key.saddr, rows[i].first);
	}
}

static char *print(const struct flow_view *view, bool json, bool mappings)
{
	struct natxdp_config config = { .timeout = { 100, 100, 100, 100, 100, 100 } };
	char *text;
	size_t size;
	struct flow_printer printer = {
		.out = open_memstream(&text, &size),
		.json = json,
		.mappings = mappings,
		.config = &config,
		.now = 60,
	};

	flow_print_begin(&printer);
	flow_print(&printer, view);
	flow_print(&printer, view);
	flow_print_end(&printer);
	fclose(printer.out);
	return text;
}

static void a_flow_prints_as_line_and_as_json(void **state)
{
	struct flow_view view = { .out = out_flow("10.1.2.3", "192.0.2.9", 0, IPPROTO_ICMP) };
	char *text;

	(void)state;
	view.out.bytes = 18446744073709551615ull; /* more than a double can tell */
	view.out.packets = 1234567;
	text = print(&view, true, false);
	assert_int_equal(*text, '[');
	assert_string_equal(text + strlen(text) - 2, "]\n");
	assert_non_null(strstr(text, "\"bytes\":18446744073709551615"));
	assert_non_null(strstr(text, "\"inside\":{\"address\":\"10.1.2.3\",\"identifier\":5000}"));
	assert_non_null(strstr(text, "\"destination\":{\"address\":\"192.0.2.9\"}"));
	assert_non_null(strstr(text, "\"expires_in_seconds\":0.671"));
	free(text);
	text = print(&view, false, false);
	assert_non_null(strstr(text, "\nicmp  10.1.2.3:5000         198.51.100.1:40000"));
	assert_non_null(strstr(text, " 1.2M "));
	assert_non_null(strstr(text, " 18E "));
	free(text);
}

static void the_longest_flow_fits_and_is_json(void **state)
{
	struct natxdp_config config = { .timeout = { [NATXDP_TIMEOUT_UDP] = UINT32_MAX } };
	struct flow_printer printer = { .config = &config, .now = 1 << 16 };
	struct flow_view view = { .out = out_flow("255.255.255.255", "255.255.255.255", 65535,
						  IPPROTO_UDP) };
	char text[FLOW_JSON_SIZE];
	size_t len;
	cJSON *flow;

	(void)state;
	view.out.key.sport = view.out.new_sport = view.out.new_dport = 0xffff;
	view.out.new_saddr = view.out.new_daddr = 0xffffffff;
	view.out.flags = NATXDP_FLOW_HAIRPIN;
	view.out.packets = view.out.bytes = view.in.packets = view.in.bytes = UINT64_MAX;
	view.out.first_seen = 3 << 16;
	view.out.last_seen = 1 << 16;
	len = flow_json(text, &printer, &view);
	assert_in_range(len, 400, FLOW_JSON_SIZE - 60);
	text[len] = 0;
	flow = cJSON_ParseWithOpts(text, NULL, true);
	assert_non_null(flow);
	assert_int_equal(cJSON_GetArraySize(flow), 13);
	assert_string_equal(text,
			    "{\"proto\":\"udp\",\"proto_number\":17,"
			    "\"inside\":{\"address\":\"255.255.255.255\",\"port\":65535},"
			    "\"external\":{\"address\":\"255.255.255.255\",\"port\":65535},"
			    "\"destination\":{\"address\":\"255.255.255.255\",\"port\":65535},"
			    "\"hairpin\":true,"
			    "\"hairpin_to\":{\"address\":\"255.255.255.255\",\"port\":65535},"
			    "\"state\":\"replied\","
			    "\"out\":{\"packets\":18446744073709551615,\"bytes\":18446744073709551615},"
			    "\"in\":{\"packets\":18446744073709551615,\"bytes\":18446744073709551615},"
			    "\"age_seconds\":72055395.015,\"idle_seconds\":0.000,"
			    "\"expires_in_seconds\":72057594.021}");
	cJSON_Delete(flow);
}

static void a_protocol_without_ports_prints_as_such(void **state)
{
	struct flow_view view = { .out = out_flow("10.1.2.3", "192.0.2.9", 0, IPPROTO_GRE) };
	char *text;

	(void)state;
	view.out.key.sport = view.out.new_sport = 0;
	text = print(&view, true, false);
	assert_non_null(strstr(text, "\"proto\":\"gre\",\"proto_number\":47,"
				     "\"inside\":{\"address\":\"10.1.2.3\"}"));
	assert_non_null(strstr(text, "\"state\":\"open\""));
	assert_non_null(strstr(text, "\"hairpin\":false"));
	free(text);
	view.out.key.proto = 200;
	text = print(&view, false, false);
	assert_non_null(
		strstr(text, "\n200   10.1.2.3              198.51.100.1          192.0.2.9"));
	free(text);
}

static void a_hairpin_says_where_it_goes(void **state)
{
	struct flow_view view = { .out = out_flow("10.1.2.3", "198.51.100.1", 40001, IPPROTO_UDP) };
	char *text;

	(void)state;
	view.out.flags = NATXDP_FLOW_HAIRPIN;
	view.out.new_daddr = inet_addr("10.1.2.4");
	view.out.new_dport = htons(7);
	text = print(&view, true, false);
	assert_non_null(strstr(text, "\"hairpin\":true,"
				     "\"hairpin_to\":{\"address\":\"10.1.2.4\",\"port\":7}"));
	free(text);
	text = print(&view, false, false);
	assert_non_null(strstr(text, "  hairpin to 10.1.2.4:7\n"));
	free(text);
}

static struct natxdp_flow mapping_of(const char *inside, const char *remote)
{
	struct natxdp_flow flow = out_flow(inside, remote, 0, IPPROTO_UDP);

	flow.key.tenant = NATXDP_TENANT_MAPPING;
	flow.packets = 3;
	return flow;
}

static void mappings_are_no_flows(void **state)
{
	struct natxdp_flow entries[16] = { 0 };
	struct table table = { .entries = entries, .count = COUNT_OF(entries) };
	struct flow_view view;
	char *text;

	(void)state;
	entries[2] = mapping_of("10.0.0.1", "0.0.0.0");
	entries[4] = out_flow("10.0.0.1", "192.0.2.1", 53, IPPROTO_UDP);
	assert_true(table_next(&table, &view));
	assert_int_equal(view.slot, 4);
	assert_false(table_next(&table, &view));
	table_rewind(&table);
	assert_true(table_next_any(&table, &view));
	assert_int_equal(view.slot, 2);
	assert_true(flow_view_is_mapping(&view));
	text = print(&view, true, true);
	assert_non_null(strstr(text, "\"remote\":null,\"flows\":3,"));
	free(text);
	text = print(&view, false, true);
	assert_non_null(strstr(text, " any                   3 "));
	free(text);
	view.out = mapping_of("10.0.0.1", "192.0.2.1");
	text = print(&view, true, true);
	assert_non_null(strstr(text, "\"remote\":{\"address\":\"192.0.2.1\"}"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_walk_finds_flows_and_their_peers),
		cmocka_unit_test(ages_survive_a_clock_that_wraps),
		cmocka_unit_test(filters_choose),
		cmocka_unit_test(bad_filters_are_refused),
		cmocka_unit_test(sorting_puts_the_most_first),
		cmocka_unit_test(a_flow_prints_as_line_and_as_json),
		cmocka_unit_test(the_longest_flow_fits_and_is_json),
		cmocka_unit_test(a_protocol_without_ports_prints_as_such),
		cmocka_unit_test(a_hairpin_says_where_it_goes),
		cmocka_unit_test(mappings_are_no_flows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
