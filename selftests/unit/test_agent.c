/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The agent's pure decisions: totals, intervals, what is kept, health, sketches, records, notices. */
#include <arpa/inet.h>
#include <linux/ethtool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include <natxdp/state.h>

#include "ena.h"
#include "health.h"
#include "interval.h"
#include "keep.h"
#include "notice.h"
#include "record.h"
#include "report.h"
#include "sketch.h"
#include "softirq.h"
#include "solo.h"
#include "unit.h"

static void reasons_have_the_right_side(void **state)
{
	struct natxdp_counters c = { 0 };
	struct totals t = { 0 };

	(void)state;
	for (int i = 0; i < NATXDP_REASON_COUNT; i++) {
		c.packets[i] = 1;
		c.bytes[i] = 100;
	}
	totals_count(&t, &c);
	assert_int_equal(t.sum[METRIC_PACKETS_OUT_TO_DESTINATION], 2);
	assert_int_equal(t.sum[METRIC_PACKETS_OUT_TO_SOURCE], 2);
	assert_int_equal(t.sum[METRIC_PACKETS_IN_FROM_SOURCE], 13);
	assert_int_equal(t.sum[METRIC_BYTES_IN_FROM_SOURCE], 1300);
	assert_int_equal(t.sum[METRIC_PACKETS_IN_FROM_DESTINATION], 3);
	assert_int_equal(t.sum[METRIC_PACKETS_DROPPED], 7);
	assert_int_equal(t.sum[METRIC_PORT_ALLOCATION_ERRORS], 2);
	totals_count(&t, &c); /* a total is not added to the one before */
	assert_int_equal(t.sum[METRIC_PACKETS_IN_FROM_SOURCE], 13);
}

static void take(struct interval *interval, int64_t ms, uint64_t bytes, double flows)
{
	struct sample sample = { .monotonic_ms = ms };

	sample.totals.sum[METRIC_BYTES_IN_FROM_SOURCE] = bytes;
	sample.gauges.value[METRIC_FLOWS] = flows;
	sample.gauges.known[METRIC_FLOWS] = true;
	interval_sample(interval, &sample);
}

static void peaks_are_averages_over_a_sample(void **state)
{
	struct interval interval = { .rate_min_ms = 5000 };
	struct totals base = { 0 };

	(void)state;
	interval_begin(&interval);
	take(&interval, 0, 1000, 5);
	take(&interval, 10000, 101000, 9);
	take(&interval, 10001, 901000, 2); /* too short to be a rate */
	take(&interval, 20001, 951000, 4);
	base.sum[METRIC_BYTES_IN_FROM_SOURCE] = 500;
	interval_end(&interval, &base);
	assert_float_equal(interval.nat[METRIC_PEAK_BYTES_PER_SECOND].maximum, 10000, 0.001);
	assert_float_equal(interval.nat[METRIC_BYTES_IN_FROM_SOURCE].sum, 950500, 0);
	assert_float_equal(interval.nat[METRIC_FLOWS].minimum, 2, 0);
	assert_float_equal(interval.nat[METRIC_FLOWS].maximum, 9, 0);
	assert_float_equal(interval.nat[METRIC_FLOWS].samples, 4, 0);
	assert_true(interval.nat[METRIC_PORT_USE].samples == 0);
	interval_begin(&interval);
	take(&interval, 30001, 951000, 4);
	assert_float_equal(interval.nat[METRIC_PEAK_BYTES_PER_SECOND].maximum, 0, 0);
}

