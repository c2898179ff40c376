/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Contents from and to the maps. The maps may be in use: whatever is added
 * comes before what it replaces goes, and config, which names the others'
 * sizes, is written between the two.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "contents.h"
#include "due.h"
#include "err.h"
#include "nat.h"
#include "plan.h"
#include "table.h"

static int read_own_addrs(int map, struct own_addr_list *list)
{
	__be32 previous, *last = NULL;

	list->count = 0;
	while (list->count < NATXDP_OWN_ADDRS_MAX) {
		struct own_addr *own = &list->item[list->count];

		if (bpf_map_get_next_key(map, last, &own->addr))
			return errno == ENOENT ? 0 : -errno;
		previous = own->addr;
		last = &previous;
		/* it may have gone since: the watcher follows the host's addresses */
		if (!bpf_map_lookup_elem(map, &previous, &own->pool))
			list->count++;
	}
	return 0;
}

static int read_prefixes(int map, struct prefix_list *list)
{
	struct natxdp_prefix previous, *last = NULL;

	memset(list, 0, sizeof(*list));
	while (list->count < NATXDP_PREFIXES_MAX) {
		if (bpf_map_get_next_key(map, last, &list->item[list->count]))
			return errno == ENOENT ? 0 : -errno;
		previous = list->item[list->count++];
		last = &previous;
	}
	return 0;
}

static void read_groups(int map, struct contents *contents)
{
	for (unsigned int i = 0; i < contents->inside_nets.count; i++) {
		if (bpf_map_lookup_elem(map, &contents->inside_nets.item[i],
					&contents->inside_group[i]))
			contents->inside_group[i] = 0;
	}
}

static void read_devs(int map, __u32 dev[NATXDP_DEVS_MAX])
{
	struct bpf_devmap_val value;

	for (__u32 i = 0; i < NATXDP_DEVS_MAX; i++)
		dev[i] = bpf_map_lookup_elem(map, &i, &value) ? 0 : value.ifindex;
}

int nat_read(const struct nat *nat, struct contents *contents)
{
	const int *map = nat->map;
	__u32 zero = 0;
	int ret;

	memset(contents, 0, sizeof(*contents));
	contents->config = nat->config;
	if (bpf_map_lookup_elem(map[NAT_MAP_host_ports], &zero, &contents->host_ports))
		return -errno;
	ret = nat_read_pool(nat, &contents->pool);
	if (!ret)
		ret = read_own_addrs(map[NAT_MAP_own_addrs], &contents->own);
	if (!ret)
		ret = read_prefixes(map[NAT_MAP_inside_nets], &contents->inside_nets);
	if (!ret)
		read_groups(map[NAT_MAP_inside_nets], contents);
	if (!ret)
		ret = read_prefixes(map[NAT_MAP_no_nat_nets], &contents->no_nat_nets);
	if (!ret)
		read_devs(map[NAT_MAP_egress_devs], contents->dev);
	if (!ret && nat_has(nat, NAT_MAP_tunnel_conf) &&
	    bpf_map_lookup_elem(map[NAT_MAP_tunnel_conf], &zero, &contents->tunnel))
		ret = -errno;
	return ret;
}

/* @values: one a prefix; NULL: they mean nothing. */
static int add_prefixes(int map, const struct prefix_list *list, const __u32 *values)
{
	const __u32 nothing = 0;

	for (unsigned int i = 0; i < list->count; i++) {
		if (bpf_map_update_elem(map, &list->item[i], values ? &values[i] : &nothing,
					BPF_ANY))
			return -errno;
	}
	return 0;
}

static void delete_prefixes(int map, const struct prefix_list *from, const struct prefix_list *to)
{
	for (unsigned int i = 0; i < from->count; i++) {
		if (!prefix_list_has(to, &from->item[i]))
			bpf_map_delete_elem(map, &from->item[i]);
	}
}

static int write_pool(int map, const struct pool *pool)
{
	for (__u32 i = 0; i < NATXDP_POOL_MAX; i++) {
		if (bpf_map_update_elem(map, &i, &pool->item[i], BPF_ANY))
			return -errno;
	}
	return 0;
}

/* What is external first: the host's own addresses matter less. */
static int add_own_addrs(int map, const struct own_addr_list *from, const struct own_addr_list *to)
{
	const struct own_addr *before;

	for (unsigned int i = 0; i < to->count; i++) {
		const struct own_addr *own = &to->item[i];

		before = own_addrs_find(from, own->addr);
		/* one that stops being external does so only when config says so */
		if (before && (before->pool == own->pool || own->pool == NATXDP_OWN_ADDR))
			continue;
		if (bpf_map_update_elem(map, &own->addr, &own->pool, BPF_ANY))
			return -errno;
	}
	return 0;
}

static int delete_own_addrs(int map, const struct own_addr_list *from,
			    const struct own_addr_list *to)
{
	const struct own_addr *after;

	for (unsigned int i = 0; i < from->count; i++) {
		const struct own_addr *own = &from->item[i];

		after = own_addrs_find(to, own->addr);
		if (!after)
			bpf_map_delete_elem(map, &own->addr);
		else if (after->pool != own->pool &&
			 bpf_map_update_elem(map, &own->addr, &after->pool, BPF_ANY))
			return -errno;
	}
	return 0;
}

