/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "pool.h"

#include <errno.h>
#include <string.h>

int pool_find(const struct pool *pool, __be32 addr)
{
	for (unsigned int i = 0; addr && i < pool->count; i++) {
		if (pool->item[i].addr == addr)
			return i;
	}
	return -1;
}

static struct natxdp_pool *free_place(struct pool *pool)
{
	for (unsigned int i = 0; i < pool->count; i++) {
		if (!pool->item[i].addr)
			return &pool->item[i];
	}
	return pool->count < NATXDP_POOL_MAX ? &pool->item[pool->count++] : NULL;
}

/* Whether an address is here says the agent; a load decides for those that it moves. */
static void keep_standby(struct natxdp_pool *item, const struct natxdp_pool *old)
{
	if (item->group != old->group)
		return;
	item->flags &= ~NATXDP_POOL_STANDBY;
	item->flags |= old->flags & NATXDP_POOL_STANDBY;
}

int pool_merge(const struct pool *old, const struct pool *wanted, const bool used[NATXDP_POOL_MAX],
	       struct pool *merged)
{
	struct natxdp_pool *place;

	memset(merged, 0, sizeof(*merged));
	for (unsigned int i = 0; i < old->count; i++) {
		int kept = pool_find(wanted, old->item[i].addr);

		merged->count = i + 1;
		if (kept >= 0) {
			merged->item[i] = wanted->item[kept];
			keep_standby(&merged->item[i], &old->item[i]);
		} else if (old->item[i].addr && used[i]) {
			merged->item[i] = old->item[i];
			merged->item[i].flags |= NATXDP_POOL_DRAINING;
		}
	}
	for (unsigned int i = 0; i < wanted->count; i++) {
		if (pool_find(merged, wanted->item[i].addr) >= 0)
			continue;
		place = free_place(merged);
		if (!place)
			return -ENOSPC;
		*place = wanted->item[i];
	}
	/* a hole in the middle must not be taken for an address */
	for (unsigned int i = 0; i < merged->count; i++) {
		if (!merged->item[i].addr)
			merged->item[i].flags = NATXDP_POOL_DRAINING;
	}
	while (merged->count && !merged->item[merged->count - 1].addr)
		merged->count--;
	return 0;
}