static void an_interval_ends_once(void **state)
{
	static const struct {
		int64_t wall, ends;
	} steps[] = {
		{ 60000, 60000 },			/* on time */
		{ 70000, 0 },				/* a sample between */
		{ 126000, 120000 },			/* late: its end is where it belongs */
		{ 130000, 0 },				/* in time again */
		{ 180001, 180000 }, { 310000, 300000 }, /* the machine stood still */
		{ 290000, 0 },				/* the clock was set back */
		{ 300000, 300000 },
	};
	int64_t seen = 59000;

	(void)state;
	for (unsigned int i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		assert_int_equal(interval_over(&seen, steps[i].wall, 60000), steps[i].ends);
}

static void a_counter_may_begin_anew(void **state)
{
	(void)state;
	assert_int_equal(counter_since(10, 4), 6);
	assert_int_equal(counter_since(3, 4), 3);
}

static void what_is_kept_survives(void **state)
{
	struct natxdp_agent map = { 0 };
	struct totals totals = { 0 };
	struct keep *keep = keep_open(&map);

	(void)state;
	assert_int_equal(keep->count[KEEP_STARTS], 1);
	assert_int_equal(keep_last(keep)->time_ms, 0);
	assert_false(keep->drain);
	keep->drain = true;
	totals.sum[METRIC_NEW_FLOWS] = 7;
	keep_save(keep, &totals, 1000);
	keep_add(keep, KEEP_RECORDS, 5);
	keep = keep_open(&map);
	assert_int_equal(keep->count[KEEP_STARTS], 2);
	assert_int_equal(keep->count[KEEP_RECORDS], 5);
	assert_true(keep->drain);
	assert_int_equal(keep_last(keep)->time_ms, 1000);
	assert_int_equal(keep_last(keep)->totals.sum[METRIC_NEW_FLOWS], 7);
	keep->version = 99; /* of a later agent */
	keep = keep_open(&map);
	assert_int_equal(keep->count[KEEP_STARTS], 1);
	assert_int_equal(keep_last(keep)->time_ms, 0);
	assert_false(keep->drain);
}

static void health_names_the_first_fault(void **state)
{
	static const struct {
		struct health_facts facts;
		const char *says; /* NULL: well */
	} cases[] = {
		{ { true, 2, 2, 0, NULL, 0, 0, false, NULL }, NULL },
		{ { true, 2, 2, 0, NULL, 0, 0, true, NULL }, NULL },
		{ { false, 2, 2, 0, NULL, 0, 0, false, NULL }, "not active" },
		{ { true, 2, 1, 0, NULL, 0, 0, false, NULL }, "interfaces" },
		{ { true, 0, 0, 0, NULL, 0, 0, false, NULL }, "interfaces" },
		{ { true, 2, 2, 0, NULL, HEALTH_SWEEP_MAX_MS + 1, 0, false, NULL }, "timer" },
		{ { true, 2, 2, 0, NULL, 0, HEALTH_COUNTERS_MAX_MS + 1, false, NULL }, "counters" },
		{ { true, 2, 2, 0, NULL, 0, 0, false, "was dropped" }, "was dropped" },
		{ { true, 2, 2, HEALTH_LINK_MAX_MS, "eth0 has none", 0, 0, false, NULL }, NULL },
		{ { true, 2, 2, HEALTH_LINK_MAX_MS + 1, "eth0 has none", 0, 0, false, NULL },
		  "eth0 has none" },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *fault = health_fault(&cases[i].facts);

		assert_int_equal(!fault, !cases[i].says);
		if (fault)
			assert_non_null(strstr(fault, cases[i].says));
		assert_int_equal(!health_unready(&cases[i].facts),
				 !fault && !cases[i].facts.draining);
	}
}

static void a_drain_ends_when_nothing_is_left(void **state)
{
	static const struct solo_rule rule = { .quiet = 15, .bound = 100 };
	static const struct {
		int64_t now, flows;
		bool draining, drained, late;
	} steps[] = {
		{ 1000, 5, false, false, false },
		{ 1001, 5, true, false, false },
		{ 1010, 0, true, false, false }, /* the load balancer may not know yet */
		{ 1020, 1, true, false, false }, /* it did not */
		{ 1030, 0, true, false, false },
		{ 1040, -1, true, false, false }, /* what nobody knows is not quiet */
		{ 1045, 0, true, false, false },
		{ 1059, 0, true, false, false },
		{ 1060, 0, true, true, false },
		{ 1061, 3, true, true, false }, /* said is said */
		{ 1200, 3, true, true, false },
		{ 1201, 3, false, false, false }, /* taken back */
		{ 1202, 3, true, false, false },
		{ 1301, 3, true, false, false },
		{ 1302, 3, true, true, true },
		{ 1303, 3, true, true, true },
		{ 1400, 0, false, false, false },
		{ 1401, 0, true, false, false },
		{ 1416, 0, true, true, false },
	};
	struct solo_progress progress = { 0 };

	(void)state;
	for (unsigned int i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		solo_advance(&progress, &rule, steps[i].draining, steps[i].flows, steps[i].now);
		assert_int_equal(progress.drained, steps[i].drained);
		assert_int_equal(progress.late, steps[i].late);
	}
}

static void a_sketch_finds_the_heavy_ones(void **state)
{
	static struct sketch sketch;
	struct sketch_item top[4];

	(void)state;
	sketch_clear(&sketch);
	for (uint64_t key = 1; key <= 200000; key++)
		sketch_add(&sketch, key, 1, 1);
	for (int i = 0; i < 5; i++) {
		sketch_add(&sketch, 1000000, 5000, 1);
		sketch_add(&sketch, 1000001, 3000, 1);
	}
	assert_int_equal(sketch.total, 240000);
	assert_int_equal(sketch_top(&sketch, top, 4), 4);
	assert_int_equal(top[0].key, 1000000);
	assert_int_equal(top[1].key, 1000001);
	assert_in_range(top[0].weight, 25000, 25000 + top[0].error);
	assert_int_equal(top[0].weight - top[0].error, 25000);
	assert_true(top[2].weight < 200);
}

static void softirq_reads_what_the_kernel_writes(void **state)
{
	struct softirq_cpu cpu[CPUS_MAX];

	(void)state;
	assert_int_equal(softirq_parse("cpu  9 9 9 9 9 9 9 9 9 9\n"
				       "cpu0 1 2 3 4 5 6 7 8 90 90\ncpu1 0 0 0 10 0 0 30 0\n"
				       "intr 5\ncpu2 1 1 1 1 1 1 1 1\n",
				       cpu),
			 2);
	assert_int_equal(cpu[0].all, 36);
	assert_int_equal(cpu[0].softirq, 7);
	assert_int_equal(cpu[1].all, 40);
	assert_int_equal(softirq_parse("", cpu), 0);
	assert_int_equal(softirq_parse("cpu0", cpu), 1);
	assert_int_equal(cpu[0].all, 0);
}

static struct natxdp_record closed(uint8_t proto, enum natxdp_state state)
{
	struct natxdp_record r = { .kind = NATXDP_RECORD_CLOSE, .state = state };

	r.key.proto = proto;
	r.key.saddr = inet_addr("10.1.2.3");
	r.key.daddr = inet_addr("192.0.2.1");
	r.key.sport = htons(1234);
	r.key.dport = htons(443);
	r.new_saddr = inet_addr("198.51.100.7");
	r.new_sport = htons(50000);
	r.bytes_out = 1000;
	r.first_seen = 100;
	r.last_seen = 160;
	r.now = 200;
	return r;
}

static void records_say_how_it_ended(void **state)
{
	struct record_clock clock = { 1700000000000, 200 };
	struct natxdp_record r = closed(IPPROTO_TCP, NATXDP_STATE_TCP_CLOSING);
	char text[RECORD_JSON_MAX];
	cJSON *json;

	(void)state;
	assert_int_equal(record_time(&clock, 200), clock.wall_ms);
	assert_int_equal(record_time(&clock, 260), clock.wall_ms + 1006);
	assert_int_equal(record_time(&(struct record_clock){ 5000, 5 }, 0xfffffff6), 5000 - 251);
	assert_string_equal(record_reason(&r), "fin");
	r.state = NATXDP_STATE_TCP_RESET;
	assert_string_equal(record_reason(&r), "rst");
	r.state = NATXDP_STATE_TCP_ESTABLISHED;
	assert_string_equal(record_reason(&r), "idle");
	r.state = NATXDP_STATE_TCP_OPENING;
	assert_string_equal(record_reason(&r), "unanswered");
	r.flags = NATXDP_RECORD_ENDED;
	assert_string_equal(record_reason(&r), "ended");
	memset(&r.packets_out, 0xff, 32);
	r.flags = 0xff;
	assert_true(record_json(&r, &clock, text) < RECORD_JSON_MAX - 1);
	json = cJSON_Parse(text);
	assert_non_null(json);
	assert_string_equal(cJSON_GetObjectItem(json, "start")->valuestring,
			    "2023-11-14T22:13:18.323Z");
	assert_int_equal(cJSON_GetObjectItem(json, "duration_ms")->valueint, 1006);
	cJSON_Delete(json);
}

static void filters_take_what_they_should(void **state)
{
	struct natxdp_record r = closed(IPPROTO_UDP, NATXDP_STATE_UDP_REPLIED);
	struct conf conf;

	(void)state;
	conf_init(&conf);
	assert_true(record_wanted(&r, &conf));
	conf.record_protocols = 1; /* tcp */
	assert_false(record_wanted(&r, &conf));
	conf.record_protocols = 2;
	assert_true(record_wanted(&r, &conf));
	conf.record_min_bytes = 1001;
	assert_false(record_wanted(&r, &conf));
	conf.record_min_bytes = 1000;
	conf.record_inside.count = 1;
	conf.record_inside.item[0] = (struct natxdp_prefix){ 16, inet_addr("10.1.0.0") };
	assert_true(record_wanted(&r, &conf));
	conf.record_inside.item[0].addr = inet_addr("10.2.0.0");
	assert_false(record_wanted(&r, &conf));
}

static void notices_are_what_the_documents_say(void **state)
{
	static const struct {
		enum notice_kind kind;
		const char *text;
		bool there, leaving;
		const char *says;
	} cases[] = {
		{ NOTICE_ZONE, "eu-central-1a", true, false, "eu-central-1a" },
		{ NOTICE_ZONE, "<html>no</html>", false, false, "" },
		{ NOTICE_ZONE, NULL, false, false, "" },
		{ NOTICE_SPOT, "{\"action\":\"terminate\",\"time\":\"T\"}", true, true,
		  "terminate at T" },
		{ NOTICE_SPOT, "{\"action\":\"hibernate\",\"time\":\"T\"}", true, false,
		  "hibernate at T" },
		{ NOTICE_SPOT, "{\"action\":5}", false, false, "" },
		{ NOTICE_SPOT, "nonsense", false, false, "" },
		{ NOTICE_REBALANCE, "{\"noticeTime\":\"T\"}", true, true, "noticed at T" },
		{ NOTICE_LIFECYCLE, "InService", true, false, "InService" },
		{ NOTICE_LIFECYCLE, "Terminated", true, true, "Terminated" },
		{ NOTICE_SCHEDULED, "[]", false, false, "" },
		{ NOTICE_SCHEDULED,
		  "[{\"State\":\"completed\"},{\"State\":\"active\",\"Code\":\"c\","
		  "\"NotBefore\":\"T\"}]",
		  true, false, "c not before T" },
	};
	struct notice notice;

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		notice_parse(cases[i].kind, cases[i].text,
			     cases[i].text ? strlen(cases[i].text) : 0, &notice);
		assert_int_equal(notice.there, cases[i].there);
		assert_int_equal(notice.leaving, cases[i].leaving);
		assert_string_equal(notice.text, cases[i].says);
	}
}

