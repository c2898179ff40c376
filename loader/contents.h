/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What user space tells the data plane, apart from the maps that hold it:
 * made of a plan, read from a NAT, compared with another. Pure functions;
 * fill.c moves contents between here and the maps. Large: keep it off the stack.
 */
#ifndef NATXDP_CONTENTS_H
#define NATXDP_CONTENTS_H

#include <stdbool.h>

#include <natxdp/config.h>
#include <natxdp/tunnel.h>

#include "pool.h"
#include "values.h"

struct plan;

struct own_addr {
	__be32 addr;
	__u32 pool; /* index, or NATXDP_OWN_ADDR */
};

struct own_addr_list {
	unsigned int count;
	struct own_addr item[NATXDP_OWN_ADDRS_MAX];
};

struct contents {
	struct natxdp_config config;
	struct pool pool;
	struct natxdp_host_ports host_ports;
	struct own_addr_list own;
	struct prefix_list inside_nets;
	__u32 inside_group[NATXDP_PREFIXES_MAX]; /* of each */
	struct prefix_list no_nat_nets;
	__u32 dev[NATXDP_DEVS_MAX]; /* ifindex; 0: none */
	struct natxdp_tunnel_conf tunnel;
};

/*
 * What @plan makes of a NAT that has @now; @used are the external addresses
 * that flows hold. Returns 0, -ENOSPC if the addresses that drain leave too
 * few, -E2BIG if this host has too many addresses.
 */
int contents_make(struct contents *wanted, const struct contents *now,
		  const bool used[NATXDP_POOL_MAX], const struct plan *plan);

/*
 * Makes an address that an operator drains drain in @wanted too. Returns how
 * many, and calls @each (may be NULL) with their addresses.
 */
unsigned int contents_keep_drains(struct contents *wanted, const struct contents *now,
				  void (*each)(__be32 addr, void *data), void *data);

/* NULL if it is not in the list */
const struct own_addr *own_addrs_find(const struct own_addr_list *list, __be32 addr);
bool prefix_list_has(const struct prefix_list *list, const struct natxdp_prefix *prefix);

/* One difference, for people: "timeout of udp", "60 s", "350 s". */
struct difference {
	char what[64];
	char found[96];
	char needed[96];
};

/*
 * Writes the first @max differences and returns how many there are. The order
 * of lists does not matter.
 */
unsigned int contents_compare(const struct contents *found, const struct contents *needed,
			      struct difference *differences, unsigned int max);

#endif
