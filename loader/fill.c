/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * From the plan to the maps. The maps may be in use: whatever is added comes
 * before what it replaces goes, and config, which names the others' sizes, is
 * written between the two.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "due.h"
#include "err.h"
#include "nat.h"
#include "plan.h"
#include "profile.h"
#include "settings.h"
#include "table.h"

enum { KEY_MAX = 16 };

/*
 * Deletes the keys of @map that @keep says no to. Collects them first: in a
 * hash the walk would start over at a deleted key.
 */
static int delete_others(int map, size_t key_size, __u32 max,
			 bool (*keep)(const void *key, const void *data), const void *data)
{
	unsigned char previous[KEY_MAX], *doomed = calloc(max, key_size);
	const void *last = NULL;
	__u32 count = 0;

	if (!doomed)
		return -ENOMEM;
	while (count < max && !bpf_map_get_next_key(map, last, doomed + count * key_size)) {
		memcpy(previous, doomed + count * key_size, key_size);
		last = previous;
		if (!keep(previous, data))
			count++;
	}
	for (__u32 i = 0; i < count; i++)
		bpf_map_delete_elem(map, doomed + i * key_size);
	free(doomed);
	return 0;
}

static bool keep_prefix(const void *key, const void *data)
{
	const struct prefix_list *list = data;

	for (unsigned int i = 0; i < list->count; i++) {
		if (!memcmp(&list->item[i], key, sizeof(list->item[i])))
			return true;
	}
	return false;
}

static int add_prefixes(int map, const struct prefix_list *list)
{
	__u32 value = 1;

	for (unsigned int i = 0; i < list->count; i++) {
		if (bpf_map_update_elem(map, &list->item[i], &value, BPF_ANY))
			return -errno;
	}
	return 0;
}

static int delete_prefixes(int map, const struct prefix_list *list)
{
	return delete_others(map, sizeof(struct natxdp_prefix), NATXDP_PREFIXES_MAX, keep_prefix,
			     list);
}

static int write_pool(int map, const struct pool *pool)
{
	for (__u32 i = 0; i < NATXDP_POOL_MAX; i++) {
		if (bpf_map_update_elem(map, &i, &pool->item[i], BPF_ANY))
			return -errno;
	}
	return 0;
}

static int merge_pool(const struct nat *nat, const struct pool *wanted, struct pool *merged)
{
	bool used[NATXDP_POOL_MAX] = { false };
	struct pool old;
	int ret;

	ret = nat_read_pool(nat, &old);
	if (!ret && old.count)
		ret = table_pools_used(nat, used);
	return ret ? ret : pool_merge(&old, wanted, used, merged);
}

struct own_addrs {
	const struct host_addrs *host;
	int map;
	const struct pool *pool; /* NULL: what is external stays so */
};

static bool keep_own(const void *key, const void *data)
{
	const struct own_addrs *own = data;
	__u32 value = NATXDP_OWN_ADDR;
	__be32 addr;

	memcpy(&addr, key, sizeof(addr));
	if (host_addrs_has(own->host, addr))
		return true;
	if (!own->pool)
		return !bpf_map_lookup_elem(own->map, &addr, &value) && value != NATXDP_OWN_ADDR;
	for (unsigned int i = 0; i < own->pool->count; i++) {
		if (own->pool->item[i].addr == addr)
			return true;
	}
	return false;
}

