/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The allowance counters of the ENA driver (EC2 User Guide, "Monitor network
 * performance for ENA settings"): they say when EC2 throttles the instance.
 */
#ifndef NATXDP_AGENT_ENA_H
#define NATXDP_AGENT_ENA_H

#include <stdbool.h>

#include "interval.h"

struct ethtool_gstrings;
struct ethtool_stats;

/*
 * Adds what the driver of @iface counts to the totals and gauges. Other drivers
 * have none of it: false. Needs no rights.
 */
bool ena_read(int socket_fd, const char *iface, struct totals *totals, struct gauges *gauges);

/* The same of what a driver has answered: names of ETH_GSTRING_LEN bytes, not all of them ended. */
bool ena_take(const struct ethtool_gstrings *names, const struct ethtool_stats *stats,
	      struct totals *totals, struct gauges *gauges);

#endif
