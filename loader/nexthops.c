/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "nexthops.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nat.h"
#include "table.h"

void changes_add(struct changes *changes, const struct neighbour *neighbour)
{
	if (changes->count == NEIGHBOURS_MAX)
		changes->all = true;
	else
		changes->neighbour[changes->count++] = *neighbour;
}

bool changes_concern(const struct changes *changes, const struct natxdp_next_hop *hop)
{
	/* without an address its MAC was learned from a frame: no route says more */
	if (hop->state != NATXDP_NEXT_HOP_VALID || !hop->addr)
		return false;
	if (changes->all)
		return true;
	for (unsigned int i = 0; i < changes->count; i++) {
		const struct neighbour *n = &changes->neighbour[i];

		if (n->ifindex == hop->ifindex && n->addr == hop->addr &&
		    (!n->reachable || memcmp(n->mac, hop->dst_mac, sizeof(n->mac))))
			return true;
	}
	return false;
}

int nexthops_each(const struct nat *nat,
		  void (*each)(const struct natxdp_next_hop *hop, uint32_t index, void *data),
		  void *data)
{
	__u32 count = NATXDP_NEXT_HOPS_MAX, position;
	struct natxdp_next_hop *hops = calloc(count, sizeof(*hops));
	__u32 *keys = calloc(count, sizeof(*keys));
	int ret = 0;

	if (!hops || !keys) {
		ret = -ENOMEM;
		goto free;
	}
	/* all of them in one system call; ENOENT says that these were all */
	if (bpf_map_lookup_batch(nat->map[NAT_MAP_next_hops], NULL, &position, keys, hops, &count,
				 NULL) &&
	    errno != ENOENT) {
		ret = -errno;
		goto free;
	}
	for (__u32 i = 0; i < count; i++) {
		if (hops[i].state == NATXDP_NEXT_HOP_VALID && hops[i].addr)
			each(&hops[i], keys[i], data);
	}
free:
	free(keys);
	free(hops);
	return ret;
}

struct mending {
	int map;
	const struct changes *changes;
};

/*
 * Looked at once more: the data plane may have given the entry to another
 * neighbour since all were read. And it is stamped, so that a stamp that the
 * data plane sets at this moment is not replaced by an old one.
 */
static void mend_one(const struct natxdp_next_hop *hop, uint32_t index, void *data)
{
	struct natxdp_next_hop stale;
	struct mending *mending = data;

	if (!changes_concern(mending->changes, hop))
		return;
	if (bpf_map_lookup_elem(mending->map, &index, &stale) || !stale.seen ||
	    !changes_concern(mending->changes, &stale))
		return;
	stale.state = NATXDP_NEXT_HOP_STALE;
	stale.seen = table_ticks_now();
	bpf_map_update_elem(mending->map, &index, &stale, BPF_ANY);
}

int nexthops_mend(const struct nat *nat, struct changes *changes)
{
	struct mending mending = { .map = nat->map[NAT_MAP_next_hops], .changes = changes };
	int ret = 0;

	if (changes->all || changes->count)
		ret = nexthops_each(nat, mend_one, &mending);
	if (!ret)
		memset(changes, 0, sizeof(*changes));
	return ret;
}
