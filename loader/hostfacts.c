/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Gathers what check.c judges: of the host, as nic.c does of an interface. */
#include <errno.h>
#include <linux/magic.h>
#include <linux/neighbour.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "attach.h"
#include "check.h"
#include "dispatch.h"
#include "instance.h"
#include "plan.h"
#include "privilege.h"
#include "rtnl.h"
#include "settings.h"

enum { TCP_LISTEN_STATE = 0x0A, UDP_OPEN_STATE = 0x07, BUFFER_SIZE = 8192 };

/* /proc/net has one line a socket: "sl local_address rem_address st ...". */
static void read_listeners(struct facts *facts, const char *path, uint8_t proto,
			   unsigned int wanted_state)
{
	unsigned int addr, port, remote, remote_port, state;
	char line[512];
	FILE *file = fopen(path, "re");

	if (!file)
		return;
	while (fgets(line, sizeof(line), file) && facts->listener_count < LISTENERS_MAX) {
		if (sscanf(line, "%*d: %x:%x %x:%x %x", &addr, &port, &remote, &remote_port,
			   &state) != 5)
			continue;
		/* 127.0.0.0/8 is nothing that the outside could reach */
		if (state != wanted_state || remote_port || (ntohl(addr) >> 24) == IN_LOOPBACKNET)
			continue;
		facts->listener[facts->listener_count].proto = proto;
		facts->listener[facts->listener_count++].port = port;
	}
	fclose(file);
}

static void read_host(struct facts *facts)
{
	struct err ignored;
	struct utsname kernel;
	struct statfs fs;
	char vendor[64] = "";
	FILE *file;

	uname(&kernel);
	snprintf(facts->release, sizeof(facts->release), "%s", kernel.release);
	facts->btf = !access("/sys/kernel/btf/vmlinux", R_OK);
	facts->bpffs = !statfs("/sys/fs/bpf", &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
	facts->permitted = !privilege_check(&ignored);
	file = fopen("/sys/class/dmi/id/sys_vendor", "re");
	if (!file)
		return;
	facts->ec2 = fgets(vendor, sizeof(vendor), file) && !strncmp(vendor, "Amazon EC2", 10);
	fclose(file);
}

/* Sends one request and hands all answers to @each. Whatever fails leaves the facts as they are. */
static void ask(int protocol, struct nlmsghdr *request, mnl_cb_t each, struct facts *facts)
{
	struct mnl_socket *socket = mnl_socket_open2(protocol, SOCK_CLOEXEC);
	struct timeval patience = { .tv_sec = 2 };
	char buffer[BUFFER_SIZE];
	int ret = MNL_CB_OK;
	ssize_t len;

	if (!socket)
		return;
	setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (!mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) &&
	    mnl_socket_sendto(socket, request, request->nlmsg_len) > 0) {
		while (ret > MNL_CB_STOP &&
		       (len = mnl_socket_recvfrom(socket, buffer, sizeof(buffer))) > 0) {
			ret = mnl_cb_run(buffer, len, 0, 0, each, facts);
			/* what is no dump is answered by one message */
			if (!(request->nlmsg_flags & NLM_F_DUMP))
				break;
		}
	}
	mnl_socket_close(socket);
}

static void read_route(struct facts *facts)
{
	uint32_t ifindex;

	facts->route = !rtnl_way_out(&ifindex, &facts->gateway);
	facts->route_out = facts->route && ifindex == facts->nic[0].ifindex;
}

static int see_neighbour(const struct nlmsghdr *message, void *data)
{
	const struct ndmsg *neighbour = mnl_nlmsg_get_payload(message);
	struct facts *facts = data;

	if (message->nlmsg_type == RTM_NEWNEIGH)
		facts->neighbour = neighbour->ndm_state & (NUD_PERMANENT | NUD_REACHABLE |
							   NUD_STALE | NUD_DELAY | NUD_PROBE);
	return MNL_CB_OK;
}

