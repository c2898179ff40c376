/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "due.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "nat.h"

static int write_group(int map, uint32_t group, uint32_t now)
{
	struct natxdp_due due;

	for (int i = 0; i < NATXDP_GROUP_BUCKETS; i++)
		due.tick[i] = now ? now : 1; /* 0 means never */
	return bpf_map_update_elem(map, &group, &due, BPF_EXIST) ? -errno : 0;
}

int due_bucket(const struct nat *nat, uint32_t bucket, uint32_t now)
{
	return write_group(nat->map[NAT_MAP_flow_due], bucket / NATXDP_GROUP_BUCKETS, now);
}

int due_all(const struct nat *nat, uint32_t now)
{
	static const struct natxdp_due nothing;
	uint32_t groups = nat->config.geometry.groups;
	int map = nat->map[NAT_MAP_flow_due], ret = 0;
	struct natxdp_due due;

	for (uint32_t group = 0; !ret && group < groups; group++) {
		if (bpf_map_lookup_elem(map, &group, &due))
			return -errno;
		if (memcmp(&due, &nothing, sizeof(due)))
			ret = write_group(map, group, now);
	}
	return ret;
}
