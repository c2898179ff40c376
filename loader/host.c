/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contents.h"
#include "err.h"
#include "guard.h"
#include "instance.h"
#include "log.h"
#include "nat.h"
#include "plan.h"
#include "lastload.h"
#include "rundir.h"
#include "settings.h"
#include "sysctl.h"

enum { SHOWN = 4 };

struct view {
	struct settings settings;
	struct plan plan;
	struct contents found;
	struct contents needed;
	struct difference differences[SHOWN];
};

/* In the child of a child, so that nobody waits for it; it outlives this watcher. */
static void become_reload(const char *pin_dir)
{
	int null = open("/dev/null", O_RDWR);

	setsid();
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		_exit(1);
	execl("/proc/self/exe", "natxdp", "reload", "--pin-dir", pin_dir, (char *)NULL);
	_exit(1);
}

void host_reload(const char *pin_dir)
{
	sigset_t none;
	pid_t pid = fork();

	if (!pid) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		if (!fork())
			become_reload(pin_dir);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

/* An interface without its program, and all of them there. */
static bool can_come_back(const struct instance *instance, const struct plan *plan)
{
	for (unsigned int i = 0; i < plan->dev_count; i++) {
		const struct instance_link *link = instance_find(instance, plan->dev[i].name);

		if (!link || link->ifindex != plan->dev[i].ifindex)
			return true;
	}
	return false;
}

static void say_changes(const struct view *view, unsigned int count)
{
	for (unsigned int i = 0; i < count && i < SHOWN; i++)
		log_note("followed the host: %s was %s, is %s", view->differences[i].what,
			 view->differences[i].found, view->differences[i].needed);
	if (count > SHOWN)
		log_note("followed the host: and %u more", count - SHOWN);
}

static int take_over(struct nat *nat, struct view *view, struct err *err)
{
	unsigned int count;
	int ret;

	ret = nat_read(nat, &view->found);
	if (ret)
		return err_set(err, STATUS_KERNEL, ret, "the maps cannot be read: %s",
			       strerror(-ret));
	ret = nat_plan(nat, &view->plan, &view->found, &view->needed, err);
	if (ret)
		return ret;
	contents_keep_drains(&view->needed, &view->found, NULL, NULL);
	count = contents_compare(&view->found, &view->needed, view->differences, SHOWN);
	if (!count)
		return 0;
	ret = nat_write(nat, &view->found, &view->needed);
	if (ret)
		return err_set(err, STATUS_KERNEL, ret, "the maps cannot be filled: %s",
			       strerror(-ret));
	say_changes(view, count);
	return 0;
}

/* Those of an interface are new with it. */
static int follow_sysctls(const struct plan *plan, const char *pin_dir, struct err *err)
{
	struct sysctl_list needed;
	int ret = sysctl_needed(plan, &needed, err);

	if (!ret && needed.count)
		ret = sysctl_apply(pin_dir, &needed, err);
	return ret;
}

/*
 * The kernel takes filters from an interface that leaves its network namespace, and leaves XDP
 * there. Where it takes no guard, `load` has said so.
 */
static void follow_guard(const struct plan *plan)
{
	struct err ignored;

	for (unsigned int i = 0; i < plan->dev_count; i++) {
		if (guard_is_on(plan, i))
			continue;
		if (!guard_attach_all(plan, &ignored))
			log_note("followed the host: %s had lost its guard", plan->dev[i].name);
		return;
	}
}

static int follow(struct nat *nat, const char *pin_dir, struct view *view, bool *reload,
		  struct err *err)
{
	struct instance instance;
	char iface[IFNAMSIZ];
	int ret;

	instance_look(&instance, pin_dir);
	if (!instance.link_count)
		return 0;
	ret = lastload_read_settings(&view->settings, iface, pin_dir, err);
	if (!ret)
		ret = plan_make(&view->plan, &view->settings, iface, err);
	if (ret)
		return ret;
	*reload = can_come_back(&instance, &view->plan) ||
		  instance_is_half_moved(&instance, pin_dir);
	if (*reload)
		return 0;
	follow_guard(&view->plan);
	ret = follow_sysctls(&view->plan, pin_dir, err);
	return ret ? ret : take_over(nat, view, err);
}

bool host_is_half_moved(const char *pin_dir)
{
	struct instance instance;
	struct err ignored;
	bool half;
	int lock = rundir_lock(pin_dir, 0, &ignored);

	if (lock < 0)
		return false; /* it is being moved */
	instance_look(&instance, pin_dir);
	half = instance_is_half_moved(&instance, pin_dir);
	rundir_unlock(lock, pin_dir, false);
	return half;
}

enum host_state host_follow(struct nat *nat, const char *pin_dir)
{
	struct view *view = malloc(sizeof(*view));
	bool reload = false;
	struct err err;
	int lock;

	if (!view)
		return HOST_BUSY;
	lock = rundir_lock(pin_dir, 0, &err);
	if (lock >= 0) {
		if (follow(nat, pin_dir, view, &reload, &err))
			log_error("%s", err.text);
		rundir_unlock(lock, pin_dir, false);
	}
	free(view);
	if (lock < 0)
		return HOST_BUSY;
	return reload ? HOST_RELOAD : HOST_FOLLOWED;
}
