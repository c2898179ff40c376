/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How two contents differ, in words. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "contents.h"

struct differ {
	struct difference *differences;
	unsigned int max;
	unsigned int count;
};

/* A place for one more; what does not fit is written to @spare and counted. */
static struct difference *add(struct differ *differ, struct difference *spare, const char *fmt, ...)
{
	struct difference *d = spare;
	va_list args;

	if (differ->count < differ->max)
		d = &differ->differences[differ->count];
	differ->count++;
	va_start(args, fmt);
	vsnprintf(d->what, sizeof(d->what), fmt, args);
	va_end(args);
	return d;
}

static void compare_number(struct differ *differ, const char *what, __u32 found, __u32 needed)
{
	struct difference spare, *d;

	if (found == needed)
		return;
	d = add(differ, &spare, "%s", what);
	snprintf(d->found, sizeof(d->found), "%u", found);
	snprintf(d->needed, sizeof(d->needed), "%u", needed);
}

static void compare_present(struct differ *differ, bool found, bool needed, const char *what,
			    const char *item)
{
	struct difference spare, *d;

	if (found == needed)
		return;
	d = add(differ, &spare, "%s %s", what, item);
	snprintf(d->found, sizeof(d->found), "%s", found ? "present" : "missing");
	snprintf(d->needed, sizeof(d->needed), "%s", needed ? "present" : "missing");
}

static void compare_prefixes(struct differ *differ, const char *what,
			     const struct prefix_list *found, const struct prefix_list *needed)
{
	char addr[INET_ADDRSTRLEN], text[INET_ADDRSTRLEN + 4];
	const struct prefix_list *both[] = { needed, found };

	for (int side = 0; side < 2; side++) {
		const struct prefix_list *list = both[side];

		for (unsigned int i = 0; i < list->count; i++) {
			const struct natxdp_prefix *prefix = &list->item[i];

			inet_ntop(AF_INET, &prefix->addr, addr, sizeof(addr));
			snprintf(text, sizeof(text), "%s/%u", addr, prefix->bits);
			/* what both have is equal; what one has is seen once */
			compare_present(differ, prefix_list_has(found, prefix),
					prefix_list_has(needed, prefix), what, text);
		}
	}
}

static void describe_pool(const struct pool *pool, __be32 addr, char text[], size_t size)
{
	int i = pool_find(pool, addr);

	if (i < 0)
		snprintf(text, size, "missing");
	else
		snprintf(text, size, "index %d, ports %u-%u%s%.0u%s", i, pool->item[i].port_min,
			 pool->item[i].port_max, pool->item[i].group ? ", group " : "",
			 pool->item[i].group, /* nothing for 0 */
			 pool->item[i].flags & NATXDP_POOL_DRAINING ? ", draining" : "");
}

static void compare_pools(struct differ *differ, const struct pool *found,
			  const struct pool *needed)
{
	const struct pool *both[] = { needed, found };
	char addr[INET_ADDRSTRLEN];

	for (int side = 0; side < 2; side++) {
		for (unsigned int i = 0; i < both[side]->count; i++) {
			struct difference spare, d = { 0 };
			__be32 at = both[side]->item[i].addr;

			if (!at || (side && pool_find(needed, at) >= 0))
				continue;
			describe_pool(found, at, d.found, sizeof(d.found));
			describe_pool(needed, at, d.needed, sizeof(d.needed));
			if (!strcmp(d.found, d.needed))
				continue;
			inet_ntop(AF_INET, &at, addr, sizeof(addr));
			snprintf(d.what, sizeof(d.what), "external %s", addr);
			*add(differ, &spare, "%s", d.what) = d;
		}
	}
}

static void compare_own(struct differ *differ, const struct own_addr_list *found,
			const struct own_addr_list *needed)
{
	const struct own_addr_list *both[] = { needed, found };
	char addr[INET_ADDRSTRLEN];

	for (int side = 0; side < 2; side++) {
		for (unsigned int i = 0; i < both[side]->count; i++) {
			const __be32 at = both[side]->item[i].addr;
			const struct own_addr *is = own_addrs_find(found, at);
			const struct own_addr *be = own_addrs_find(needed, at);

			inet_ntop(AF_INET, &at, addr, sizeof(addr));
			compare_present(differ, is, be, "own address", addr);
			if (!side && is && be && is->pool != be->pool)
				compare_number(differ, "pool of an own address", is->pool,
					       be->pool);
		}
	}
}

