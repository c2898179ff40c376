/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "instance.h"

#include <bpf/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "abi.h"
#include "attach.h"
#include "dispatch.h"
#include "nat.h"
#include "ours.h"
#include "pins.h"
#include "tc.h"

static void look_at_own_link(int fd, struct instance_link *link)
{
	struct bpf_link_info info = { 0 };
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size) || info.type != BPF_LINK_TYPE_XDP)
		return;
	link->ifindex = info.xdp.ifindex;
	link->program = link->entry = info.prog_id;
}

/* Behind a dispatcher the program is pinned; libxdp has the links, and changes them. */
static void look_at_dispatched(int fd, struct instance_link *link)
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);
	struct attached attached;

	link->dispatched = true;
	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return;
	link->program = info.id;
	link->ifindex = if_nametoindex(link->name);
	if (link->ifindex && dispatch_has(link->ifindex, info.id) &&
	    !attach_query(HOOK_XDP, link->ifindex, &attached))
		link->entry = attached.program;
	else
		link->ifindex = 0;
}

/*
 * At TC the program is pinned, too, and a filter of the interface has it or
 * not; or has another one of ours, which whoever put it there did not live to
 * pin.
 */
static void look_at_filter(uint32_t program, const struct ours *ours, struct instance_link *link)
{
	uint32_t ifindex = if_nametoindex(link->name), id;

	link->hook = HOOK_TC;
	link->program = program;
	if (!ifindex || tc_query(TC_NAT, ifindex, &id) || (id != program && !ours_has(ours, id)))
		return;
	link->ifindex = ifindex;
	link->program = link->entry = id;
}

static void look_at_program(int fd, const struct ours *ours, struct instance_link *link)
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);

	if (!bpf_obj_get_info_by_fd(fd, &info, &size) && info.type == BPF_PROG_TYPE_SCHED_CLS)
		look_at_filter(info.id, ours, link);
	else
		look_at_dispatched(fd, link);
}

struct look {
	struct instance *instance;
	struct ours ours;
};

static void look_at_link(const char *path, void *data)
{
	struct look *look = data;
	struct instance *instance = look->instance;
	struct instance_link *link = &instance->link[instance->link_count];
	int fd;

	if (instance->link_count == NATXDP_DEVS_MAX)
		return;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	strncpy(link->name, strrchr(path, '/') + 1, IFNAMSIZ - 1);
	for (char *c = link->name; *c; c++) {
		if (*c == ':') /* see pins_link_path() */
			*c = '.';
	}
	if (pins_is_program(fd))
		look_at_program(fd, &look->ours, link);
	else
		look_at_own_link(fd, link);
	instance->link_count++;
	close(fd);
}

static bool read_config(struct instance *instance, const char *pin_dir)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);
	char path[PIN_PATH_MAX];
	bool found = false;
	int fd;

	pins_map_path(path, pin_dir, nat_map_names[NAT_MAP_config]);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return false;
	if (!bpf_obj_get_info_by_fd(fd, &info, &size)) {
		found = true;
		instance->readable = abi_read_config(fd, &instance->config) == NATXDP_ABI;
	}
	close(fd);
	return found;
}

static unsigned int count_devs(const char *pin_dir)
{
	struct bpf_devmap_val value;
	char path[PIN_PATH_MAX];
	unsigned int count = 0;
	int fd;

	pins_map_path(path, pin_dir, nat_map_names[NAT_MAP_egress_devs]);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return 0;
	for (__u32 i = 0; i < NATXDP_DEVS_MAX; i++)
		count += !bpf_map_lookup_elem(fd, &i, &value) && value.ifindex;
	close(fd);
	return count;
}

static bool is_complete(const struct instance *instance, const char *pin_dir)
{
	for (unsigned int i = 0; i < instance->link_count; i++) {
		if (!instance->link[i].ifindex)
			return false;
	}
	if (!instance->link_count)
		return false;
	/* another version's tables say nothing that is understood here: do not clean it away */
	if (!instance->readable)
		return true;
	return instance->config.active && instance->link_count == count_devs(pin_dir);
}

static void outside_first(struct instance *instance)
{
	struct instance_link first = instance->link[0];

	for (unsigned int i = 1; i < instance->link_count; i++) {
		if (instance->link[i].ifindex != instance->config.outside_ifindex)
			continue;
		instance->link[0] = instance->link[i];
		instance->link[i] = first;
	}
}

void instance_look(struct instance *instance, const char *pin_dir)
{
	struct look look = { .instance = instance };
	bool found;

	memset(instance, 0, sizeof(*instance));
	found = read_config(instance, pin_dir);
	ours_look(&look.ours, pin_dir);
	pins_each(pin_dir, PINS_LINKS, look_at_link, &look);
	outside_first(instance);
	if (found && is_complete(instance, pin_dir))
		instance->state = INSTANCE_RUNNING;
	else if (pins_exist(pin_dir))
		instance->state = INSTANCE_REMAINS;
}

bool instance_is_at(const struct instance *instance, enum hook hook)
{
	for (unsigned int i = 0; i < instance->link_count; i++) {
		if (instance->link[i].hook != hook)
			return false;
	}
	return true;
}

bool instance_is_half_moved(const struct instance *instance, const char *pin_dir)
{
	struct ours ours;
	uint32_t id;

	if (instance->state != INSTANCE_RUNNING)
		return false;
	if (!instance_is_at(instance, instance->link[0].hook))
		return true;
	ours_look(&ours, pin_dir);
	for (unsigned int i = 0; i < instance->link_count; i++) {
		const struct instance_link *link = &instance->link[i];

		if (link->hook == HOOK_XDP && !tc_query(TC_NAT, link->ifindex, &id) && id &&
		    ours_has(&ours, id))
			return true;
	}
	return false;
}

const struct instance_link *instance_find(const struct instance *instance, const char *iface)
{
	for (unsigned int i = 0; i < instance->link_count; i++) {
		if (!strcmp(instance->link[i].name, iface))
			return &instance->link[i];
	}
	return NULL;
}

void instance_tag(uint32_t program, char tag[TAG_TEXT])
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(program);

	strcpy(tag, "?");
	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &size)) {
		for (int i = 0; i < BPF_TAG_SIZE; i++)
			snprintf(tag + 2 * i, 3, "%02x", info.tag[i]);
	}
	close(fd);
}
