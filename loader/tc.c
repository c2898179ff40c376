/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "tc.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/bpf.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ours.h"
#include "rundir.h"

enum {
	/* the NAT is the first: who comes before us and accepts would have it leave untranslated */
	PRIORITY = 1,
	HANDLE = 0x6e61,
	QDISCS_MAX = 64,
	MESSAGE_SIZE = 32768,
};

int tc_query(enum tc_place place, uint32_t ifindex, uint32_t *id)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE, .priority = PRIORITY + place);
	int ret = bpf_tc_query(&hook, &opts);

	*id = ret ? 0 : opts.prog_id;
	/* no qdisc is EINVAL; a filter that is none of BPF at this priority is seen on attach */
	return ret == -ENOENT || ret == -EINVAL ? 0 : ret;
}

/* The qdiscs that we made: the namespace first, then ifindexes. */
static unsigned int read_made(const char *pin_dir, uint32_t made[QDISCS_MAX], unsigned long *netns)
{
	char path[RUN_PATH_MAX];
	unsigned int count = 0;
	FILE *file;

	*netns = 0;
	rundir_path(path, pin_dir, "clsact");
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "netns %lu\n", netns) == 1) {
		while (count < QDISCS_MAX && fscanf(file, "%u\n", &made[count]) == 1)
			count++;
	}
	fclose(file);
	return count;
}

static bool has_made(const char *pin_dir, uint32_t ifindex)
{
	uint32_t made[QDISCS_MAX];
	unsigned long netns;
	unsigned int count = read_made(pin_dir, made, &netns);

	while (count) {
		if (made[--count] == ifindex && netns == rundir_net_namespace())
			return true;
	}
	return false;
}

static int note_made(const char *pin_dir, uint32_t ifindex)
{
	char path[RUN_PATH_MAX];
	FILE *file;
	int ret;

	if (has_made(pin_dir, ifindex))
		return 0;
	rundir_path(path, pin_dir, "clsact");
	file = fopen(path, "ae");
	if (!file)
		return -errno;
	if (!ftell(file))
		fprintf(file, "netns %lu\n", rundir_net_namespace());
	fprintf(file, "%u\n", ifindex);
	ret = ferror(file) ? -EIO : 0;
	return fclose(file) && !ret ? -errno : ret;
}

static int count_one(const struct nlmsghdr *message, void *data)
{
	if (message->nlmsg_type == RTM_NEWTFILTER)
		++*(unsigned int *)data;
	return MNL_CB_OK;
}

/* How many filters @parent of the interface has, or -errno. */
static int count_filters(uint32_t ifindex, uint32_t parent)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	static char buffer[MESSAGE_SIZE];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	unsigned int found = 0;
	struct tcmsg *tc;
	int ret = -EIO;
	ssize_t len;

	request->nlmsg_type = RTM_GETTFILTER;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	tc = mnl_nlmsg_put_extra_header(request, sizeof(*tc));
	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = parent;
	if (socket && !mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) &&
	    mnl_socket_sendto(socket, request, request->nlmsg_len) > 0)
		ret = MNL_CB_OK;
	while (ret > MNL_CB_STOP) {
		len = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		ret = len < 0 ? MNL_CB_ERROR : mnl_cb_run(buffer, len, 0, 0, count_one, &found);
	}
	if (socket)
		mnl_socket_close(socket);
	return ret == MNL_CB_STOP ? (int)found : -EIO;
}

static bool is_empty(uint32_t ifindex)
{
	return !count_filters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)) &&
	       !count_filters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS));
}

static int make_qdisc(const char *pin_dir, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	uint32_t id;
	int ret;

	/* where a filter of ours is, a qdisc is too */
	for (int place = 0; place < TC_PLACES; place++) {
		if (!tc_query(place, ifindex, &id) && id)
			return 0;
	}
	ret = bpf_tc_hook_create(&hook);
	if (ret == -EEXIST)
		return 0;
	return ret ? ret : note_made(pin_dir, ifindex);
}

int tc_attach(enum tc_place place, const char *pin_dir, uint32_t ifindex, int program)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE, .priority = PRIORITY + place,
		    .prog_fd = program, .flags = BPF_TC_F_REPLACE);
	int ret = make_qdisc(pin_dir, ifindex);

	return ret ? ret : bpf_tc_attach(&hook, &opts);
}

void tc_detach(enum tc_place place, const char *pin_dir, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE, .priority = PRIORITY + place);

	bpf_tc_detach(&hook, &opts);
	if (!has_made(pin_dir, ifindex) || !is_empty(ifindex))
		return;
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	bpf_tc_hook_destroy(&hook);
}

void tc_leave(enum tc_place place, const char *pin_dir, const struct ours *ours)
{
	struct if_nameindex *list = if_nameindex();
	uint32_t id;

	for (struct if_nameindex *entry = list; entry && entry->if_index; entry++) {
		if (!tc_query(place, entry->if_index, &id) && id && ours_has(ours, id))
			tc_detach(place, pin_dir, entry->if_index);
	}
	if_freenameindex(list);
}

bool tc_is_elsewhere(const char *pin_dir)
{
	uint32_t made[QDISCS_MAX];
	unsigned long netns;

	return read_made(pin_dir, made, &netns) && netns != rundir_net_namespace();
}

void tc_forget(const char *pin_dir)
{
	char path[RUN_PATH_MAX];

	rundir_path(path, pin_dir, "clsact");
	unlink(path);
}
