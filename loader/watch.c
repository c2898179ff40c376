/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "watch.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "err.h"
#include "frags.h"
#include "hold.h"
#include "host.h"
#include "log.h"
#include "nat.h"
#include "nexthops.h"
#include "pins.h"
#include "rtnl.h"
#include "watcher.h"

enum {
	/* below the 60 s or so for which the kernel trusts a neighbour that it does not use */
	CONFIRM_SECONDS = 30,
	RECEIVE_BUFFER = 4 << 20,
	MESSAGE_SIZE = 32768,
	RELOADS = 3, /* in CONFIRM_SECONDS at most */
	BUSY_MS = 100,
};

struct watch {
	const char *pin_dir;
	struct nat nat;
	uint32_t config_id; /* of the map, to know a later NAT at the same place */
	struct mnl_socket *events;
	struct mnl_socket *requests;
	int epoll, signals, timer;
	struct hold_counters *held;
	struct frags *frags; /* NULL where the kernel hands none over */
	struct changes changes;
	bool host_changed; /* its interfaces or addresses */
	bool busy;	   /* it has changed while somebody had the lock */
	unsigned int reloads_left;
	bool ended;
};

static void see_neighbour(struct watch *watch, const struct nlmsghdr *message)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(message);
	struct neighbour neighbour = { .ifindex = nd->ndm_ifindex };
	const struct nlattr *attr;

	if (nd->ndm_family != AF_INET)
		return;
	mnl_attr_for_each(attr, message, sizeof(*nd)) {
		if (mnl_attr_get_type(attr) == NDA_DST)
			neighbour.addr = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == NDA_LLADDR && mnl_attr_get_payload_len(attr) == 6) {
			memcpy(neighbour.mac, mnl_attr_get_payload(attr), 6);
			neighbour.reachable = true;
		}
	}
	if (message->nlmsg_type == RTM_DELNEIGH || nd->ndm_state & (NUD_FAILED | NUD_INCOMPLETE))
		neighbour.reachable = false;
	changes_add(&watch->changes, &neighbour);
}

static int see(const struct nlmsghdr *message, void *data)
{
	struct watch *watch = data;

	switch (message->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		see_neighbour(watch, message);
		break;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		watch->host_changed = true;
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		watch->host_changed = true;
		watch->changes.all = true;
		break;
	default: /* routes, rules: any of them may lead elsewhere now */
		watch->changes.all = true;
	}
	return MNL_CB_OK;
}

static void read_events(struct watch *watch)
{
	char buffer[MESSAGE_SIZE];
	ssize_t len;

	for (;;) {
		len = recv(mnl_socket_get_fd(watch->events), buffer, sizeof(buffer), MSG_DONTWAIT);
		if (len > 0) {
			mnl_cb_run(buffer, len, 0, 0, see, watch);
			continue;
		}
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == ENOBUFS) {
			/* messages were lost: anything may have changed */
			watch->changes.all = true;
			watch->host_changed = true;
			continue;
		}
		return;
	}
}

/* A reload that fails causes events itself: not again before the next look around. */
static void bring_back(struct watch *watch)
{
	if (watch->reloads_left) {
		watch->reloads_left--;
		log_note("%s: an interface is back, or a load was killed: loading again",
			 watch->pin_dir);
		host_reload(watch->pin_dir);
	}
	watch->host_changed = !watch->reloads_left;
}

static void mend(struct watch *watch)
{
	enum host_state state;
	int ret;

	if (watch->host_changed) {
		state = host_follow(&watch->nat, watch->pin_dir);
		watch->host_changed = watch->busy = state == HOST_BUSY;
		if (state == HOST_RELOAD)
			bring_back(watch);
	}
	ret = nexthops_mend(&watch->nat, &watch->changes);
	if (ret)
		log_error("map next_hops: cannot mend: %s", strerror(-ret));
}

static void confirm_one(const struct natxdp_next_hop *hop, uint32_t index, void *data)
{
	struct watch *watch = data;

	(void)index;
	rtnl_use_neighbour(watch->requests, hop->ifindex, hop->addr);
}

/*
 * The kernel does not see what XDP forwards, and forgets neighbours that it
 * thinks nobody uses.
 */
