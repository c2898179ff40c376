/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dispatch.h"
#include "err.h"
#include "instance.h"
#include "nat.h"
#include "ours.h"
#include "pins.h"
#include "plan.h"
#include "settings.h"
#include "tc.h"

int attach_query(enum hook hook, uint32_t ifindex, struct attached *attached)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	int ret;

	attached->generic = false;
	if (hook == HOOK_TC)
		return tc_query(TC_NAT, ifindex, &attached->program);
	ret = bpf_xdp_query(ifindex, 0, &opts);
	if (ret)
		return ret;
	attached->program = opts.prog_id;
	attached->generic = opts.attach_mode == XDP_ATTACHED_SKB;
	/* with one in the driver and one beside it, neither is in prog_id */
	if (opts.attach_mode == XDP_ATTACHED_MULTI)
		attached->program = opts.drv_prog_id ? opts.drv_prog_id : opts.hw_prog_id;
	return 0;
}

static void program_name(uint32_t id, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	strcpy(name, "?");
	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &size) && *info.name)
		memcpy(name, info.name, BPF_OBJ_NAME_LEN);
	close(fd);
}

int attach_check_free_but(enum hook hook, const struct plan *plan, const struct instance *instance,
			  struct err *err)
{
	const struct instance_link *link;
	char name[BPF_OBJ_NAME_LEN];
	struct attached attached;
	struct ours ours;
	int ret;

	ours_look(&ours, plan->settings->pin_dir);
	for (unsigned int i = 0; i < plan->dev_count; i++) {
		const struct plan_dev *dev = &plan->dev[i];

		ret = attach_query(hook, dev->ifindex, &attached);
		if (ret)
			return err_set(err, STATUS_KERNEL, ret,
				       "%s: cannot ask for its %s program: %s", dev->name,
				       hook_names[hook], strerror(-ret));
		link = instance_find(instance, dev->name);
		if (!attached.program || (link && link->entry == attached.program) ||
		    ours_has(&ours, attached.program) ||
		    (plan->settings->dispatcher && dispatch_can_join(dev->ifindex)))
			continue;
		program_name(attached.program, name);
		if (hook == HOOK_TC)
			return err_set(err, STATUS_STATE, EBUSY,
				       "%s: another program has our place at TC, that of a NAT "
				       "perhaps: id %u, %s: 'tc filter show dev %s ingress' shows it",
				       dev->name, attached.program, name, dev->name);
		return err_set(err, STATUS_STATE, EBUSY,
			       "%s: another XDP program is on it already: id %u, %s: detach that "
			       "one first ('bpftool net' and 'bpftool link' show whose it is), or, "
			       "if libxdp put it there, use --dispatcher",
			       dev->name, attached.program, name);
	}
	return 0;
}

int attach_check_free(enum hook hook, const struct plan *plan, struct err *err)
{
	const struct instance none = { .link_count = 0 };

	return attach_check_free_but(hook, plan, &none, err);
}

enum nat_program attach_program_for(const struct plan *plan, unsigned int dev)
{
	if (!plan->two_armed)
		return NAT_PROGRAM_SINGLE;
	return dev == NATXDP_DEV_OUTSIDE ? NAT_PROGRAM_OUTSIDE : NAT_PROGRAM_INSIDE;
}

static int explain_failure(enum hook hook, const struct plan *plan, const char *iface, int error,
			   struct err *err)
{
	if (hook == HOOK_XDP && plan->settings->xdp_mode == XDP_MODE_NATIVE &&
	    (error == EOPNOTSUPP || error == EINVAL))
		return err_set(err, STATUS_KERNEL, error,
			       "%s: its driver cannot run XDP as the interface is set up (%s): lower "
			       "the MTU, free queues (ethtool -L), or set hook to tc or auto",
			       iface, strerror(error));
	return err_set(err, STATUS_KERNEL, error, "%s: cannot attach the %s program: %s", iface,
		       hook_names[hook], strerror(error));
}

/* Adds the program and pins it in the place of an older one. Returns its id, or -errno. */
static int dispatch_one(const struct nat *nat, const struct plan *plan, unsigned int dev,
			struct err *err)
{
	const char *name = nat_program_names[attach_program_for(plan, dev)];
	struct bpf_prog_info info = { 0 };
	struct bpf_object *object = nat_open_again(nat, name, err);
	char path[PIN_PATH_MAX];
	__u32 size = sizeof(info);
	int fd = -EINVAL, ret;

	if (object)
		fd = dispatch_add(object, name, DISPATCH_NAT, plan->dev[dev].name,
				  plan->settings->xdp_mode == XDP_MODE_GENERIC, err);
	bpf_object__close(object);
	if (fd < 0)
		return fd;
	pins_link_path(path, plan->settings->pin_dir, plan->dev[dev].name);
	ret = bpf_obj_get_info_by_fd(fd, &info, &size) ? -errno : 0;
	if (!ret)
		ret = pins_put(fd, path, plan->settings->pin_dir);
	if (ret)
		err_set(err, STATUS_KERNEL, ret, "%s: cannot pin: %s", path, strerror(-ret));
	else
		ret = info.id;
	close(fd);
	return ret;
}

