/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "geometry.h"

#include <errno.h>
#include <sys/random.h>

/*
 * With two buckets to choose from, the first insert is refused when the table
 * is between 58 and 72 % full (max_flows_fit in
 * selftests/unit/test_flow.c does the same with a few sizes).
 * max_flows fill it to 55 %, so they all fit. A stripe has rows enough that
 * chance does not fill it before the others.
 */
enum { FILL_PERCENT = 55, ENTRIES_PER_FLOW = 2, ROWS_MIN = 64 };

static uint32_t divide_up(uint64_t a, uint64_t b)
{
	return (a + b - 1) / b;
}

void geometry_size(struct natxdp_geometry *geometry, uint32_t max_flows)
{
	uint32_t buckets = divide_up((uint64_t)max_flows * ENTRIES_PER_FLOW * 100,
				     NATXDP_WAYS * FILL_PERCENT);
	uint32_t stripes = 1;

	while (stripes < NATXDP_STRIPES_MAX && stripes * 2 * ROWS_MIN <= buckets)
		stripes *= 2;
	geometry->stripes = stripes;
	geometry->rows = divide_up(buckets, stripes);
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
	return geometry->stripes * geometry->rows;
}

uint32_t geometry_due_groups(const struct natxdp_geometry *geometry)
{
	return divide_up(geometry_buckets(geometry), NATXDP_DUE_GROUP);
}
