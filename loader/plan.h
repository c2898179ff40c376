/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The settings as they come out on this host: indexes, addresses, pool. */
#ifndef NATXDP_PLAN_H
#define NATXDP_PLAN_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "pool.h"
#include "rtnl.h"

struct err;
struct settings;

struct plan_dev {
	uint32_t ifindex;
	char name[IFNAMSIZ];
	uint32_t mtu;
};

struct plan {
	const struct settings *settings;
	bool two_armed;
	bool gwlb; /* the inside is behind load balancers */
	unsigned int dev_count;
	struct plan_dev dev[NATXDP_DEVS_MAX]; /* numbered as enum natxdp_dev */
	struct pool pool;
	struct host_addrs addrs;
};

/* Where the argument IFACE may be `auto`: the interface that leads to the internet. */
int plan_iface(char name[IFNAMSIZ], const char *word, struct err *err);

/* Looks at this host and changes nothing. @settings must outlive @plan. */
int plan_make(struct plan *plan, const struct settings *settings, const char *iface,
	      struct err *err);

/* What `auto` is, of an interface with this MTU. */
uint32_t plan_egress_mtu(const struct settings *settings, uint32_t dev_mtu);
uint32_t plan_mss_clamp(const struct settings *settings, uint32_t dev_mtu);

/* Largest inner packet that fits into GENEVE on an interface with this MTU. */
uint32_t plan_tunnel_mtu(uint32_t dev_mtu);

/* The pool that the settings ask for, given the address that `auto` means. */
int plan_pool(struct pool *pool, const struct settings *settings, __be32 first);

#endif