static void talkers_are_embedded_metrics(void **state)
{
	struct sketch_item item = { .key = inet_addr("10.1.2.3"), .weight = 12345 };
	char *text = report_event("nat", "az", TALKER_SOURCE, 1, &item, 1700000000000);
	cJSON *json = cJSON_Parse(text);

	(void)state;
	assert_non_null(json);
	assert_string_equal(cJSON_GetObjectItem(json, "Talker")->valuestring, "10.1.2.3");
	assert_int_equal(cJSON_GetObjectItem(json, "TopTalkerBytes")->valueint, 12345);
	cJSON_Delete(json);
	free(text);
}

struct driver {
	const char *name;
	uint64_t value;
};

/* What ena_get_strings() and ena_get_ethtool_stats() answer; a name of 32 bytes has no end. */
static bool ask_driver(const struct driver *driver, unsigned int count, struct sample *sample)
{
	struct ethtool_gstrings *names = calloc(1,
						sizeof(*names) + (size_t)count * ETH_GSTRING_LEN);
	struct ethtool_stats *stats = calloc(1, sizeof(*stats) + count * sizeof(*stats->data));
	bool found;

	names->len = stats->n_stats = count;
	for (unsigned int i = 0; i < count; i++) {
		memcpy(names->data + (size_t)i * ETH_GSTRING_LEN, driver[i].name,
		       strnlen(driver[i].name, ETH_GSTRING_LEN));
		stats->data[i] = driver[i].value;
	}
	found = ena_take(names, stats, &sample->totals, &sample->gauges);
	free(names);
	free(stats);
	return found;
}

