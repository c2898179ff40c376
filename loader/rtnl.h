/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Requests to rtnetlink, and the addresses of this host. */
#ifndef NATXDP_RTNL_H
#define NATXDP_RTNL_H

#include <libmnl/libmnl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <natxdp/config.h>

struct host_addr {
	__be32 addr;
	uint32_t ifindex;
	bool secondary;
};

struct host_addrs {
	unsigned int count;
	struct host_addr item[NATXDP_OWN_ADDRS_MAX];
};

/* Every IPv4 address of this network namespace. Returns 0 or -errno. */
int rtnl_addrs(struct host_addrs *addrs);

/* The first primary address of an interface, 0 if it has none. */
__be32 host_addrs_first(const struct host_addrs *addrs, uint32_t ifindex);
bool host_addrs_has(const struct host_addrs *addrs, __be32 addr);

/*
 * The way to the internet: by which interface and gateway (0: none, it is on the link).
 * Returns 0, -ENETUNREACH without such a route, or -errno.
 */
int rtnl_way_out(uint32_t *ifindex, __be32 *gateway);

/* Lets the kernel confirm a neighbour as if it had just been used. */
int rtnl_use_neighbour(struct mnl_socket *socket, uint32_t ifindex, __be32 addr);

#endif