static void compare_config(struct differ *differ, const struct natxdp_config *found,
			   const struct natxdp_config *needed)
{
	static const char *const timeouts[NATXDP_TIMEOUTS] = {
		[NATXDP_TIMEOUT_UDP] = "udp_timeout (ticks)",
		[NATXDP_TIMEOUT_ICMP] = "icmp_timeout (ticks)",
		[NATXDP_TIMEOUT_OTHER] = "other_timeout (ticks)",
		[NATXDP_TIMEOUT_TCP_OPENING] = "tcp_opening_timeout (ticks)",
		[NATXDP_TIMEOUT_TCP_ESTABLISHED] = "tcp_established_timeout (ticks)",
		[NATXDP_TIMEOUT_TCP_CLOSING] = "tcp_closing_timeout (ticks)",
	};
	char what[64];

	compare_number(differ, "active", found->active, needed->active);
	compare_number(differ, "outside interface", found->outside_ifindex,
		       needed->outside_ifindex);
	compare_number(differ, "tcp_midstream", found->tcp_midstream, needed->tcp_midstream);
	compare_number(differ, "features", found->features, needed->features);
	compare_number(differ, "mss_clamp", found->mss_clamp, needed->mss_clamp);
	compare_number(differ, "egress_mtu", found->egress_mtu, needed->egress_mtu);
	compare_number(differ, "limit_flows", found->limit_flows, needed->limit_flows);
	compare_number(differ, "limit_rate", found->limit_rate, needed->limit_rate);
	compare_number(differ, "pool_count", found->pool_count, needed->pool_count);
	for (int i = 0; i < NATXDP_TIMEOUTS; i++)
		compare_number(differ, timeouts[i], found->timeout[i], needed->timeout[i]);
	for (int class = 0; class < NATXDP_CLASSES; class ++) {
		snprintf(what, sizeof(what), "mapping of %s", class_names[class]);
		compare_number(differ, what, found->mapping[class], needed->mapping[class]);
		snprintf(what, sizeof(what), "filtering of %s", class_names[class]);
		compare_number(differ, what, found->filtering[class], needed->filtering[class]);
	}
	for (int i = 0; i < NATXDP_DEVS_MAX; i++) {
		snprintf(what, sizeof(what), "address of interface %d", i);
		compare_number(differ, what, ntohl(found->dev_addr[i]), ntohl(needed->dev_addr[i]));
	}
}

unsigned int contents_compare(const struct contents *found, const struct contents *needed,
			      struct difference *differences, unsigned int max)
{
	struct differ differ = { .differences = differences, .max = max };
	struct difference spare, *d;

	compare_config(&differ, &found->config, &needed->config);
	compare_pools(&differ, &found->pool, &needed->pool);
	compare_own(&differ, &found->own, &needed->own);
	compare_prefixes(&differ, "inside prefix", &found->inside_nets, &needed->inside_nets);
	compare_prefixes(&differ, "no_nat prefix", &found->no_nat_nets, &needed->no_nat_nets);
	for (int i = 0; i < NATXDP_DEVS_MAX; i++) {
		if (found->dev[i] != needed->dev[i])
			compare_number(&differ, "interface index", found->dev[i], needed->dev[i]);
	}
	if (memcmp(&found->tunnel, &needed->tunnel, sizeof(found->tunnel))) {
		d = add(&differ, &spare, "gwlb_sources, gwlb_ipv6");
		snprintf(d->found, sizeof(d->found), "other values");
		snprintf(d->needed, sizeof(d->needed), "those of the configuration");
	}
	if (memcmp(&found->host_ports, &needed->host_ports, sizeof(found->host_ports))) {
		d = add(&differ, &spare, "host_ports");
		snprintf(d->found, sizeof(d->found), "another set of ports");
		snprintf(d->needed, sizeof(d->needed), "that of the configuration");
	}
	return differ.count;
}
