/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "block.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "due.h"
#include "nat.h"
#include "table.h"

bool block_concerns(const struct flow_view *view, __be32 addr)
{
	const struct natxdp_flow *out = &view->out;

	return out->key.saddr == addr ||
	       (out->flags & NATXDP_FLOW_HAIRPIN && out->new_daddr == addr);
}

static int end_flow(const struct nat *nat, struct table *table, const struct flow_view *view,
		    uint64_t *ended)
{
	uint32_t now = table_ticks_now();
	int ret = 0;

	if (!table_end_flow(table, view, now))
		return 0;
	(*ended)++;
	if (view->in.key.proto != NATXDP_PROTO_FREE)
		ret = due_bucket(nat, view->out.peer / NATXDP_WAYS, now);
	return ret ? ret : due_bucket(nat, view->slot / NATXDP_WAYS, now);
}

/*
 * A packet that asked before the address was on the list may still open a
 * flow. It is done with that within the grace of the table, so look until a
 * walk that began after the grace finds nothing.
 */
static int end_flows(const struct nat *nat, struct table *table, __be32 addr, uint64_t *ended)
{
	uint32_t begin = table_ticks_now(), walk;
	struct flow_view view;
	uint64_t before;
	int ret = 0;

	do {
		before = *ended;
		walk = table_ticks_now();
		table_rewind(table);
		while (!ret && table_next(table, &view)) {
			if (block_concerns(&view, addr))
				ret = end_flow(nat, table, &view, ended);
		}
	} while (!ret && (*ended != before || walk - begin <= NATXDP_GRACE_TICKS));
	return ret;
}

int block_add(const struct nat *nat, __be32 addr, uint64_t *ended)
{
	__u64 now = time(NULL);
	struct table table;
	int ret;

	*ended = 0;
	/* opened first: when it cannot, nothing has changed */
	ret = table_open(&table, nat, TABLE_WRITE);
	if (ret)
		return ret;
	if (bpf_map_update_elem(nat->map[NAT_MAP_blocked], &addr, &now, BPF_NOEXIST) &&
	    errno != EEXIST)
		ret = -errno;
	if (!ret)
		ret = end_flows(nat, &table, addr, ended);
	table_close(&table);
	return ret;
}

int block_delete(const struct nat *nat, __be32 addr)
{
	return bpf_map_delete_elem(nat->map[NAT_MAP_blocked], &addr) ? -errno : 0;
}

static int compare(const void *a, const void *b)
{
	uint32_t left = ntohl(((const struct blocked *)a)->addr);
	uint32_t right = ntohl(((const struct blocked *)b)->addr);

	return left < right ? -1 : left > right;
}

/* A walk begins again when its place in the map is deleted, and then meets some twice. */
static void drop_doubles(struct block_list *list)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < list->count; i++) {
		if (!kept || list->item[kept - 1].addr != list->item[i].addr)
			list->item[kept++] = list->item[i];
	}
	list->count = kept;
}

int block_read(const struct nat *nat, struct block_list *list)
{
	int map = nat->map[NAT_MAP_blocked];
	__be32 addr, previous, *last = NULL;
	__u64 since;

	list->count = 0;
	while (list->count < NATXDP_BLOCKED_MAX) {
		if (bpf_map_get_next_key(map, last, &addr)) {
			if (errno != ENOENT)
				return -errno;
			break;
		}
		previous = addr;
		last = &previous;
		if (bpf_map_lookup_elem(map, &addr, &since))
			continue;
		list->item[list->count].addr = addr;
		list->item[list->count++].since = since;
	}
	qsort(list->item, list->count, sizeof(*list->item), compare);
	drop_doubles(list);
	return 0;
}

int block_count(const struct nat *nat, unsigned int *count)
{
	struct block_list *list = malloc(sizeof(*list));
	int ret = list ? block_read(nat, list) : -ENOMEM;

	*count = ret ? 0 : list->count;
	free(list);
	return ret;
}
