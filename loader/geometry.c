/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "geometry.h"

#include <errno.h>
#include <sys/random.h>

/*
 * With two groups of 128 entries to choose from, the first insert is refused
 * when the table is more than 97 % full, however long flows have come and gone
 * before (max_flows_fit in selftests/unit/test_flow.c). max_flows fill it to
 * 96 %, so they all fit.
 */
enum { FILL_PERCENT = 96, ENTRIES_PER_FLOW = 2 };

void geometry_size(struct natxdp_geometry *geometry, uint32_t max_flows)
{
	uint64_t slots = (uint64_t)max_flows * ENTRIES_PER_FLOW * 100 / FILL_PERCENT;

	geometry->groups = slots / NATXDP_GROUP_SLOTS + 1;
}

int geometry_draw_key(struct natxdp_geometry *geometry)
{
	size_t size = sizeof(geometry->hash_key);

	/* up to 256 bytes come whole or not at all */
	if (getrandom(geometry->hash_key, size, 0) != (ssize_t)size)
		return -errno;
	return 0;
}

uint32_t geometry_buckets(const struct natxdp_geometry *geometry)
{
	return geometry->groups * NATXDP_GROUP_BUCKETS;
}
