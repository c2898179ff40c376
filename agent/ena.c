/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "ena.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { STATS_MAX = 4096 };

static const struct {
	const char *name;
	enum metric metric;
} allowances[] = {
	{ "bw_in_allowance_exceeded", METRIC_ALLOWANCE_BW_IN },
	{ "bw_out_allowance_exceeded", METRIC_ALLOWANCE_BW_OUT },
	{ "pps_allowance_exceeded", METRIC_ALLOWANCE_PPS },
	{ "conntrack_allowance_exceeded", METRIC_ALLOWANCE_CONNTRACK },
	{ "linklocal_allowance_exceeded", METRIC_ALLOWANCE_LINKLOCAL },
	{ "conntrack_allowance_available", METRIC_CONNTRACK_AVAILABLE },
};

static bool ask(int fd, const char *iface, void *command)
{
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", iface);
	ifr.ifr_data = command;
	return !ioctl(fd, SIOCETHTOOL, &ifr);
}

static uint32_t count_stats(int fd, const char *iface)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };

	return ask(fd, iface, &info) && info.n_stats <= STATS_MAX ? info.n_stats : 0;
}

static bool take(const char *name, uint64_t value, struct totals *totals, struct gauges *gauges)
{
	for (unsigned int i = 0; i < sizeof(allowances) / sizeof(*allowances); i++) {
		enum metric metric = allowances[i].metric;

		if (strncmp(name, allowances[i].name, ETH_GSTRING_LEN))
			continue;
		if (metric_info[metric].kind == KIND_SUM) {
			totals->sum[metric] += value;
		} else {
			gauges->value[metric] = value;
			gauges->known[metric] = true;
		}
		return true;
	}
	return false;
}

bool ena_take(const struct ethtool_gstrings *names, const struct ethtool_stats *stats,
	      struct totals *totals, struct gauges *gauges)
{
	uint32_t count = names->len < stats->n_stats ? names->len : stats->n_stats;
	bool found = false;

	for (uint32_t i = 0; i < count; i++)
		found |= take((const char *)names->data + i * ETH_GSTRING_LEN, stats->data[i],
			      totals, gauges);
	return found;
}

bool ena_read(int fd, const char *iface, struct totals *totals, struct gauges *gauges)
{
	uint32_t count = count_stats(fd, iface);
	struct ethtool_gstrings *names;
	struct ethtool_stats *stats;
	bool found = false;

	if (!count)
		return false;
	names = calloc(1, sizeof(*names) + (size_t)count * ETH_GSTRING_LEN);
	stats = calloc(1, sizeof(*stats) + count * sizeof(*stats->data));
	if (names && stats) {
		names->cmd = ETHTOOL_GSTRINGS;
		names->string_set = ETH_SS_STATS;
		names->len = count;
		stats->cmd = ETHTOOL_GSTATS;
		stats->n_stats = count;
		found = ask(fd, iface, names) && ask(fd, iface, stats) &&
			ena_take(names, stats, totals, gauges);
	}
	free(names);
	free(stats);
	return found;
}