/*
 * The new programs join before the old ones go, so that no frame misses both;
 * none sees both either (see dispatch.c). Both work on the same maps.
 */
static int dispatch_all(const struct nat *nat, const struct plan *plan, struct err *err)
{
	int id[NATXDP_DEVS_MAX] = { 0 };
	struct ours ours;

	for (unsigned int i = 0; i < plan->dev_count; i++) {
		id[i] = dispatch_one(nat, plan, i, err);
		if (id[i] < 0)
			return id[i];
	}
	ours_look(&ours, plan->settings->pin_dir);
	for (unsigned int i = 0; i < plan->dev_count; i++) {
		int ret = dispatch_remove(plan->dev[i].ifindex, &ours, id[i]);

		if (ret)
			return err_set(err, STATUS_KERNEL, ret,
				       "%s: the program before cannot be taken off: %s",
				       plan->dev[i].name, strerror(-ret));
	}
	return 0;
}

static int make_link(const struct plan *plan, unsigned int dev, int program)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	int link;

	opts.flags = plan->settings->xdp_mode == XDP_MODE_NATIVE ? XDP_FLAGS_DRV_MODE :
								   XDP_FLAGS_SKB_MODE;
	link = bpf_link_create(program, plan->dev[dev].ifindex, BPF_XDP, &opts);
	return link < 0 ? -errno : link;
}

/* Attaches and pins, in the place of another pin. */
static int attach_one(enum hook hook, const struct plan *plan, unsigned int i, int program,
		      struct err *err)
{
	const char *pin_dir = plan->settings->pin_dir;
	const struct plan_dev *dev = &plan->dev[i];
	char path[PIN_PATH_MAX];
	int ret, link = -1;

	if (hook == HOOK_TC)
		ret = tc_attach(TC_NAT, pin_dir, dev->ifindex, program);
	else
		ret = link = make_link(plan, i, program);
	if (ret < 0)
		return explain_failure(hook, plan, dev->name, -ret, err);
	pins_link_path(path, pin_dir, dev->name);
	ret = pins_put(hook == HOOK_TC ? program : link, path, pin_dir);
	if (ret)
		err_set(err, STATUS_KERNEL, ret, "%s: cannot pin: %s", path, strerror(-ret));
	if (link >= 0)
		close(link);
	return ret;
}

int attach_all(const struct nat *nat, const struct plan *plan, struct err *err)
{
	int ret = 0;

	if (plan->settings->dispatcher)
		return dispatch_all(nat, plan, err);
	for (unsigned int i = 0; !ret && i < plan->dev_count; i++)
		ret = attach_one(nat->hook, plan, i, nat_program(nat, attach_program_for(plan, i)),
				 err);
	return ret;
}

static int replace_filter(const struct plan *plan, unsigned int dev, int program)
{
	const char *pin_dir = plan->settings->pin_dir;
	char path[PIN_PATH_MAX];
	int ret;

	pins_link_path(path, pin_dir, plan->dev[dev].name);
	ret = tc_attach(TC_NAT, pin_dir, plan->dev[dev].ifindex, program);
	return ret ? ret : pins_put(program, path, pin_dir);
}

static int replace_one(enum hook hook, const struct plan *plan, unsigned int dev, int program)
{
	char path[PIN_PATH_MAX];
	int link, ret;

	if (hook == HOOK_TC)
		return replace_filter(plan, dev, program);
	pins_link_path(path, plan->settings->pin_dir, plan->dev[dev].name);
	link = bpf_obj_get(path);
	if (link < 0)
		return -errno;
	ret = bpf_link_update(link, program, NULL) ? -errno : 0;
	close(link);
	return ret;
}

int attach_swap_all(enum hook hook, const struct plan *plan, const int program[], struct err *err)
{
	int before[NATXDP_DEVS_MAX];
	struct attached attached;
	unsigned int done = 0, opened = 0;
	int ret = 0;

	for (; opened < plan->dev_count; opened++) {
		ret = attach_query(hook, plan->dev[opened].ifindex, &attached);
		before[opened] = ret ? ret : bpf_prog_get_fd_by_id(attached.program);
		if (before[opened] < 0) {
			ret = before[opened];
			break;
		}
	}
	for (; !ret && done < plan->dev_count; done += !ret)
		ret = replace_one(hook, plan, done, program[done]);
	if (ret) {
		err_set(err, STATUS_KERNEL, ret, "%s: cannot replace the %s program: %s",
			plan->dev[opened < plan->dev_count ? opened : done].name, hook_names[hook],
			strerror(-ret));
		for (; done; done--)
			replace_one(hook, plan, done - 1, before[done - 1]);
	}
	while (opened)
		close(before[--opened]);
	return ret;
}