/* What is right already is not disturbed: packets are on their way through it. */
static int write_devs(int map, const __u32 from[NATXDP_DEVS_MAX], const __u32 to[NATXDP_DEVS_MAX])
{
	struct bpf_devmap_val value = { 0 };

	for (__u32 i = 0; i < NATXDP_DEVS_MAX; i++) {
		value.ifindex = to[i];
		if (to[i] && from[i] != to[i] && bpf_map_update_elem(map, &i, &value, BPF_ANY))
			return -errno;
	}
	return 0;
}

static bool any_shorter(const __u32 *now, const __u32 *before)
{
	for (int i = 0; i < NATXDP_TIMEOUTS; i++) {
		if (now[i] < before[i])
			return true;
	}
	return false;
}

static int write_config(struct nat *nat, const struct natxdp_config *from,
			const struct natxdp_config *to)
{
	__u32 zero = 0;

	nat->config = *to;
	if (bpf_map_update_elem(nat->map[NAT_MAP_config], &zero, to, BPF_ANY))
		return -errno;
	/* the sweeper goes by due times that the longer timeouts have set */
	if (any_shorter(to->timeout, from->timeout))
		return due_all(nat, table_ticks_now());
	return 0;
}

int nat_write(struct nat *nat, const struct contents *from, const struct contents *to)
{
	const int *map = nat->map;
	__u32 zero = 0;
	int ret;

	if (bpf_map_update_elem(map[NAT_MAP_host_ports], &zero, &to->host_ports, BPF_ANY))
		return -errno;
	if (nat_has(nat, NAT_MAP_tunnel_conf) &&
	    bpf_map_update_elem(map[NAT_MAP_tunnel_conf], &zero, &to->tunnel, BPF_ANY))
		return -errno;
	ret = write_devs(map[NAT_MAP_egress_devs], from->dev, to->dev);
	if (!ret)
		ret = write_pool(map[NAT_MAP_ext_pool], &to->pool);
	if (!ret)
		ret = add_own_addrs(map[NAT_MAP_own_addrs], &from->own, &to->own);
	if (!ret)
		ret = add_prefixes(map[NAT_MAP_no_nat_nets], &to->no_nat_nets, NULL);
	if (!ret)
		ret = add_prefixes(map[NAT_MAP_inside_nets], &to->inside_nets, to->inside_group);
	if (!ret)
		ret = write_config(nat, &from->config, &to->config);
	if (!ret)
		ret = delete_own_addrs(map[NAT_MAP_own_addrs], &from->own, &to->own);
	if (ret)
		return ret;
	delete_prefixes(map[NAT_MAP_inside_nets], &from->inside_nets, &to->inside_nets);
	delete_prefixes(map[NAT_MAP_no_nat_nets], &from->no_nat_nets, &to->no_nat_nets);
	return 0;
}

int nat_plan(const struct nat *nat, const struct plan *plan, const struct contents *now,
	     struct contents *wanted, struct err *err)
{
	bool used[NATXDP_POOL_MAX] = { false };
	int ret = 0;

	if (now->pool.count)
		ret = table_pools_used(nat, used);
	if (!ret && nat->before)
		ret = table_pools_used(nat->before, used);
	if (!ret)
		ret = contents_make(wanted, now, used, plan);
	if (ret == -ENOSPC)
		return err_set(err, STATUS_STATE, ret,
			       "more than %d external addresses, with those that still drain: try "
			       "again when their flows have ended",
			       NATXDP_POOL_MAX);
	if (ret == -E2BIG)
		return err_set(err, STATUS_STATE, ret,
			       "this host has more than %d addresses: 'ip address' lists them",
			       NATXDP_OWN_ADDRS_MAX);
	if (ret)
		return err_set(err, STATUS_KERNEL, ret, "the flow table cannot be read: %s",
			       strerror(-ret));
	return 0;
}

int nat_fill(struct nat *nat, const struct plan *plan, struct contents **before, struct err *err)
{
	struct contents *now = malloc(sizeof(*now)), *wanted = malloc(sizeof(*wanted));
	int ret;

	if (now && wanted)
		ret = nat_read(nat, now);
	else
		ret = -ENOMEM;
	if (ret)
		err_set(err, STATUS_KERNEL, ret, "the maps cannot be read: %s", strerror(-ret));
	else
		ret = nat_plan(nat, plan, now, wanted, err);
	if (ret)
		goto free;
	ret = nat_write(nat, now, wanted);
	if (ret) {
		err_set(err, STATUS_KERNEL, ret, "the maps cannot be filled: %s", strerror(-ret));
		nat_unfill(nat, now);
	} else if (before) {
		*before = now;
		now = NULL;
	}
free:
	free(now);
	free(wanted);
	return ret;
}

void nat_unfill(struct nat *nat, const struct contents *before)
{
	struct contents *now = malloc(sizeof(*now));

	if (now && !nat_read(nat, now))
		nat_write(nat, now, before);
	free(now);
}
