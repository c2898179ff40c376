/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "table.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "geometry.h"
#include "nat.h"

int table_open(struct table *table, const struct nat *nat, enum table_access access)
{
	int protection = access == TABLE_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
	void *map;

	memset(table, 0, sizeof(*table));
	table->count = geometry_buckets(&nat->config.geometry) * NATXDP_WAYS;
	map = mmap(NULL, (size_t)table->count * sizeof(struct natxdp_flow), protection, MAP_SHARED,
		   nat->map[NAT_MAP_flow_table], 0);
	if (map == MAP_FAILED)
		return -errno;
	table->entries = map;
	return 0;
}

void table_close(struct table *table)
{
	if (table->entries)
		munmap(table->entries, (size_t)table->count * sizeof(struct natxdp_flow));
	memset(table, 0, sizeof(*table));
}

static bool same_key(const struct natxdp_key *a, const struct natxdp_key *b)
{
	return a->word[0] == b->word[0] && a->word[1] == b->word[1];
}

/* False if the slot is free, dead, or changed hands during the copy. */
static bool copy_entry(const struct natxdp_flow *entry, struct natxdp_flow *copy)
{
	const volatile struct natxdp_key *key = &entry->key;
	struct natxdp_key again;

	memcpy(copy, entry, sizeof(*copy));
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	again.word[0] = key->word[0];
	again.word[1] = key->word[1];
	return same_key(&copy->key, &again) && copy->key.proto != NATXDP_PROTO_FREE &&
	       copy->key.proto != NATXDP_PROTO_DEAD;
}

static void find_peer(const struct table *table, struct flow_view *view)
{
	struct natxdp_key reverse;

	natxdp_reverse_key(&view->out, &reverse);
	if (view->out.peer < table->count &&
	    copy_entry(&table->entries[view->out.peer], &view->in) &&
	    same_key(&view->in.key, &reverse))
		return;
	memset(&view->in, 0, sizeof(view->in));
}

bool table_find(const struct table *table, const struct natxdp_geometry *geometry,
		const struct natxdp_key *key, struct flow_view *view)
{
	struct natxdp_home home;
	uint32_t slot;

	natxdp_home(geometry, key, &home);
	for (unsigned int i = 0; i < NATXDP_CHOICES * NATXDP_GROUP_SLOTS; i++) {
		slot = home.group[i / NATXDP_GROUP_SLOTS] * NATXDP_GROUP_SLOTS +
		       i % NATXDP_GROUP_SLOTS;
		if (slot >= table->count || !same_key(&table->entries[slot].key, key) ||
		    !copy_entry(&table->entries[slot], &view->out) ||
		    !same_key(&view->out.key, key))
			continue;
		view->slot = slot;
		find_peer(table, view);
		return true;
	}
	return false;
}

bool flow_view_is_mapping(const struct flow_view *view)
{
	return view->out.key.tenant == NATXDP_TENANT_MAPPING;
}

bool table_at(const struct table *table, uint32_t slot, struct flow_view *view)
{
	if (!copy_entry(&table->entries[slot], &view->out) ||
	    view->out.flags & NATXDP_FLOW_INBOUND || view->out.key.tenant == NATXDP_TENANT_ENDED)
		return false;
	view->slot = slot;
	find_peer(table, view);
	return true;
}

bool table_next_until(struct table *table, uint32_t end, struct flow_view *view)
{
	if (end > table->count)
		end = table->count;
	while (table->next < end) {
		const struct natxdp_flow *entry = &table->entries[table->next++];

		if (entry->key.proto == NATXDP_PROTO_FREE || entry->flags & NATXDP_FLOW_INBOUND)
			continue;
		if (table_at(table, table->next - 1, view))
			return true;
	}
	return false;
}

bool table_next_any(struct table *table, struct flow_view *view)
{
	return table_next_until(table, table->count, view);
}

bool table_next(struct table *table, struct flow_view *view)
{
	while (table_next_any(table, view)) {
		if (!flow_view_is_mapping(view))
			return true;
	}
	return false;
}

void table_rewind(struct table *table)
{
	table->next = 0;
}

/* As the data plane does it: only if the key is still the one that was seen. */
static bool swap_key(struct natxdp_flow *entry, const struct natxdp_key *seen,
		     const struct natxdp_key *next)
{
	__u64 *addresses = &entry->key.word[0], *rest = &entry->key.word[1];

	if (__atomic_load_n(addresses, __ATOMIC_ACQUIRE) != seen->word[0])
		return false;
	return __sync_bool_compare_and_swap(rest, seen->word[1], next->word[1]);
}

/*
 * The inbound entry first: what the sweeper finds between the two steps is a
 * flow that lacks its other direction, which it ends itself. The outbound
 * entry does not become DEAD here: what it holds (a mapping, a place under the
 * limit of its host, one in the count of flows) only the sweeper can give back.
 */
bool table_end_flow(struct table *table, const struct flow_view *view, uint32_t now)
{
	struct natxdp_key dead = view->in.key, ended = view->out.key;
	struct natxdp_flow *in;

	if (view->in.key.proto != NATXDP_PROTO_FREE && view->out.peer < table->count) {
		in = &table->entries[view->out.peer];
		dead.proto = NATXDP_PROTO_DEAD;
		__atomic_store_n(&in->last_seen, now, __ATOMIC_RELEASE); /* its grace begins */
		swap_key(in, &view->in.key, &dead);
	}
	ended.tenant = NATXDP_TENANT_ENDED;
	return swap_key(&table->entries[view->slot], &view->out.key, &ended);
}

int table_pools_used(const struct nat *nat, bool used[NATXDP_POOL_MAX])
{
	struct flow_view view;
	struct table table;
	int ret;

	ret = table_open(&table, nat, TABLE_READ);
	if (ret)
		return ret;
	while (table_next_any(&table, &view)) {
		if (view.out.pool < NATXDP_POOL_MAX)
			used[view.out.pool] = true;
	}
	table_close(&table);
	return 0;
}

uint32_t table_ticks_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((uint64_t)now.tv_sec * 1000000000 + now.tv_nsec) >> NATXDP_TICK_SHIFT;
}

double table_seconds(uint32_t ticks)
{
	return ticks * ((double)(1 << NATXDP_TICK_SHIFT) / 1e9);
}

enum natxdp_state flow_view_state(const struct flow_view *view)
{
	return natxdp_flow_state(view->out.key.proto, view->out.flags, view->in.flags,
				 view->in.packets != 0);
}

/* The clock wraps, and the data plane may have been here since @now was read. */
static uint32_t since(uint32_t now, uint32_t then)
{
	enum { AHEAD_MAX = 1 << 16 };

	return then - now < AHEAD_MAX ? 0 : now - then;
}

uint32_t flow_view_age(const struct flow_view *view, uint32_t now)
{
	return since(now, view->out.first_seen);
}

uint32_t flow_view_idle(const struct flow_view *view, uint32_t now)
{
	uint32_t out = since(now, view->out.last_seen), in;

	if (view->in.key.proto == NATXDP_PROTO_FREE)
		return out;
	in = since(now, view->in.last_seen);
	return in < out ? in : out;
}
