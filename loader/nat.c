/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "nat.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "abi.h"
#include "err.h"
#include "flows_iter.skel.h"
#include "pins.h"
#include "pool.h"

const char *const nat_map_names[NAT_MAPS] = {
	[NAT_MAP_flow_table] = "flow_table",
	[NAT_MAP_flow_tags] = "flow_tags",
	[NAT_MAP_flow_locks] = "flow_locks",
	[NAT_MAP_flow_due] = "flow_due",
	[NAT_MAP_sweep_state] = "sweep_state",
	[NAT_MAP_config] = "config",
	[NAT_MAP_ext_pool] = "ext_pool",
	[NAT_MAP_own_addrs] = "own_addrs",
	[NAT_MAP_inside_nets] = "inside_nets",
	[NAT_MAP_no_nat_nets] = "no_nat_nets",
	[NAT_MAP_host_ports] = "host_ports",
	[NAT_MAP_next_hops] = "next_hops",
	[NAT_MAP_next_hop_index] = "next_hop_index",
	[NAT_MAP_egress_devs] = "egress_devs",
	[NAT_MAP_port_hints] = "port_hints",
	[NAT_MAP_port_maps] = "port_maps",
	[NAT_MAP_hosts] = "hosts",
	[NAT_MAP_blocked] = "blocked",
	[NAT_MAP_frags] = "frags",
	[NAT_MAP_held_frags] = "held_frags",
	[NAT_MAP_counters] = "counters",
	[NAT_MAP_records] = "records",
	[NAT_MAP_agent] = "agent",
	[NAT_MAP_tunnels] = "tunnels",
	[NAT_MAP_tunnel_counters] = "tunnel_counters",
	[NAT_MAP_tunnel_conf] = "tunnel_conf",
};

const char *const nat_program_names[NAT_PROGRAMS] = {
	[NAT_PROGRAM_SINGLE] = "natxdp_single",	  [NAT_PROGRAM_INSIDE] = "natxdp_inside",
	[NAT_PROGRAM_OUTSIDE] = "natxdp_outside", [NAT_PROGRAM_ARM] = "natxdp_arm",
	[NAT_PROGRAM_INSERT] = "natxdp_insert",	  [NAT_PROGRAM_BRING] = "natxdp_bring",
	[NAT_PROGRAM_CARRY] = "natxdp_carry",
};

bool nat_has(const struct nat *nat, enum nat_map map)
{
	return map < NAT_MAP_tunnels || nat->config.features & NATXDP_TUNNELS;
}

void nat_init(struct nat *nat)
{
	memset(nat, 0, sizeof(*nat));
	for (int i = 0; i < NAT_MAPS; i++)
		nat->map[i] = -1;
}

void nat_close(struct nat *nat)
{
	for (int i = 0; i < NAT_MAPS; i++) {
		if (nat->map[i] >= 0)
			close(nat->map[i]);
	}
	bpf_object__close(nat->object);
	flows_iter_bpf__destroy(nat->iterator);
	nat_init(nat);
}

/* Returns how many maps are not there, or -errno. */
static int get_maps(struct nat *nat, const char *pin_dir)
{
	char path[PIN_PATH_MAX];
	int missing = 0;

	for (int i = 0; i < NAT_MAPS; i++) {
		pins_map_path(path, pin_dir, nat_map_names[i]);
		nat->map[i] = bpf_obj_get(path);
		if (nat->map[i] < 0 && errno != ENOENT)
			return -errno;
		missing += nat->map[i] < 0;
	}
	return missing;
}

/* An upgrade may put other maps into this place meanwhile: then all of them, again. */
static int get_maps_at_once(struct nat *nat, const char *pin_dir)
{
	unsigned long before, after;
	int ret;

	do {
		before = pins_maps_inode(pin_dir);
		ret = get_maps(nat, pin_dir);
		after = pins_maps_inode(pin_dir);
		if (before != after)
			nat_close(nat);
	} while (before != after);
	return ret;
}

static int open_maps(struct nat *nat, const char *pin_dir, bool any, struct err *err)
{
	int ret;

	nat_init(nat);
	ret = get_maps_at_once(nat, pin_dir);
	if (ret == -EPERM || ret == -EACCES)
		return err_set(err, STATUS_PERMISSION, ret, "%s: not permitted: run natxdp as root",
			       pin_dir);
	if (ret < 0 || nat->map[NAT_MAP_config] < 0)
		return err_set(err, STATUS_NOT_LOADED, ret,
			       "%s: no NAT is loaded here: 'natxdp load IFACE' loads one", pin_dir);
	ret = abi_read_config(nat->map[NAT_MAP_config], &nat->config);
	if (ret < 0)
		return err_set(err, STATUS_STATE, EPROTO,
			       "%s: loaded by a version of natxdp whose tables this one cannot "
			       "read: use that one, or run 'natxdp unload --all' first, which ends "
			       "its flows",
			       pin_dir);
	if (ret != NATXDP_ABI && !any)
		return err_set(err, STATUS_STATE, EPROTO,
			       "%s: loaded by another version of natxdp: 'natxdp reload' takes it "
			       "over and keeps its flows",
			       pin_dir);
	for (int i = 0; ret == NATXDP_ABI && i < NAT_MAPS; i++) {
		if (nat_has(nat, i) && nat->map[i] < 0)
			return err_set(err, STATUS_NOT_LOADED, ENOENT,
				       "%s: the map %s is missing: 'natxdp load IFACE' loads a NAT",
				       pin_dir, nat_map_names[i]);
	}
	return 0;
}

