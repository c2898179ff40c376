/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <natxdp/tunnel.h>

#include "err.h"
#include "settings.h"

enum {
	INTERNET_MTU = 1500, /* an internet gateway takes no more, whatever the interface does */
	TCP_HEADERS = 40,    /* IPv4 and TCP, without options */
};

uint32_t plan_egress_mtu(const struct settings *settings, uint32_t dev_mtu)
{
	if (settings->egress_mtu != SIZE_AUTO)
		return settings->egress_mtu;
	return dev_mtu < INTERNET_MTU ? dev_mtu : INTERNET_MTU;
}

uint32_t plan_tunnel_mtu(uint32_t dev_mtu)
{
	uint32_t room = dev_mtu > NATXDP_TUNNEL_OVERHEAD ? dev_mtu - NATXDP_TUNNEL_OVERHEAD : 0;

	return room < NATXDP_TUNNEL_MTU ? room : NATXDP_TUNNEL_MTU;
}

uint32_t plan_mss_clamp(const struct settings *settings, uint32_t dev_mtu)
{
	uint32_t mtu = plan_egress_mtu(settings, dev_mtu), tunnel = plan_tunnel_mtu(dev_mtu);

	if (settings->mode == MODE_GWLB && (!mtu || tunnel < mtu))
		mtu = tunnel;
	if (settings->mss_clamp != SIZE_AUTO)
		return settings->mss_clamp;
	return (mtu ? mtu : dev_mtu) - TCP_HEADERS;
}

static int read_mtu(struct plan_dev *dev, struct err *err)
{
	struct ifreq request = { 0 };
	int fd, ret = 0;

	memcpy(request.ifr_name, dev->name, sizeof(request.ifr_name));
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFMTU, &request))
		ret = err_set(err, STATUS_INTERFACE, errno, "%s: cannot ask for its MTU: %s",
			      dev->name, strerror(errno));
	if (fd >= 0)
		close(fd);
	dev->mtu = request.ifr_mtu;
	return ret;
}

static int err_no_such(const char *name, struct err *err)
{
	return err_set(err, STATUS_INTERFACE, ENODEV,
		       "%s: no such interface in this network namespace: 'ip link' lists them",
		       name);
}

static int add_dev(struct plan *plan, const char *name, struct err *err)
{
	struct plan_dev *dev = &plan->dev[plan->dev_count];

	for (unsigned int i = 0; i < plan->dev_count; i++) {
		if (!strcmp(plan->dev[i].name, name))
			return err_set(err, STATUS_CONFIG, EINVAL,
				       "%s: both inside and outside: leave it out of 'inside' for "
				       "one-armed NAT",
				       name);
	}
	dev->ifindex = strlen(name) < IFNAMSIZ ? if_nametoindex(name) : 0;
	if (!dev->ifindex)
		return err_no_such(name, err);
	if (!strcmp(name, "lo"))
		return err_set(err, STATUS_INTERFACE, EINVAL,
			       "lo: the loopback interface cannot translate: give the one that "
			       "leads out");
	memcpy(dev->name, name, strlen(name) + 1);
	plan->dev_count++;
	return read_mtu(dev, err);
}

int plan_iface(char name[IFNAMSIZ], const char *word, struct err *err)
{
	uint32_t ifindex;
	__be32 gateway;
	int ret;

	if (strcmp(word, "auto") || if_nametoindex(word)) {
		snprintf(name, IFNAMSIZ, "%s", word);
		/* a name that does not fit is none, and is said as it was given */
		return strlen(word) < IFNAMSIZ ? 0 : err_no_such(word, err);
	}
	ret = rtnl_way_out(&ifindex, &gateway);
	if (!ret && !if_indextoname(ifindex, name))
		ret = -errno;
	if (ret)
		return err_set(err, STATUS_INTERFACE, ret,
			       "auto: no route to the internet to take the interface of: %s: give "
			       "the interface, or the host a default route",
			       strerror(-ret));
	return 0;
}

static void add_external(struct pool *pool, const struct settings *settings,
			 const struct external *external)
{
	const struct port_range *ports = external->has_ports ? &external->ports :
							       &settings->port_range;
	struct natxdp_pool *item = &pool->item[pool->count++];

	item->addr = external->addr;
	item->port_min = ports->min;
	item->port_max = ports->max;
}

int plan_pool(struct pool *pool, const struct settings *settings, __be32 first)
{
	const struct external_list *list = &settings->external;
	const struct external only = { .addr = first };

	memset(pool, 0, sizeof(*pool));
	for (unsigned int i = 0; i < list->count; i++)
		add_external(pool, settings, &list->item[i]);
	if (!list->count)
		add_external(pool, settings, &only);
	for (unsigned int i = 0; i < settings->standby.count && pool->count < NATXDP_POOL_MAX;
	     i++) {
		add_external(pool, settings, &settings->standby.item[i].external);
		pool->item[pool->count - 1].group = settings->standby.item[i].group;
		pool->item[pool->count - 1].flags = NATXDP_POOL_STANDBY;
	}
	return list->count || first ? 0 : -EADDRNOTAVAIL;
}

int plan_make(struct plan *plan, const struct settings *settings, const char *iface,
	      struct err *err)
{
	int ret;

	memset(plan, 0, sizeof(*plan));
	plan->settings = settings;
	plan->two_armed = settings->inside.count;
	plan->gwlb = settings->mode == MODE_GWLB;
	ret = add_dev(plan, iface, err);
	for (unsigned int i = 0; !ret && i < settings->inside.count; i++)
		ret = add_dev(plan, settings->inside.name[i], err);
	if (ret)
		return ret;
	ret = rtnl_addrs(&plan->addrs);
	if (ret)
		return err_set(err, STATUS_SYSTEM, ret,
			       "cannot list the addresses of this host: %s", strerror(-ret));
	ret = plan_pool(&plan->pool, settings,
			host_addrs_first(&plan->addrs, plan->dev[NATXDP_DEV_OUTSIDE].ifindex));
	if (ret)
		return err_set(err, STATUS_INTERFACE, ret,
			       "%s: it has no IPv4 address: give it one, or name the external "
			       "address with --external",
			       iface);
	return 0;
}
