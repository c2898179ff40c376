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
#include "pins.h"
#include "plan.h"
#include "settings.h"

int attach_query(uint32_t ifindex, struct attached *attached)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	int ret = bpf_xdp_query(ifindex, 0, &opts);

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

int attach_check_free_but(const struct plan *plan, const struct instance *instance, struct err *err)
{
	const struct instance_link *link;
	char name[BPF_OBJ_NAME_LEN];
	struct attached attached;
	int ret;

	for (unsigned int i = 0; i < plan->dev_count; i++) {
		const struct plan_dev *dev = &plan->dev[i];

		ret = attach_query(dev->ifindex, &attached);
		if (ret)
			return err_set(err, STATUS_KERNEL, ret,
				       "%s: cannot ask for its XDP program: %s", dev->name,
				       strerror(-ret));
		link = instance_find(instance, dev->name);
		if (!attached.program || (link && link->entry == attached.program) ||
		    (plan->settings->dispatcher && dispatch_can_join(dev->ifindex)))
			continue;
		program_name(attached.program, name);
		return err_set(err, STATUS_STATE, EBUSY,
			       "%s: another XDP program is on it already: id %u, %s: detach that "
			       "one first ('bpftool net' and 'bpftool link' show whose it is), or, "
			       "if libxdp put it there, use --dispatcher",
			       dev->name, attached.program, name);
	}
	return 0;
}

int attach_check_free(const struct plan *plan, struct err *err)
{
	const struct instance none = { .link_count = 0 };

	return attach_check_free_but(plan, &none, err);
}

enum nat_program attach_program_for(const struct plan *plan, unsigned int dev)
{
	if (!plan->two_armed)
		return NAT_PROGRAM_SINGLE;
	return dev == NATXDP_DEV_OUTSIDE ? NAT_PROGRAM_OUTSIDE : NAT_PROGRAM_INSIDE;
}

static int explain_failure(const struct plan *plan, const char *iface, int error, struct err *err)
{
	if (plan->settings->xdp_mode == XDP_MODE_NATIVE && (error == EOPNOTSUPP || error == EINVAL))
		return err_set(err, STATUS_KERNEL, error,
			       "%s: its driver cannot run XDP as the interface is set up (%s): lower "
			       "the MTU, free queues (ethtool -L), or set xdp_mode to generic, which "
			       "is slow",
			       iface, strerror(error));
	return err_set(err, STATUS_KERNEL, error, "%s: cannot attach the XDP program: %s", iface,
		       strerror(error));
}

static const char *program_names[NAT_PROGRAMS] = {
	[NAT_PROGRAM_SINGLE] = "natxdp_single",
	[NAT_PROGRAM_INSIDE] = "natxdp_inside",
	[NAT_PROGRAM_OUTSIDE] = "natxdp_outside",
};

/* Adds the program and pins it in the place of an older one. Returns its id, or -errno. */
static int dispatch_one(const struct nat *nat, const struct plan *plan, unsigned int dev,
			struct err *err)
{
	const char *name = program_names[attach_program_for(plan, dev)];
	struct bpf_prog_info info = { 0 };
	char path[PIN_PATH_MAX];
	__u32 size = sizeof(info);
	int fd = dispatch_add(nat, name, plan->dev[dev].name,
			      plan->settings->xdp_mode == XDP_MODE_GENERIC, err),
	    ret;

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
	uint32_t config = dispatch_map_id(nat->map[NAT_MAP_config]);
	int id[NATXDP_DEVS_MAX] = { 0 };

	for (unsigned int i = 0; i < plan->dev_count; i++) {
		id[i] = dispatch_one(nat, plan, i, err);
		if (id[i] < 0)
			return id[i];
	}
	for (unsigned int i = 0; i < plan->dev_count; i++) {
		int ret = dispatch_remove(plan->dev[i].ifindex, config, id[i]);

		if (ret)
			return err_set(err, STATUS_KERNEL, ret,
				       "%s: the program before cannot be taken off: %s",
				       plan->dev[i].name, strerror(-ret));
	}
	return 0;
}

static int attach_one(const struct nat *nat, const struct plan *plan, unsigned int i,
		      struct err *err)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	const struct plan_dev *dev = &plan->dev[i];
	char path[PIN_PATH_MAX];
	int link, ret = 0;

	opts.flags = plan->settings->xdp_mode == XDP_MODE_NATIVE ? XDP_FLAGS_DRV_MODE :
								   XDP_FLAGS_SKB_MODE;
	link = bpf_link_create(nat_program(nat, attach_program_for(plan, i)), dev->ifindex, BPF_XDP,
			       &opts);
	if (link < 0)
		return explain_failure(plan, dev->name, errno, err);
	pins_link_path(path, plan->settings->pin_dir, dev->name);
	if (bpf_obj_pin(link, path))
		ret = err_set(err, STATUS_KERNEL, errno, "%s: cannot pin: %s", path,
			      strerror(errno));
	close(link);
	return ret;
}

int attach_all(const struct nat *nat, const struct plan *plan, struct err *err)
{
	int ret = 0;

	if (plan->settings->dispatcher)
		return dispatch_all(nat, plan, err);
	for (unsigned int i = 0; !ret && i < plan->dev_count; i++)
		ret = attach_one(nat, plan, i, err);
	return ret;
}

static int replace_one(const struct plan *plan, unsigned int dev, int program)
{
	char path[PIN_PATH_MAX];
	int link, ret;

	pins_link_path(path, plan->settings->pin_dir, plan->dev[dev].name);
	link = bpf_obj_get(path);
	if (link < 0)
		return -errno;
	ret = bpf_link_update(link, program, NULL) ? -errno : 0;
	close(link);
	return ret;
}

int attach_swap_all(const struct plan *plan, const int program[], struct err *err)
{
	int before[NATXDP_DEVS_MAX];
	struct attached attached;
	unsigned int done = 0, opened = 0;
	int ret = 0;

	for (; opened < plan->dev_count; opened++) {
		ret = attach_query(plan->dev[opened].ifindex, &attached);
		before[opened] = ret ? ret : bpf_prog_get_fd_by_id(attached.program);
		if (before[opened] < 0) {
			ret = before[opened];
			break;
		}
	}
	for (; !ret && done < plan->dev_count; done += !ret)
		ret = replace_one(plan, done, program[done]);
	if (ret) {
		err_set(err, STATUS_KERNEL, ret, "%s: cannot replace the XDP program: %s",
			plan->dev[opened < plan->dev_count ? opened : done].name, strerror(-ret));
		for (; done; done--)
			replace_one(plan, done - 1, before[done - 1]);
	}
	while (opened)
		close(before[--opened]);
	return ret;
}

int attach_replace_all(const struct nat *nat, const struct plan *plan, struct err *err)
{
	int program[NATXDP_DEVS_MAX];

	if (plan->settings->dispatcher)
		return dispatch_all(nat, plan, err);
	for (unsigned int i = 0; i < plan->dev_count; i++)
		program[i] = nat_program(nat, attach_program_for(plan, i));
	return attach_swap_all(plan, program, err);
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

		if (link && link->ifindex == plan->dev[i].ifindex &&
		    !replace_one(plan, i, nat_program(nat, attach_program_for(plan, i))))
			continue;
		pins_link_path(path, plan->settings->pin_dir, plan->dev[i].name);
		unlink(path);
		ret = attach_one(nat, plan, i, err);
	}
	return ret;
}