/* Off the hook that it does not use any more. */
static void detach_one(enum hook hook, const struct plan *plan, unsigned int dev, int link)
{
	if (hook == HOOK_TC)
		tc_detach(TC_NAT, plan->settings->pin_dir, plan->dev[dev].ifindex);
	else if (link >= 0)
		bpf_link_detach(link);
}

/*
 * The new program comes before the old one goes, so that nothing passes between
 * them. For as long what the first one leaves to the kernel meets the second.
 */
static int move_one(const struct nat *nat, const struct plan *plan, unsigned int dev,
		    const struct instance_link *from, struct err *err)
{
	int program = nat_program(nat, attach_program_for(plan, dev)), ret, link = -1;
	char path[PIN_PATH_MAX];

	if (from->hook == nat->hook) { /* one that was killed has moved it already */
		ret = replace_one(nat->hook, plan, dev, program);
		return ret ? explain_failure(nat->hook, plan, plan->dev[dev].name, -ret, err) : 0;
	}
	pins_link_path(path, plan->settings->pin_dir, plan->dev[dev].name);
	if (from->hook == HOOK_XDP)
		link = bpf_obj_get(path);
	ret = attach_one(nat->hook, plan, dev, program, err);
	if (!ret)
		detach_one(from->hook, plan, dev, link);
	if (link >= 0)
		close(link);
	return ret;
}

static void move_back(const struct nat *nat, const struct plan *plan, unsigned int dev,
		      const struct instance_link *from, int program)
{
	char path[PIN_PATH_MAX];
	struct err ignored;
	int link = -1;

	if (from->hook == nat->hook) {
		replace_one(nat->hook, plan, dev, program);
		return;
	}
	pins_link_path(path, plan->settings->pin_dir, plan->dev[dev].name);
	if (nat->hook == HOOK_XDP)
		link = bpf_obj_get(path);
	if (!attach_one(from->hook, plan, dev, program, &ignored))
		detach_one(nat->hook, plan, dev, link);
	if (link >= 0)
		close(link);
}

static int move_all(const struct nat *nat, const struct plan *plan, const struct instance *instance,
		    struct err *err)
{
	const struct instance_link *from[NATXDP_DEVS_MAX];
	int before[NATXDP_DEVS_MAX];
	unsigned int opened = 0, done = 0;
	int ret = 0;

	for (; !ret && opened < plan->dev_count; opened += !ret) {
		from[opened] = instance_find(instance, plan->dev[opened].name);
		before[opened] = from[opened] ? bpf_prog_get_fd_by_id(from[opened]->program) : -1;
		if (before[opened] < 0)
			ret = err_set(err, STATUS_STATE, ENOENT, "%s: its program cannot be opened",
				      plan->dev[opened].name);
	}
	for (; !ret && done < plan->dev_count; done += !ret)
		ret = move_one(nat, plan, done, from[done], err);
	for (; ret && done; done--)
		move_back(nat, plan, done - 1, from[done - 1], before[done - 1]);
	while (opened)
		close(before[--opened]);
	return ret;
}

int attach_replace_all(const struct nat *nat, const struct plan *plan,
		       const struct instance *instance, struct err *err)
{
	int program[NATXDP_DEVS_MAX];

	if (plan->settings->dispatcher)
		return dispatch_all(nat, plan, err);
	if (!instance_is_at(instance, nat->hook))
		return move_all(nat, plan, instance, err);
	for (unsigned int i = 0; i < plan->dev_count; i++)
		program[i] = nat_program(nat, attach_program_for(plan, i));
	return attach_swap_all(nat->hook, plan, program, err);
}

int attach_back_all(const struct nat *nat, const struct plan *plan, const struct instance *instance,
		    struct err *err)
{
	char path[PIN_PATH_MAX];
	int ret = 0;

	if (plan->settings->dispatcher)
		return dispatch_all(nat, plan, err);
	for (unsigned int i = 0; !ret && i < plan->dev_count; i++) {
		const struct instance_link *link = instance_find(instance, plan->dev[i].name);
		int program = nat_program(nat, attach_program_for(plan, i));

		if (link && link->ifindex == plan->dev[i].ifindex && nat->hook == HOOK_XDP &&
		    link->hook == HOOK_XDP && !replace_one(HOOK_XDP, plan, i, program))
			continue;
		if (link && link->hook != nat->hook)
			detach_one(link->hook, plan, i, -1);
		pins_link_path(path, plan->settings->pin_dir, plan->dev[i].name);
		unlink(path);
		ret = attach_one(nat->hook, plan, i, program, err);
	}
	return ret;
}