static int add_own_addrs(int map, const struct host_addrs *host, const struct pool *pool)
{
	__u32 value = NATXDP_OWN_ADDR;

	for (__u32 i = 0; pool && i < pool->count; i++) {
		if (pool->item[i].addr &&
		    bpf_map_update_elem(map, &pool->item[i].addr, &i, BPF_ANY))
			return -errno;
	}
	/* BPF_NOEXIST: what is external stays so */
	for (unsigned int i = 0; i < host->count; i++) {
		if (bpf_map_update_elem(map, &host->item[i].addr, &value, BPF_NOEXIST) &&
		    errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int delete_own_addrs(int map, const struct host_addrs *host, const struct pool *pool)
{
	const struct own_addrs own = { .host = host, .map = map, .pool = pool };

	return delete_others(map, sizeof(__be32), NATXDP_OWN_ADDRS_MAX, keep_own, &own);
}

int nat_fill_own_addrs(const struct nat *nat, const struct host_addrs *addrs)
{
	int map = nat->map[NAT_MAP_own_addrs];
	int ret = add_own_addrs(map, addrs, NULL);

	return ret ? ret : delete_own_addrs(map, addrs, NULL);
}

/* An address that was external and is only the host's own now. */
static void demote_own_addrs(int map, const struct host_addrs *host, const struct pool *pool)
{
	const struct own_addrs external = {
		.host = &(struct host_addrs){ .count = 0 },
		.map = map,
		.pool = pool,
	};
	__u32 value, own = NATXDP_OWN_ADDR;

	for (unsigned int i = 0; i < host->count; i++) {
		const __be32 *addr = &host->item[i].addr;

		if (!keep_own(addr, &external) && !bpf_map_lookup_elem(map, addr, &value) &&
		    value != own)
			bpf_map_update_elem(map, addr, &own, BPF_ANY);
	}
}

static int write_devs(int map, const struct plan *plan)
{
	struct bpf_devmap_val wanted = { 0 }, now;

	for (__u32 i = 0; i < plan->dev_count; i++) {
		wanted.ifindex = plan->dev[i].ifindex;
		/* what is right already is not disturbed */
		if (!bpf_map_lookup_elem(map, &i, &now) && now.ifindex == wanted.ifindex)
			continue;
		if (bpf_map_update_elem(map, &i, &wanted, BPF_ANY))
			return -errno;
	}
	return 0;
}

/* An interface without an address answers with that of the pool. */
static void set_dev_addrs(struct natxdp_config *config, const struct plan *plan,
			  const struct pool *pool)
{
	memset(config->dev_addr, 0, sizeof(config->dev_addr));
	for (unsigned int i = 0; i < plan->dev_count; i++)
		config->dev_addr[i] = host_addrs_first(&plan->addrs, plan->dev[i].ifindex);
	for (unsigned int i = 0; i < pool->count && !config->dev_addr[NATXDP_DEV_OUTSIDE]; i++)
		config->dev_addr[NATXDP_DEV_OUTSIDE] = pool->item[i].addr;
}

static bool any_shorter(const __u32 *now, const __u32 *before)
{
	for (int i = 0; i < NATXDP_TIMEOUTS; i++) {
		if (now[i] < before[i])
			return true;
	}
	return false;
}

static int write_config(struct nat *nat, const struct plan *plan, const struct pool *pool)
{
	const struct settings *settings = plan->settings;
	const struct plan_dev *outside = &plan->dev[NATXDP_DEV_OUTSIDE];
	struct natxdp_config *config = &nat->config, before = *config;
	__u32 zero = 0;

	config->pool_count = pool->count;
	config->outside_ifindex = outside->ifindex;
	config->limit_flows = settings->limit_flows;
	config->limit_rate = settings->limit_rate;
	config->egress_mtu = plan_egress_mtu(settings, outside->mtu);
	config->mss_clamp = plan_mss_clamp(settings, outside->mtu);
	profile_configure(config, settings);
	set_dev_addrs(config, plan, pool);
	if (bpf_map_update_elem(nat->map[NAT_MAP_config], &zero, config, BPF_ANY))
		return -errno;
	/* the sweeper goes by due times that the longer timeouts have set */
	if (any_shorter(config->timeout, before.timeout))
		return due_all(nat, table_ticks_now());
	return 0;
}

static int add_all(struct nat *nat, const struct plan *plan, const struct pool *pool)
{
	const struct settings *settings = plan->settings;
	struct natxdp_host_ports ports;
	const int *map = nat->map;
	__u32 zero = 0;
	int ret;

	settings_host_ports(settings, &ports);
	if (bpf_map_update_elem(map[NAT_MAP_host_ports], &zero, &ports, BPF_ANY))
		return -errno;
	ret = write_devs(map[NAT_MAP_egress_devs], plan);
	if (!ret)
		ret = write_pool(map[NAT_MAP_ext_pool], pool);
	if (!ret)
		ret = add_own_addrs(map[NAT_MAP_own_addrs], &plan->addrs, pool);
	if (!ret)
		ret = add_prefixes(map[NAT_MAP_no_nat_nets], settings_no_nat(settings));
	if (!ret)
		ret = add_prefixes(map[NAT_MAP_inside_nets], &settings->inside_prefixes);
	return ret;
}

static int delete_rest(struct nat *nat, const struct plan *plan, const struct pool *pool)
{
	const struct settings *settings = plan->settings;
	const int *map = nat->map;
	int ret;

	demote_own_addrs(map[NAT_MAP_own_addrs], &plan->addrs, pool);
	ret = delete_own_addrs(map[NAT_MAP_own_addrs], &plan->addrs, pool);
	if (!ret)
		ret = delete_prefixes(map[NAT_MAP_inside_nets], &settings->inside_prefixes);
	if (!ret)
		ret = delete_prefixes(map[NAT_MAP_no_nat_nets], settings_no_nat(settings));
	return ret;
}

int nat_fill(struct nat *nat, const struct plan *plan, struct err *err)
{
	struct pool pool;
	int ret;

	ret = merge_pool(nat, &plan->pool, &pool);
	if (ret == -ENOSPC)
		return err_set(err, STATUS_STATE, ret,
			       "more than %d external addresses, with those that still drain: try "
			       "again when their flows have ended",
			       NATXDP_POOL_MAX);
	if (!ret)
		ret = add_all(nat, plan, &pool);
	if (!ret)
		ret = write_config(nat, plan, &pool);
	if (!ret)
		ret = delete_rest(nat, plan, &pool);
	if (ret)
		return err_set(err, STATUS_KERNEL, ret, "the maps cannot be filled: %s",
			       strerror(-ret));
	return 0;
}