int nat_open(struct nat *nat, const char *pin_dir, struct err *err)
{
	int ret = open_maps(nat, pin_dir, false, err);

	if (ret)
		nat_close(nat);
	return ret;
}

int nat_open_any(struct nat *nat, const char *pin_dir, struct err *err)
{
	int ret = open_maps(nat, pin_dir, true, err);

	if (ret)
		nat_close(nat);
	return ret;
}

int nat_program(const struct nat *nat, enum nat_program program)
{
	struct bpf_program *found;

	if (!nat->object)
		return -1;
	found = bpf_object__find_program_by_name(nat->object, nat_program_names[program]);
	return found ? bpf_program__fd(found) : -1;
}

int nat_arm(const struct nat *nat, struct err *err)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int ret;

	ret = bpf_prog_test_run_opts(nat_program(nat, NAT_PROGRAM_ARM), &opts);
	if (!ret)
		ret = (int)opts.retval;
	if (ret)
		return err_set(err, STATUS_KERNEL, ret,
			       "the timer that expires flows cannot be started: %s",
			       strerror(-ret));
	return 0;
}

int nat_set_active(struct nat *nat, bool active, struct err *err)
{
	__u32 zero = 0;

	nat->config.active = active;
	if (bpf_map_update_elem(nat->map[NAT_MAP_config], &zero, &nat->config, BPF_ANY))
		return err_set(err, STATUS_KERNEL, errno, "map config: cannot write: %s",
			       strerror(errno));
	return 0;
}

/* `active` is the second word in every version. */
void nat_deactivate_pinned(const char *pin_dir, const char *subdir)
{
	__u32 zero = 0, value[1024], size;
	struct bpf_map_info info = { 0 };
	char path[PIN_PATH_MAX];
	int fd;

	pins_path(path, pin_dir, subdir, nat_map_names[NAT_MAP_config]);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	size = sizeof(info);
	if (!bpf_obj_get_info_by_fd(fd, &info, &size) && info.value_size <= sizeof(value) &&
	    !bpf_map_lookup_elem(fd, &zero, value)) {
		value[1] = 0;
		bpf_map_update_elem(fd, &zero, value, BPF_ANY);
	}
	close(fd);
}

static __u32 map_id(int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

bool nat_shares(const struct nat *nat, enum nat_map map)
{
	return nat->before && map_id(nat->map[map]) == map_id(nat->before->map[map]);
}

int nat_read_pool(const struct nat *nat, struct pool *pool)
{
	memset(pool, 0, sizeof(*pool));
	pool->count = nat->config.pool_count;
	if (pool->count > NATXDP_POOL_MAX)
		return -EPROTO;
	for (__u32 i = 0; i < pool->count; i++) {
		if (bpf_map_lookup_elem(nat->map[NAT_MAP_ext_pool], &i, &pool->item[i]))
			return -errno;
	}
	return 0;
}

int nat_pin_maps(const struct nat *nat, const char *pin_dir, const char *subdir, struct err *err)
{
	char path[PIN_PATH_MAX];

	for (int i = 0; i < NAT_MAPS; i++) {
		if (!nat_has(nat, i))
			continue;
		pins_path(path, pin_dir, subdir, nat_map_names[i]);
		if (bpf_obj_pin(nat->map[i], path))
			return err_set(err, STATUS_KERNEL, errno, "%s: cannot pin: %s", path,
				       strerror(errno));
	}
	return 0;
}

static int pin_iterator(const struct nat *nat, const char *pin_dir, struct err *err)
{
	LIBBPF_OPTS(bpf_iter_attach_opts, opts);
	union bpf_iter_link_info info = { .map.map_fd = nat->map[NAT_MAP_flow_table] };
	char path[PIN_PATH_MAX];
	struct bpf_link *link;
	int ret;

	opts.link_info = &info;
	opts.link_info_len = sizeof(info);
	link = bpf_program__attach_iter(nat->iterator->progs.natxdp_flows, &opts);
	if (!link)
		return err_set(err, STATUS_KERNEL, errno,
			       "the iterator over flows cannot be attached: %s", strerror(errno));
	pins_flows_path(path, pin_dir);
	ret = pins_put(bpf_link__fd(link), path, pin_dir);
	if (ret)
		err_set(err, STATUS_KERNEL, ret, "%s: cannot pin: %s", path, strerror(-ret));
	/* without this the link would be detached although it is pinned */
	bpf_link__disconnect(link);
	bpf_link__destroy(link);
	return ret;
}

int nat_pin_programs(const struct nat *nat, const char *pin_dir, struct err *err)
{
	char path[PIN_PATH_MAX];
	int ret;

	ret = pin_iterator(nat, pin_dir, err);
	if (ret)
		return ret;
	pins_insert_path(path, pin_dir);
	ret = pins_put(nat_program(nat, NAT_PROGRAM_INSERT), path, pin_dir);
	if (ret)
		err_set(err, STATUS_KERNEL, ret, "%s: cannot pin: %s", path, strerror(-ret));
	return ret;
}
