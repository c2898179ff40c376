/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What came and went through the endpoints of Gateway Load Balancers since the NAT was loaded. */
#ifndef NATXDP_AGENT_ENDPOINTS_H
#define NATXDP_AGENT_ENDPOINTS_H

#include <stdint.h>

#include <natxdp/tunnel.h>

#include "metrics.h"

struct nat;

/* All tunnels of an endpoint: a load balancer has an address in each zone. */
struct endpoint {
	uint64_t id;
	struct natxdp_tunnel_counters sum;
};

struct endpoints {
	struct endpoint *item; /* owned; see endpoints_free() */
	unsigned int count;
};

/* None where the NAT has no tunnels; those that cannot be read are left out. */
void endpoints_read(struct endpoints *endpoints, const struct nat *nat);
void endpoints_free(struct endpoints *endpoints);

/* @metric: one with dimensions ENDPOINT. */
uint64_t endpoint_value(const struct endpoint *endpoint, enum metric metric);

#endif
