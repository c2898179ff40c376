/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "contents.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "plan.h"
#include "profile.h"
#include "settings.h"

const struct own_addr *own_addrs_find(const struct own_addr_list *list, __be32 addr)
{
	for (unsigned int i = 0; i < list->count; i++) {
		if (list->item[i].addr == addr)
			return &list->item[i];
	}
	return NULL;
}

bool prefix_list_has(const struct prefix_list *list, const struct natxdp_prefix *prefix)
{
	for (unsigned int i = 0; i < list->count; i++) {
		if (!memcmp(&list->item[i], prefix, sizeof(*prefix)))
			return true;
	}
	return false;
}

static int own_addrs_add(struct own_addr_list *list, __be32 addr, __u32 pool)
{
	if (!addr || own_addrs_find(list, addr))
		return 0;
	if (list->count == NATXDP_OWN_ADDRS_MAX)
		return -E2BIG;
	list->item[list->count].addr = addr;
	list->item[list->count++].pool = pool;
	return 0;
}

static int own_addrs_make(struct own_addr_list *list, const struct host_addrs *host,
			  const struct pool *pool)
{
	int ret = 0;

	memset(list, 0, sizeof(*list));
	for (unsigned int i = 0; !ret && i < pool->count; i++)
		ret = own_addrs_add(list, pool->item[i].addr, i);
	for (unsigned int i = 0; !ret && i < host->count; i++)
		ret = own_addrs_add(list, host->item[i].addr, NATXDP_OWN_ADDR);
	return ret;
}

/* An interface without an address answers with that of the pool. */
static void set_devs(struct natxdp_config *config, const struct plan *plan, const struct pool *pool)
{
	memset(config->dev, 0, sizeof(config->dev));
	memset(config->dev_addr, 0, sizeof(config->dev_addr));
	for (unsigned int i = 0; i < plan->dev_count; i++) {
		config->dev[i] = plan->dev[i].ifindex;
		config->dev_addr[i] = host_addrs_first(&plan->addrs, plan->dev[i].ifindex);
	}
	for (unsigned int i = 0; i < pool->count && !config->dev_addr[NATXDP_DEV_OUTSIDE]; i++)
		config->dev_addr[NATXDP_DEV_OUTSIDE] = pool->item[i].addr;
}

static void make_config(struct natxdp_config *config, const struct plan *plan,
			const struct pool *pool)
{
	const struct settings *settings = plan->settings;
	const struct plan_dev *outside = &plan->dev[NATXDP_DEV_OUTSIDE];

	config->pool_count = pool->count;
	config->outside_ifindex = outside->ifindex;
	config->limit_flows = settings->limit_flows;
	config->limit_rate = settings->limit_rate;
	config->egress_mtu = plan_egress_mtu(settings, outside->mtu);
	config->mss_clamp = plan_mss_clamp(settings, outside->mtu);
	profile_configure(config, settings);
	set_devs(config, plan, pool);
}

/* The hosts of other zones are inside, too. */
static int make_inside(struct contents *wanted, const struct settings *settings)
{
	struct prefix_list *nets = &wanted->inside_nets;
	unsigned int at;

	*nets = settings->inside_prefixes;
	for (unsigned int i = 0; i < settings->standby.prefix_count; i++) {
		const struct natxdp_prefix *prefix = &settings->standby.prefix[i].prefix;

		for (at = 0; at < nets->count; at++) {
			if (!memcmp(&nets->item[at], prefix, sizeof(*prefix)))
				break;
		}
		if (at == NATXDP_PREFIXES_MAX)
			return -E2BIG;
		if (at == nets->count)
			nets->item[nets->count++] = *prefix;
		wanted->inside_group[at] = settings->standby.prefix[i].group;
	}
	if (settings->standby.count)
		wanted->config.features |= NATXDP_POOL_GROUPS;
	return 0;
}

static void make_tunnel(struct natxdp_tunnel_conf *tunnel, const struct plan *plan)
{
	const struct prefix_list *sources = &plan->settings->gwlb_sources;
	uint32_t mtu = plan->dev[0].mtu;

	/* with interfaces of their own the tunnels are reached by these */
	for (unsigned int i = 1; i < plan->dev_count; i++) {
		if (i == 1 || plan->dev[i].mtu < mtu)
			mtu = plan->dev[i].mtu;
	}
	tunnel->mtu = plan_tunnel_mtu(mtu);
	tunnel->ipv6 = plan->settings->gwlb_ipv6;
	for (; tunnel->sources < sources->count && tunnel->sources < NATXDP_TUNNEL_SOURCES;
	     tunnel->sources++) {
		const struct natxdp_prefix *prefix = &sources->item[tunnel->sources];
		__be32 mask = prefix->bits ? htonl(~0u << (32 - prefix->bits)) : 0;

		tunnel->source[tunnel->sources].addr = prefix->addr & mask;
		tunnel->source[tunnel->sources].mask = mask;
	}
}

int contents_make(struct contents *wanted, const struct contents *now,
		  const bool used[NATXDP_POOL_MAX], const struct plan *plan)
{
	const struct settings *settings = plan->settings;
	int ret;

	memset(wanted, 0, sizeof(*wanted));
	wanted->config = now->config; /* what is fixed there stays */
	ret = pool_merge(&now->pool, &plan->pool, used, &wanted->pool);
	if (!ret)
		ret = own_addrs_make(&wanted->own, &plan->addrs, &wanted->pool);
	if (ret)
		return ret;
	make_config(&wanted->config, plan, &wanted->pool);
	settings_host_ports(settings, &wanted->host_ports);
	ret = make_inside(wanted, settings);
	if (ret)
		return ret;
	if (plan->gwlb) {
		wanted->config.features |= NATXDP_TUNNELS;
		make_tunnel(&wanted->tunnel, plan);
	}
	wanted->no_nat_nets = *settings_no_nat(settings);
	for (unsigned int i = 0; i < plan->dev_count; i++)
		wanted->dev[i] = plan->dev[i].ifindex;
	return 0;
}

unsigned int contents_keep_drains(struct contents *wanted, const struct contents *now,
				  void (*each)(__be32 addr, void *data), void *data)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < wanted->pool.count && i < now->pool.count; i++) {
		struct natxdp_pool *item = &wanted->pool.item[i];
		const struct natxdp_pool *is = &now->pool.item[i];

		if (!is->addr || is->addr != item->addr || item->flags & NATXDP_POOL_DRAINING ||
		    !(is->flags & NATXDP_POOL_DRAINING))
			continue;
		item->flags |= NATXDP_POOL_DRAINING;
		kept++;
		if (each)
			each(is->addr, data);
	}
	return kept;
}