static void ena_counts_what_ec2_throttles(void **state)
{
	static const struct driver ena[] = {
		{ "total_resets", 1 },
		{ "bw_in_allowance_exceeded", 11 },
		{ "bw_out_allowance_exceeded", 1ull << 40 },
		{ "pps_allowance_exceeded", 13 },
		{ "conntrack_allowance_exceeded", 14 },
		{ "linklocal_allowance_exceeded", 15 },
		{ "conntrack_allowance_available", 136812 },
		{ "queue_0_tx_cnt", 99 },
		{ "pps_allowance_exceeded_and_longer", 99 }, /* 33 bytes */
	};
	static const struct driver virtio[] = { { "rx_queue_0_packets", 7 }, { "", 8 } };
	struct sample sample = { 0 }, two = { 0 };

	(void)state;
	assert_true(ask_driver(ena, sizeof(ena) / sizeof(*ena), &sample));
	assert_int_equal(sample.totals.sum[METRIC_ALLOWANCE_BW_IN], 11);
	assert_true(sample.totals.sum[METRIC_ALLOWANCE_BW_OUT] == 1ull << 40);
	assert_int_equal(sample.totals.sum[METRIC_ALLOWANCE_PPS], 13);
	assert_int_equal(sample.totals.sum[METRIC_ALLOWANCE_CONNTRACK], 14);
	assert_int_equal(sample.totals.sum[METRIC_ALLOWANCE_LINKLOCAL], 15);
	assert_true(sample.gauges.known[METRIC_CONNTRACK_AVAILABLE]);
	assert_float_equal(sample.gauges.value[METRIC_CONNTRACK_AVAILABLE], 136812, 0);
	/* those of two interfaces are added */
	assert_true(ask_driver(&ena[3], 1, &sample));
	assert_int_equal(sample.totals.sum[METRIC_ALLOWANCE_PPS], 26);
	/* an old driver has no gauge, another one nothing at all */
	assert_true(ask_driver(ena, 6, &two));
	assert_false(two.gauges.known[METRIC_CONNTRACK_AVAILABLE]);
	memset(&two, 0, sizeof(two));
	assert_false(ask_driver(virtio, 2, &two));
	assert_false(ask_driver(NULL, 0, &two));
	assert_int_equal(two.totals.sum[METRIC_ALLOWANCE_PPS], 0);
}

