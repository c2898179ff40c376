/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "tc.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
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
static unsigned int read_made(const char *pin_dir, uint32_t made[QDISCS_MAX], uint64_t *netns)
{
	char path[RUN_PATH_MAX];
	unsigned int count = 0;
	FILE *file;

	*netns = 0;
	rundir_path(path, pin_dir, "clsact");
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "netns %" SCNu64 "\n", netns) == 1) {
		while (count < QDISCS_MAX && fscanf(file, "%u\n", &made[count]) == 1)
			count++;
	}
	fclose(file);
	return count;
}

static bool has_made(const char *pin_dir, uint32_t ifindex)
{
	uint32_t made[QDISCS_MAX];
	uint64_t netns;
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
		fprintf(file, "netns %" PRIu64 "\n", rundir_net_namespace());
	fprintf(file, "%u\n", ifindex);
	ret = ferror(file) ? -EIO : 0;
	return fclose(file) && !ret ? -errno : ret;
}

/* The note is whole at any time: written beside, then renamed. */
static void note_gone(const char *pin_dir, uint32_t ifindex)
{
	char path[RUN_PATH_MAX], fresh[RUN_PATH_MAX + 8];
	uint32_t made[QDISCS_MAX];
	uint64_t netns;
	unsigned int count = read_made(pin_dir, made, &netns), left = 0;
	FILE *file;

	rundir_path(path, pin_dir, "clsact");
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	file = fopen(fresh, "we");
	if (!file)
		return;
	fprintf(file, "netns %" PRIu64 "\n", netns);
	for (unsigned int i = 0; i < count; i++) {
		if (made[i] != ifindex)
			left += fprintf(file, "%u\n", made[i]) > 0;
	}
	if (fclose(file) || !left || rename(fresh, path))
		unlink(fresh);
	if (!left)
		unlink(path);
}

static int count_one(const struct nlmsghdr *message, void *data)
{
	if (message->nlmsg_type == RTM_NEWTFILTER)
		++*(unsigned int *)data;
	return MNL_CB_OK;
}

/* Asks rtnetlink of one interface; @see is called for each message. Returns 0, or -EIO if refused. */
static int ask(uint16_t type, uint16_t flags, const struct tcmsg *what, mnl_cb_t see, void *data)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	static char buffer[MESSAGE_SIZE];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	int ret = MNL_CB_ERROR;
	ssize_t len;

	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | flags;
	*(struct tcmsg *)mnl_nlmsg_put_extra_header(request, sizeof(*what)) = *what;
	if (socket && !mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) &&
	    mnl_socket_sendto(socket, request, request->nlmsg_len) > 0)
		ret = MNL_CB_OK;
	while (ret > MNL_CB_STOP) {
		len = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
		ret = len < 0 ? MNL_CB_ERROR : mnl_cb_run(buffer, len, 0, 0, see, data);
	}
	if (socket)
		mnl_socket_close(socket);
	return ret == MNL_CB_STOP ? 0 : -EIO;
}

/* How many filters @parent of the interface has, or -EIO. */
static int count_filters(uint32_t ifindex, uint32_t parent)
{
	const struct tcmsg what = { .tcm_ifindex = (int)ifindex, .tcm_parent = parent };
	unsigned int found = 0;

	return ask(RTM_GETTFILTER, NLM_F_DUMP, &what, count_one, &found) ? -EIO : (int)found;
}

static bool has_qdisc(uint32_t ifindex)
{
	const struct tcmsg what = { .tcm_ifindex = (int)ifindex,
				    .tcm_parent = TC_H_CLSACT,
				    .tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0) };

	return !ask(RTM_GETQDISC, NLM_F_ACK, &what, NULL, NULL);
}

static bool is_empty(uint32_t ifindex)
{
	return !count_filters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)) &&
	       !count_filters(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS));
}

static int make_qdisc(const char *pin_dir, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	int ret;

	if (has_qdisc(ifindex))
		return 0;
	/* first, so that one who is killed between the two leaves none that nobody knows */
	ret = note_made(pin_dir, ifindex);
	if (ret)
		return ret;
	ret = bpf_tc_hook_create(&hook);
	if (ret)
		note_gone(pin_dir, ifindex);
	return ret == -EEXIST ? 0 : ret;
}

static bool is_spare(const char *pin_dir, uint32_t ifindex)
{
	return has_made(pin_dir, ifindex) && has_qdisc(ifindex) && is_empty(ifindex);
}

static void end_qdisc(const char *pin_dir, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	if (is_spare(pin_dir, ifindex) && !bpf_tc_hook_destroy(&hook))
		note_gone(pin_dir, ifindex);
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
	end_qdisc(pin_dir, ifindex);
}

void tc_leave(enum tc_place place, const char *pin_dir, const struct ours *ours)
{
	struct if_nameindex *list = if_nameindex();
	uint32_t id;

	for (struct if_nameindex *entry = list; entry && entry->if_index; entry++) {
		if (!tc_query(place, entry->if_index, &id) && id && ours_has(ours, id))
			tc_detach(place, pin_dir, entry->if_index);
		else
			end_qdisc(pin_dir, entry->if_index);
	}
	if_freenameindex(list);
}

void tc_forget(const char *pin_dir)
{
	char path[RUN_PATH_MAX];

	rundir_path(path, pin_dir, "clsact");
	unlink(path);
}
