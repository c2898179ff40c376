/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "tunnels.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "nat.h"

enum { TUNNELS_SIZE = NATXDP_TUNNELS_MAX * sizeof(struct natxdp_tunnel) };

const struct natxdp_tunnel *tunnels_map(const struct nat *nat)
{
	void *map = MAP_FAILED;

	if (nat_has(nat, NAT_MAP_tunnels))
		map = mmap(NULL, TUNNELS_SIZE, PROT_READ, MAP_SHARED, nat->map[NAT_MAP_tunnels], 0);
	return map == MAP_FAILED ? NULL : map;
}

void tunnels_unmap(const struct natxdp_tunnel *tunnels)
{
	if (tunnels)
		munmap((void *)tunnels, TUNNELS_SIZE);
}

static uint64_t read_number(const uint8_t *byte, int bytes)
{
	uint64_t number = 0;

	while (bytes--)
		number = number << 8 | *byte++;
	return number;
}

void tunnel_read_id(const struct natxdp_tunnel *tunnel, struct tunnel_id *id)
{
	const uint8_t *at = tunnel->header + NATXDP_GENEVE_FIXED;
	const uint8_t *end = tunnel->header + NATXDP_GENEVE_HEADER;

	memset(id, 0, sizeof(*id));
	id->vni = read_number(tunnel->header + 4, 3);
	while (at + 12 <= end) {
		if (at[2] == NATXDP_GENEVE_ENDPOINT)
			id->endpoint = read_number(at + 4, 8);
		else if (at[2] == NATXDP_GENEVE_ATTACHMENT)
			id->attachment = read_number(at + 4, 8);
		at += at[2] == NATXDP_GENEVE_COOKIE ? 8 : 12;
	}
}

bool tunnel_is_real(const struct natxdp_tunnel *tunnel)
{
	struct tunnel_id id;

	tunnel_read_id(tunnel, &id);
	return tunnel->state == NATXDP_TUNNEL_VALID && (id.endpoint || id.attachment);
}

int tunnel_count(const struct nat *nat, uint32_t index, struct natxdp_tunnel_counters *sum)
{
	int cpus = libbpf_num_possible_cpus(), ret = 0;
	struct natxdp_tunnel_counters *each = cpus < 0 ? NULL : calloc(cpus, sizeof(*each));

	memset(sum, 0, sizeof(*sum));
	if (!each)
		return -ENOMEM;
	if (bpf_map_lookup_elem(nat->map[NAT_MAP_tunnel_counters], &index, each))
		ret = -errno;
	for (int cpu = 0; !ret && cpu < cpus; cpu++) {
		sum->out_packets += each[cpu].out_packets;
		sum->out_bytes += each[cpu].out_bytes;
		sum->in_packets += each[cpu].in_packets;
		sum->in_bytes += each[cpu].in_bytes;
		sum->flows += each[cpu].flows;
	}
	free(each);
	return ret;
}
