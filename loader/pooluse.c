/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "pooluse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "flowlist.h"

const char *const pool_proto_names[POOL_PROTOS] = { "udp", "tcp", "icmp", "other" };

/* One port in use for a destination, as a number, so that equal ones sort together. */
struct uses {
	uint64_t *use;
	size_t count, room;
};

_Static_assert(NATXDP_POOL_MAX <= 256, "8 bits pool, 8 protocol, 32 address, 16 port");

static uint64_t pack(const struct natxdp_flow *out)
{
	uint64_t addr = ntohl(out->key.daddr), port = ntohs(out->key.dport);

	return (uint64_t)out->pool << 56 | (uint64_t)out->key.proto << 48 | addr << 16 | port;
}

static int add(struct uses *uses, uint64_t use)
{
	uint64_t *larger;

	if (uses->count == uses->room) {
		uses->room = uses->room ? 2 * uses->room : 1024;
		larger = realloc(uses->use, uses->room * sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		uses->use = larger;
	}
	uses->use[uses->count++] = use;
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

static void find_fullest(struct pool_use *use, struct uses *uses)
{
	size_t next;

	if (uses->count)
		qsort(uses->use, uses->count, sizeof(*uses->use), compare);
	for (size_t first = 0; first < uses->count; first = next) {
		uint64_t packed = uses->use[first];
		struct pool_use *of = &use[packed >> 56];

		for (next = first + 1; next < uses->count && uses->use[next] == packed;)
			next++;
		if (next - first <= of->fullest_ports)
			continue;
		of->fullest_ports = next - first;
		of->fullest_proto = packed >> 48;
		of->fullest_addr = htonl(packed >> 16);
		of->fullest_port = htons(packed);
	}
}

static enum pool_proto proto_of(uint8_t proto)
{
	return proto == IPPROTO_UDP  ? POOL_UDP :
	       proto == IPPROTO_TCP  ? POOL_TCP :
	       proto == IPPROTO_ICMP ? POOL_ICMP :
				       POOL_OTHER;
}

static uint32_t usable_ports(const struct natxdp_pool *pool, const struct natxdp_host_ports *host)
{
	uint32_t usable = 0;

	for (uint32_t port = pool->port_min; port <= pool->port_max; port++)
		usable += !(host->word[port / 64] >> (port % 64) & 1);
	return usable;
}

int pool_use_count(struct pool_use use[NATXDP_POOL_MAX], const struct pool *pool,
		   const struct natxdp_host_ports *host_ports, struct table *table)
{
	struct uses uses = { 0 };
	struct flow_view view;
	int ret = 0;

	memset(use, 0, NATXDP_POOL_MAX * sizeof(*use));
	for (unsigned int i = 0; i < pool->count; i++) {
		if (pool->item[i].addr)
			use[i].ports = usable_ports(&pool->item[i], host_ports);
	}
	while (!ret && table_next_any(table, &view)) {
		const struct natxdp_flow *out = &view.out;

		if (out->pool >= pool->count)
			continue;
		if (!flow_view_is_mapping(&view))
			use[out->pool].flows[proto_of(out->key.proto)]++;
		else if (out->key.daddr) /* says only who may send */
			continue;
		if (flow_proto_has_ports(out->key.proto))
			ret = add(&uses, pack(out));
	}
	if (!ret)
		find_fullest(use, &uses);
	free(uses.use);
	return ret;
}

double pool_use_percent(const struct pool_use *use)
{
	return use->ports ? 100.0 * use->fullest_ports / use->ports : 0;
}
