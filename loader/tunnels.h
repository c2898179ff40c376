/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The tunnels of a NAT behind load balancers, as the data plane has learned them. */
#ifndef NATXDP_TUNNELS_H
#define NATXDP_TUNNELS_H

#include <stdbool.h>
#include <stdint.h>

#include <natxdp/tunnel.h>

struct nat;

/* Host order. */
struct tunnel_id {
	uint64_t endpoint;
	uint64_t attachment;
	uint32_t vni;
};

/* All of them, by index, of the running NAT. NULL if it has none, or they cannot be mapped. */
const struct natxdp_tunnel *tunnels_map(const struct nat *nat);
void tunnels_unmap(const struct natxdp_tunnel *tunnels);

void tunnel_read_id(const struct natxdp_tunnel *tunnel, struct tunnel_id *id);

/* Is there one at this index, that a load balancer has made? Probes have an endpoint of 0. */
bool tunnel_is_real(const struct natxdp_tunnel *tunnel);

/* The sum over all CPUs. Returns 0 or -errno. */
int tunnel_count(const struct nat *nat, uint32_t index, struct natxdp_tunnel_counters *sum);

#endif