static void read_neighbour(struct facts *facts)
{
	char buffer[256];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ndmsg *neighbour;

	request->nlmsg_type = RTM_GETNEIGH;
	request->nlmsg_flags = NLM_F_REQUEST;
	neighbour = mnl_nlmsg_put_extra_header(request, sizeof(*neighbour));
	neighbour->ndm_family = AF_INET;
	neighbour->ndm_ifindex = facts->nic[0].ifindex;
	mnl_attr_put_u32(request, NDA_DST, facts->gateway);
	ask(NETLINK_ROUTE, request, see_neighbour, facts);
}

static int see_chain(const struct nlmsghdr *message, void *data)
{
	const char *table = "", *type = "";
	struct facts *facts = data;
	const struct nlattr *attr;

	if (message->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN))
		return MNL_CB_OK;
	mnl_attr_for_each(attr, message, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(attr) == NFTA_CHAIN_TABLE)
			table = mnl_attr_get_str(attr);
		else if (mnl_attr_get_type(attr) == NFTA_CHAIN_TYPE)
			type = mnl_attr_get_str(attr);
	}
	if (strcmp(type, "nat"))
		return MNL_CB_OK;
	facts->nat_chains++;
	snprintf(facts->nat_table, sizeof(facts->nat_table), "%s", table);
	return MNL_CB_OK;
}

/* nftables, which iptables of today is too; and the old iptables. */
static void read_netfilter(struct facts *facts)
{
	char buffer[256], line[64];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	FILE *file = fopen("/proc/net/ip_tables_names", "re");
	struct nfgenmsg *chain;

	while (file && fgets(line, sizeof(line), file)) {
		if (strcmp(line, "nat\n"))
			continue;
		facts->nat_chains++;
		strcpy(facts->nat_table, "iptables nat");
	}
	if (file)
		fclose(file);
	request->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	chain = mnl_nlmsg_put_extra_header(request, sizeof(*chain));
	chain->nfgen_family = AF_UNSPEC;
	ask(NETLINK_NETFILTER, request, see_chain, facts);
}

static int read_nics(struct facts *facts, const struct plan *plan, struct err *err)
{
	struct instance instance;
	struct attached attached;
	int ret;

	instance_look(&instance, plan->settings->pin_dir);
	for (unsigned int i = 0; i < plan->dev_count; i++) {
		const struct instance_link *own = instance_find(&instance, plan->dev[i].name);

		ret = nic_look(&facts->nic[i], plan->dev[i].name);
		if (ret)
			return err_set(err, STATUS_INTERFACE, ret, "%s: cannot look at it: %s",
				       plan->dev[i].name, strerror(-ret));
		if (plan->settings->hook != HOOK_CHOICE_TC &&
		    !attach_query(HOOK_XDP, plan->dev[i].ifindex, &attached) &&
		    !(own && own->entry == attached.program))
			facts->other_xdp[i] = plan->settings->dispatcher &&
							      dispatch_can_join(
								      plan->dev[i].ifindex) ?
						      0 :
						      attached.program;
		facts->nic_count++;
	}
	return 0;
}

static int read_sysctls(struct facts *facts, const struct plan *plan, struct err *err)
{
	struct sysctl_list *now = &facts->sysctl_now;
	int ret = sysctl_needed(plan, &facts->sysctl_needed, err);

	if (ret)
		return ret;
	*now = facts->sysctl_needed;
	for (unsigned int i = 0; i < now->count; i++) {
		if (sysctl_get(now->item[i].name, now->item[i].value))
			strcpy(now->item[i].value, "?");
	}
	return 0;
}

int facts_gather(struct facts *facts, const struct plan *plan, struct err *err)
{
	int ret;

	memset(facts, 0, sizeof(*facts));
	read_host(facts);
	ret = read_nics(facts, plan, err);
	if (!ret)
		ret = read_sysctls(facts, plan, err);
	if (ret)
		return ret;
	read_listeners(facts, "/proc/net/tcp", IPPROTO_TCP, TCP_LISTEN_STATE);
	read_listeners(facts, "/proc/net/udp", IPPROTO_UDP, UDP_OPEN_STATE);
	read_route(facts);
	if (facts->gateway)
		read_neighbour(facts);
	read_netfilter(facts);
	return 0;
}