static void confirm(struct watch *watch)
{
	char buffer[MESSAGE_SIZE];

	nexthops_each(&watch->nat, confirm_one, watch);
	/* refusals (an interface that went away) come as events as well */
	while (recv(mnl_socket_get_fd(watch->requests), buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
		;
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

static bool still_loaded(const struct watch *watch)
{
	struct natxdp_config config;
	char path[PIN_PATH_MAX];
	__u32 zero = 0, id;
	int fd;

	pins_map_path(path, watch->pin_dir, nat_map_names[NAT_MAP_config]);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return false;
	id = map_id(fd);
	close(fd);
	return id == watch->config_id &&
	       !bpf_map_lookup_elem(watch->nat.map[NAT_MAP_config], &zero, &config) &&
	       config.active;
}

static int follow(struct watch *watch, struct err *err)
{
	static const int groups[] = {
		RTNLGRP_NEIGH, RTNLGRP_IPV4_ROUTE,  RTNLGRP_IPV4_RULE,
		RTNLGRP_LINK,  RTNLGRP_IPV4_IFADDR,
	};
	int size = RECEIVE_BUFFER, fd;

	watch->events = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	watch->requests = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!watch->events || !watch->requests ||
	    mnl_socket_bind(watch->events, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_bind(watch->requests, 0, MNL_SOCKET_AUTOPID) < 0)
		return err_set(err, STATUS_KERNEL, errno, "rtnetlink: cannot open: %s",
			       strerror(errno));
	fd = mnl_socket_get_fd(watch->events);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	for (unsigned int i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		if (mnl_socket_setsockopt(watch->events, NETLINK_ADD_MEMBERSHIP, (void *)&groups[i],
					  sizeof(groups[i])) < 0)
			return err_set(err, STATUS_KERNEL, errno, "rtnetlink: cannot follow: %s",
				       strerror(errno));
	}
	return 0;
}

static int add_to_epoll(struct watch *watch, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return fd < 0 || epoll_ctl(watch->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int set_up(struct watch *watch, struct err *err)
{
	const struct itimerspec pace = {
		.it_interval.tv_sec = CONFIRM_SECONDS,
		.it_value.tv_sec = CONFIRM_SECONDS,
	};
	sigset_t stop;
	int ret;

	ret = follow(watch, err);
	if (ret)
		return ret;
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGUSR1);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	watch->signals = signalfd(-1, &stop, SFD_CLOEXEC);
	watch->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	watch->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (add_to_epoll(watch, watch->signals) || add_to_epoll(watch, watch->timer) ||
	    add_to_epoll(watch, mnl_socket_get_fd(watch->events)) ||
	    timerfd_settime(watch->timer, 0, &pace, NULL))
		return err_set(err, STATUS_SYSTEM, errno, "cannot wait for events: %s",
			       strerror(errno));
	return 0;
}

/* Without it fragments in order still pass: so its failure ends nothing. */
static void hold_fragments(struct watch *watch)
{
	struct err err;

	watch->held = watcher_share_counters(watch->pin_dir);
	if (!watch->held) {
		log_error("the counters of held fragments cannot be shared: %s", strerror(errno));
		return;
	}
	watch->frags = frags_open(&watch->nat, watch->pin_dir, watch->held, &err);
	if (!watch->frags)
		log_error("%s", err.text);
	else if (add_to_epoll(watch, frags_arrivals_fd(watch->frags)) ||
		 add_to_epoll(watch, frags_timer_fd(watch->frags)))
		log_error("cannot wait for fragments: %s", strerror(errno));
}

static void say_held(const struct watch *watch)
{
	const struct hold_counters *c = watch->held;

	if (c)
		log_note("fragments: held %" PRIu64 ", sent on %" PRIu64 ", returned %" PRIu64
			 ", given up %" PRIu64 ", refused %" PRIu64 ", lost %" PRIu64,
			 c->held, c->sent_on, c->returned, c->given_up, c->refused, c->lost);
}

static void read_signal(struct watch *watch)
{
	struct signalfd_siginfo info;

	if (read(watch->signals, &info, sizeof(info)) == sizeof(info) && info.ssi_signo == SIGUSR1)
		say_held(watch);
	else
		watch->ended = true;
}

static bool is_about_fragments(const struct watch *watch, int fd)
{
	return watch->frags &&
	       (fd == frags_arrivals_fd(watch->frags) || fd == frags_timer_fd(watch->frags));
}

static void step(struct watch *watch)
{
	struct epoll_event event = { .data.fd = -1 };
	uint64_t expirations;

	if (epoll_wait(watch->epoll, &event, 1, watch->busy ? BUSY_MS : -1) < 0)
		return;
	if (event.data.fd == watch->signals) {
		read_signal(watch);
		return;
	}
	if (is_about_fragments(watch, event.data.fd)) {
		frags_step(watch->frags);
		return;
	}
	if (event.data.fd == watch->timer) {
		if (read(watch->timer, &expirations, sizeof(expirations)) > 0)
			confirm(watch);
		watch->reloads_left = RELOADS;
		watch->host_changed |= host_is_half_moved(watch->pin_dir);
	} else {
		read_events(watch);
	}
	watch->ended = !still_loaded(watch);
	if (!watch->ended)
		mend(watch);
}

static void close_all(struct watch *watch)
{
	const int fds[] = { watch->epoll, watch->signals, watch->timer };

	frags_close(watch->frags);
	watcher_unshare_counters(watch->held);
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	if (watch->events)
		mnl_socket_close(watch->events);
	if (watch->requests)
		mnl_socket_close(watch->requests);
	nat_close(&watch->nat);
}

int watch_run(const char *pin_dir, int ready_fd, struct err *err)
{
	struct watch watch = {
		.pin_dir = pin_dir,
		.epoll = -1,
		.signals = -1,
		.timer = -1,
		/* whatever happened before this one followed */
		.changes.all = true,
		.host_changed = true,
		.reloads_left = RELOADS,
	};
	int ret;

	ret = nat_open(&watch.nat, pin_dir, err);
	if (ret)
		return ret;
	watch.config_id = map_id(watch.nat.map[NAT_MAP_config]);
	ret = set_up(&watch, err);
	if (ret)
		goto close;
	hold_fragments(&watch);
	mend(&watch);
	/* busy: by the load that starts this one, and has just looked at the host */
	watch.host_changed = watch.busy = false;
	if (ready_fd >= 0) {
		if (write(ready_fd, "r", 1) != 1)
			log_error("nobody waits for the watcher");
		close(ready_fd);
	}
	while (!watch.ended)
		step(&watch);
	say_held(&watch);
close:
	close_all(&watch);
	return ret;
}
