/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "rtnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

enum { DUMP_SIZE = 32768, ANSWER_SIZE = 8192 }; /* what the kernel fills at most in one go */

/* Any address that is nobody's own network will do to ask for the way out. */
#define INTERNET "1.1.1.1"

struct way {
	uint32_t ifindex;
	__be32 gateway;
};

static int add_addr(const struct nlmsghdr *message, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(message);
	struct host_addrs *addrs = data;
	const struct nlattr *attr;
	struct host_addr *addr;

	mnl_attr_for_each(attr, message, sizeof(*ifa)) {
		if (mnl_attr_get_type(attr) != IFA_LOCAL)
			continue;
		if (addrs->count == NATXDP_OWN_ADDRS_MAX) {
			errno = E2BIG;
			return MNL_CB_ERROR;
		}
		addr = &addrs->item[addrs->count++];
		addr->addr = mnl_attr_get_u32(attr);
		addr->ifindex = ifa->ifa_index;
		addr->secondary = ifa->ifa_flags & IFA_F_SECONDARY;
	}
	return MNL_CB_OK;
}

static int dump(struct mnl_socket *socket, struct nlmsghdr *request, mnl_cb_t callback, void *data)
{
	size_t size = DUMP_SIZE;
	unsigned int port = mnl_socket_get_portid(socket);
	char *buffer = malloc(size);
	ssize_t len;
	int ret = MNL_CB_OK;

	if (!buffer)
		return -ENOMEM;
	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		ret = MNL_CB_ERROR;
	while (ret > MNL_CB_STOP) {
		len = mnl_socket_recvfrom(socket, buffer, size);
		ret = len < 0 ? MNL_CB_ERROR :
				mnl_cb_run(buffer, len, request->nlmsg_seq, port, callback, data);
	}
	free(buffer);
	return ret == MNL_CB_ERROR ? -errno : 0;
}

int rtnl_addrs(struct host_addrs *addrs)
{
	char buffer[256];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ifaddrmsg *ifa;
	struct mnl_socket *socket;
	int ret;

	request->nlmsg_type = RTM_GETADDR;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request->nlmsg_seq = 1;
	ifa = mnl_nlmsg_put_extra_header(request, sizeof(*ifa));
	ifa->ifa_family = AF_INET;
	addrs->count = 0;
	socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!socket)
		return -errno;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0)
		ret = -errno;
	else
		ret = dump(socket, request, add_addr, addrs);
	mnl_socket_close(socket);
	return ret;
}

__be32 host_addrs_first(const struct host_addrs *addrs, uint32_t ifindex)
{
	for (unsigned int i = 0; i < addrs->count; i++) {
		if (addrs->item[i].ifindex == ifindex && !addrs->item[i].secondary)
			return addrs->item[i].addr;
	}
	return 0;
}

bool host_addrs_has(const struct host_addrs *addrs, __be32 addr)
{
	for (unsigned int i = 0; i < addrs->count; i++) {
		if (addrs->item[i].addr == addr)
			return true;
	}
	return false;
}

static int see_way(const struct nlmsghdr *message, void *data)
{
	struct way *way = data;
	const struct nlattr *attr;

	if (message->nlmsg_type != RTM_NEWROUTE)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, message, sizeof(struct rtmsg)) {
		if (mnl_attr_get_type(attr) == RTA_OIF)
			way->ifindex = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == RTA_GATEWAY)
			way->gateway = mnl_attr_get_u32(attr);
	}
	return MNL_CB_OK;
}

/* Sends one request that has one answer. An error of the kernel comes as errno. */
static int ask(struct nlmsghdr *request, mnl_cb_t see, void *data)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char answer[ANSWER_SIZE];
	ssize_t len = -1;
	int ret = 0;

	if (!socket)
		return -errno;
	if (!mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) &&
	    mnl_socket_sendto(socket, request, request->nlmsg_len) > 0)
		len = mnl_socket_recvfrom(socket, answer, sizeof(answer));
	if (len < 0 || mnl_cb_run(answer, len, 0, 0, see, data) < MNL_CB_STOP)
		ret = -errno;
	mnl_socket_close(socket);
	return ret;
}

int rtnl_way_out(uint32_t *ifindex, __be32 *gateway)
{
	char buffer[256];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct way way = { 0 };
	struct rtmsg *route;
	int ret;

	request->nlmsg_type = RTM_GETROUTE;
	request->nlmsg_flags = NLM_F_REQUEST;
	route = mnl_nlmsg_put_extra_header(request, sizeof(*route));
	route->rtm_family = AF_INET;
	route->rtm_dst_len = 32;
	mnl_attr_put_u32(request, RTA_DST, inet_addr(INTERNET));
	ret = ask(request, see_way, &way);
	*ifindex = way.ifindex;
	*gateway = way.gateway;
	return ret || way.ifindex ? ret : -ENETUNREACH;
}

int rtnl_use_neighbour(struct mnl_socket *socket, uint32_t ifindex, __be32 addr)
{
	char buffer[256];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ndmsg *neighbour;

	request->nlmsg_type = RTM_NEWNEIGH;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE;
	neighbour = mnl_nlmsg_put_extra_header(request, sizeof(*neighbour));
	neighbour->ndm_family = AF_INET;
	neighbour->ndm_ifindex = ifindex;
	neighbour->ndm_flags = NTF_USE;
	mnl_attr_put_u32(request, NDA_DST, addr);
	return mnl_socket_sendto(socket, request, request->nlmsg_len) < 0 ? -errno : 0;
}
