/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "abi.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include <natxdp/reasons.h>

/* As version 2 has them. */
struct config_2 {
	__u32 abi, active, two_armed, max_flows, pool_count, tcp_midstream;
	__u32 timeout[NATXDP_TIMEOUTS];
	__u32 outside_ifindex, features;
	__u8 mapping[NATXDP_CLASSES + 1], filtering[NATXDP_CLASSES + 1];
	__u32 mss_clamp, limit_flows, limit_rate, egress_mtu, record_bytes;
	__be32 dev_addr[NATXDP_DEVS_MAX];
	struct natxdp_geometry geometry;
};

enum { REASONS_2 = 37, EVENTS_2 = 11 };

_Static_assert(sizeof(struct config_2) == 200, "version 2 is what it was");

static void config_of_2(const void *raw, struct natxdp_config *config)
{
	const struct config_2 *old = raw;

	config->active = old->active;
	config->two_armed = old->two_armed;
	config->max_flows = old->max_flows;
	config->pool_count = old->pool_count;
	config->tcp_midstream = old->tcp_midstream;
	memcpy(config->timeout, old->timeout, sizeof(config->timeout));
	config->outside_ifindex = old->outside_ifindex;
	config->features = old->features;
	memcpy(config->mapping, old->mapping, sizeof(config->mapping));
	memcpy(config->filtering, old->filtering, sizeof(config->filtering));
	config->mss_clamp = old->mss_clamp;
	config->limit_flows = old->limit_flows;
	config->limit_rate = old->limit_rate;
	config->egress_mtu = old->egress_mtu;
	config->record_bytes = old->record_bytes;
	memcpy(config->dev_addr, old->dev_addr, sizeof(config->dev_addr));
	config->geometry = old->geometry;
}

static void config_of_this(const void *raw, struct natxdp_config *config)
{
	memcpy(config, raw, sizeof(*config));
}

static const struct reader {
	__u32 abi;
	size_t config_size;
	void (*config)(const void *raw, struct natxdp_config *config);
} readers[] = {
	{ 2, sizeof(struct config_2), config_of_2 },
	{ NATXDP_ABI, sizeof(struct natxdp_config), config_of_this },
};

int abi_read_config(int fd, struct natxdp_config *config)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info), zero = 0, raw[1024];

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	if (info.value_size > sizeof(raw))
		return -EPROTO;
	if (bpf_map_lookup_elem(fd, &zero, raw))
		return -errno;
	for (size_t i = 0; i < sizeof(readers) / sizeof(*readers); i++) {
		if (readers[i].abi != raw[0] || readers[i].config_size != info.value_size)
			continue;
		memset(config, 0, sizeof(*config));
		config->abi = raw[0];
		readers[i].config(raw, config);
		return config->abi;
	}
	return -EPROTO;
}

bool abi_can_carry(enum nat_map map)
{
	return map == NAT_MAP_counters;
}

struct abi_counters {
	int from;
	int program; /* natxdp_carry of the new NAT */
	int cpus;
	size_t value_size;
	struct natxdp_counters seen;
	__u64 raw[];
};

struct abi_counters *abi_counters_new(const struct nat *from, const struct nat *to)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);
	int cpus = libbpf_num_possible_cpus();
	struct abi_counters *counters;

	if (cpus < 0 || bpf_obj_get_info_by_fd(from->map[NAT_MAP_counters], &info, &size))
		return NULL;
	counters = calloc(1, sizeof(*counters) + (size_t)cpus * info.value_size);
	if (!counters)
		return NULL;
	counters->from = from->map[NAT_MAP_counters];
	counters->program = nat_program(to, NAT_PROGRAM_CARRY);
	counters->cpus = cpus;
	counters->value_size = info.value_size;
	return counters;
}

/* Of all CPUs, in the layout of this version. */
static int add_up(struct abi_counters *counters, struct natxdp_counters *sum)
{
	__u64 *raw = counters->raw;
	__u32 zero = 0;

	memset(sum, 0, sizeof(*sum));
	if (counters->value_size != (2 * REASONS_2 + EVENTS_2) * sizeof(*raw))
		return -EPROTO;
	if (bpf_map_lookup_elem(counters->from, &zero, raw))
		return -errno;
	for (int cpu = 0; cpu < counters->cpus; cpu++, raw += 2 * REASONS_2 + EVENTS_2) {
		for (int i = 0; i < REASONS_2; i++) {
			sum->packets[i] += raw[i];
			sum->bytes[i] += raw[REASONS_2 + i];
		}
		for (int i = 0; i < EVENTS_2; i++)
			sum->events[i] += raw[2 * REASONS_2 + i];
	}
	return 0;
}

int abi_counters_carry(struct abi_counters *counters)
{
	struct natxdp_counters now, delta;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = &delta, .data_size_in = sizeof(delta),
		    .repeat = 1);
	__u64 *word = (__u64 *)&delta;
	int ret = add_up(counters, &now);

	if (ret)
		return ret;
	delta = now;
	for (size_t i = 0; i < sizeof(delta) / sizeof(*word); i++)
		word[i] -= ((__u64 *)&counters->seen)[i];
	if (bpf_prog_test_run_opts(counters->program, &run))
		return -errno;
	counters->seen = now;
	return run.retval == XDP_PASS ? 0 : -EPROTO;
}

void abi_counters_free(struct abi_counters *counters)
{
	free(counters);
}
