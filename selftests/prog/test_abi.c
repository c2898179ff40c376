/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What older versions have left: config and counters of version 2, byte by byte. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cmocka.h>

#include "abi.h"
#include "box.h"
#include "nat.h"

enum { CONFIG_2 = 200, WORDS_2 = 37 + 37 + 11 };

static int config_map(const uint32_t *raw, size_t size)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "config", 4, size, 1, NULL);
	uint32_t zero = 0;

	assert_true(fd >= 0);
	assert_int_equal(bpf_map_update_elem(fd, &zero, raw, BPF_ANY), 0);
	return fd;
}

/* Each word has its own number as its value, but for the version. */
static void test_config_of_2(void **state)
{
	struct natxdp_config config;
	uint32_t raw[CONFIG_2 / 4];
	int fd;

	(void)state;
	for (uint32_t i = 0; i < CONFIG_2 / 4; i++)
		raw[i] = i;
	raw[0] = 2;
	fd = config_map(raw, sizeof(raw));
	assert_int_equal(abi_read_config(fd, &config), 2);
	assert_int_equal(config.abi, 2);
	assert_int_equal(config.active, 1);
	assert_int_equal(config.max_flows, 3);
	assert_int_equal(config.tcp_midstream, 5);
	assert_int_equal(config.timeout[NATXDP_TIMEOUT_TCP_CLOSING], 11);
	assert_int_equal(config.outside_ifindex, 12);
	assert_int_equal(config.mapping[0], 14);
	assert_int_equal(config.filtering[0], 15);
	assert_int_equal(config.mss_clamp, 16);
	assert_int_equal(config.egress_mtu, 19);
	assert_int_equal(config.record_bytes, 20);
	assert_int_equal(config.dev_addr[0], 21);
	assert_int_equal(config.dev_addr[NATXDP_DEVS_MAX - 1], 36);
	assert_int_equal(config.geometry.hash_key[0], 38 | 39ull << 32);
	assert_int_equal(config.geometry.groups, 48);
	close(fd);
}

static void test_config_of_strangers(void **state)
{
	struct natxdp_config config = { .abi = NATXDP_ABI };
	uint32_t raw[64] = { 99, 1 };
	int fd;

	(void)state;
	fd = config_map((uint32_t *)&config, sizeof(config));
	assert_int_equal(abi_read_config(fd, &config), NATXDP_ABI);
	close(fd);
	fd = config_map(raw, CONFIG_2); /* a version to come */
	assert_int_equal(abi_read_config(fd, &config), -EPROTO);
	close(fd);
	raw[0] = 2;
	fd = config_map(raw, CONFIG_2 + 4); /* a version 2 that never was */
	assert_int_equal(abi_read_config(fd, &config), -EPROTO);
	close(fd);
	assert_true(abi_read_config(-1, &config) < 0);
}

/* Twice: what was counted before the first call, and between the two. */
static void test_counters_of_2(void **state)
{
	struct box_options options = { .inserter = true };
	struct box *box = box_open(&options);
	int cpus = libbpf_num_possible_cpus();
	uint64_t *raw = calloc(cpus, WORDS_2 * sizeof(*raw));
	struct abi_counters *counters;
	struct nat from, to;
	uint32_t zero = 0;

	(void)state;
	nat_init(&from);
	nat_init(&to);
	to.object = box_object(box);
	from.map[NAT_MAP_counters] = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "counters", 4,
						    WORDS_2 * sizeof(*raw), 1, NULL);
	counters = abi_counters_new(&from, &to);
	assert_non_null(counters);
	for (uint64_t round = 1; round <= 2; round++) {
		for (int cpu = 0; cpu < cpus; cpu++) {
			raw[cpu * WORDS_2 + 36] = 100 * round;	 /* packets answered with RST */
			raw[cpu * WORDS_2 + 74 + 5] = 7 * round; /* passes of the sweeper */
			raw[cpu * WORDS_2 + 74 + 10] = 1 << 30;	 /* records lost */
		}
		assert_int_equal(bpf_map_update_elem(from.map[NAT_MAP_counters], &zero, raw,
						     BPF_ANY),
				 0);
		assert_int_equal(abi_counters_carry(counters), 0);
		assert_int_equal(box_reason(box, NATXDP_REPLY_RST), 100 * round * cpus);
		assert_int_equal(box_event(box, NATXDP_EVENT_RECORDS_LOST), (uint64_t)cpus << 30);
		assert_in_range(box_event(box, NATXDP_EVENT_SWEEP_PASSES), 7 * round * cpus,
				7 * round * cpus + 100);
	}
	abi_counters_free(counters);
	close(from.map[NAT_MAP_counters]);
	free(raw);
	box_forget(box); /* its counters do not add up now */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_of_2),
		cmocka_unit_test(test_config_of_strangers),
		cmocka_unit_test(test_counters_of_2),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
