/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "endpoints.h"

#include <stdlib.h>
#include <string.h>

#include "nat.h"
#include "tunnels.h"

static struct endpoint *find(struct endpoints *endpoints, uint64_t id)
{
	unsigned int i = 0;

	while (i < endpoints->count && endpoints->item[i].id != id)
		i++;
	if (i == endpoints->count) {
		endpoints->item[i].id = id;
		endpoints->count++;
	}
	return &endpoints->item[i];
}

static void add(struct natxdp_tunnel_counters *sum, const struct natxdp_tunnel_counters *more)
{
	sum->out_packets += more->out_packets;
	sum->out_bytes += more->out_bytes;
	sum->in_packets += more->in_packets;
	sum->in_bytes += more->in_bytes;
	sum->flows += more->flows;
}

void endpoints_read(struct endpoints *endpoints, const struct nat *nat)
{
	const struct natxdp_tunnel *tunnels = tunnels_map(nat);
	struct natxdp_tunnel_counters sum;
	struct tunnel_id id;

	memset(endpoints, 0, sizeof(*endpoints));
	if (tunnels)
		endpoints->item = calloc(NATXDP_TUNNELS_MAX, sizeof(*endpoints->item));
	for (uint32_t i = 1; endpoints->item && i < NATXDP_TUNNELS_MAX; i++) {
		if (!tunnel_is_real(&tunnels[i]) || tunnel_count(nat, i, &sum))
			continue;
		tunnel_read_id(&tunnels[i], &id);
		add(&find(endpoints, id.endpoint)->sum, &sum);
	}
	tunnels_unmap(tunnels);
}

void endpoints_free(struct endpoints *endpoints)
{
	free(endpoints->item);
	memset(endpoints, 0, sizeof(*endpoints));
}

uint64_t endpoint_value(const struct endpoint *endpoint, enum metric metric)
{
	switch (metric) {
	case METRIC_ENDPOINT_PACKETS_FROM:
		return endpoint->sum.out_packets;
	case METRIC_ENDPOINT_BYTES_FROM:
		return endpoint->sum.out_bytes;
	case METRIC_ENDPOINT_PACKETS_TO:
		return endpoint->sum.in_packets;
	case METRIC_ENDPOINT_BYTES_TO:
		return endpoint->sum.in_bytes;
	case METRIC_ENDPOINT_FLOWS_OPENED:
		return endpoint->sum.flows;
	default:
		return 0;
	}
}