/* The driver counts anew after a reset (EC2 User Guide): nothing is lost, nothing is huge. */
static void allowances_survive_a_reset_of_the_driver(void **state)
{
	struct interval interval = { 0 };
	struct sample sample = { 0 };
	struct totals base;

	(void)state;
	interval_begin(&interval);
	sample.totals.sum[METRIC_ALLOWANCE_PPS] = 1000;
	interval_sample(&interval, &sample);
	interval_end(&interval, &sample.totals);
	assert_float_equal(interval.nat[METRIC_ALLOWANCE_PPS].sum, 0, 0);
	base = sample.totals;
	interval_begin(&interval);
	sample.totals.sum[METRIC_ALLOWANCE_PPS] = 7;
	interval_sample(&interval, &sample);
	interval_end(&interval, &base);
	assert_float_equal(interval.nat[METRIC_ALLOWANCE_PPS].sum, 7, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reasons_have_the_right_side),
		cmocka_unit_test(peaks_are_averages_over_a_sample),
		cmocka_unit_test(an_interval_ends_once),
		cmocka_unit_test(a_counter_may_begin_anew),
		cmocka_unit_test(what_is_kept_survives),
		cmocka_unit_test(health_names_the_first_fault),
		cmocka_unit_test(a_drain_ends_when_nothing_is_left),
		cmocka_unit_test(a_sketch_finds_the_heavy_ones),
		cmocka_unit_test(softirq_reads_what_the_kernel_writes),
		cmocka_unit_test(records_say_how_it_ended),
		cmocka_unit_test(filters_take_what_they_should),
		cmocka_unit_test(notices_are_what_the_documents_say),
		cmocka_unit_test(talkers_are_embedded_metrics),
		cmocka_unit_test(ena_counts_what_ec2_throttles),
		cmocka_unit_test(allowances_survive_a_reset_of_the_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
