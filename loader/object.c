/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Loading the BPF objects: with new maps, or over those of a NAT that runs. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "err.h"
#include "flows_iter.skel.h"
#include "geometry.h"
#include "nat.h"
#include "natxdp.skel.h"
#include "settings.h"

static int open_objects(struct nat *nat, struct err *err)
{
	const struct natxdp_geometry *geometry = &nat->config.geometry;
	int ret;

	nat->skeleton = natxdp_bpf__open();
	nat->iterator = flows_iter_bpf__open();
	if (!nat->skeleton || !nat->iterator)
		return err_set(err, STATUS_KERNEL, errno, "the BPF objects cannot be opened: %s",
			       strerror(errno));
	nat->skeleton->rodata->geometry = *geometry;
	ret = bpf_map__set_max_entries(nat->skeleton->maps.flow_table, geometry_buckets(geometry));
	if (!ret)
		ret = bpf_map__set_max_entries(nat->skeleton->maps.flow_tags, geometry->groups);
	if (!ret)
		ret = bpf_map__set_max_entries(nat->skeleton->maps.flow_due, geometry->groups);
	if (ret)
		return err_set(err, STATUS_KERNEL, ret, "the flow table cannot be sized: %s",
			       strerror(-ret));
	return 0;
}

static struct bpf_map *map_of(const struct nat *nat, enum nat_map map)
{
	return bpf_object__find_map_by_name(nat->skeleton->obj, nat_map_names[map]);
}

/* libbpf gives a perf buffer map one entry a CPU, but only as it makes the map. */
static __u32 max_entries_of(const struct bpf_map *map)
{
	if (bpf_map__type(map) == BPF_MAP_TYPE_PERF_EVENT_ARRAY && !bpf_map__max_entries(map))
		return libbpf_num_possible_cpus();
	return bpf_map__max_entries(map);
}

/* libbpf takes over whatever it is given, so compare before. */
static int check_same(const struct bpf_map *map, int fd, struct err *err)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info), flags;

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return err_set(err, STATUS_KERNEL, errno, "map %s: cannot ask for its size: %s",
			       bpf_map__name(map), strerror(errno));
	flags = info.map_flags;
	if (info.type == BPF_MAP_TYPE_DEVMAP)
		flags &= ~BPF_F_RDONLY_PROG; /* the kernel adds it to every devmap */
	if (info.type == bpf_map__type(map) && info.key_size == bpf_map__key_size(map) &&
	    info.value_size == bpf_map__value_size(map) && flags == bpf_map__map_flags(map) &&
	    info.max_entries == max_entries_of(map))
		return 0;
	return err_set(err, STATUS_STATE, EPROTO,
		       "map %s of the NAT that runs has another layout: run 'natxdp unload' first, "
		       "which ends its flows",
		       bpf_map__name(map));
}

static int reuse_maps(struct nat *nat, struct err *err)
{
	struct bpf_map *map;
	int ret = 0;

	for (int i = 0; !ret && i < NAT_MAPS; i++) {
		map = map_of(nat, i);
		ret = check_same(map, nat->map[i], err);
		if (!ret && bpf_map__reuse_fd(map, nat->map[i]))
			ret = err_set(err, STATUS_KERNEL, errno, "map %s: cannot be reused: %s",
				      nat_map_names[i], strerror(errno));
	}
	return ret;
}

static int load_programs(struct nat *nat, struct err *err)
{
	int ret = natxdp_bpf__load(nat->skeleton);

	if (ret)
		return err_set(err, STATUS_KERNEL, ret,
			       "this kernel does not take the program: %s: needs Linux 6.1 or "
			       "newer with BPF and BTF (--verbose shows what it said)",
			       strerror(-ret));
	ret = bpf_map__reuse_fd(nat->iterator->maps.flow_table,
				bpf_map__fd(nat->skeleton->maps.flow_table));
	if (!ret)
		ret = flows_iter_bpf__load(nat->iterator);
	if (ret)
		return err_set(err, STATUS_KERNEL, ret,
			       "this kernel does not take the iterator over flows: %s (--verbose "
			       "shows what it said)",
			       strerror(-ret));
	return 0;
}

/* The descriptors outlive the skeleton, so that a NAT is always closed alike. */
static int own_maps(struct nat *nat, struct err *err)
{
	for (int i = 0; i < NAT_MAPS; i++) {
		nat->map[i] = fcntl(bpf_map__fd(map_of(nat, i)), F_DUPFD_CLOEXEC, 3);
		if (nat->map[i] < 0)
			return err_set(err, STATUS_SYSTEM, errno, "too many open files: %s",
				       strerror(errno));
	}
	return 0;
}

int nat_load(struct nat *nat, const struct settings *settings, struct err *err)
{
	int ret;

	nat_init(nat);
	nat->config.abi = NATXDP_ABI;
	nat->config.max_flows = settings->max_flows;
	nat->config.two_armed = settings->inside.count != 0;
	geometry_size(&nat->config.geometry, settings->max_flows);
	ret = geometry_draw_key(&nat->config.geometry);
	if (ret)
		return err_set(err, STATUS_SYSTEM, ret, "no random numbers for the hash key: %s",
			       strerror(-ret));
	ret = open_objects(nat, err);
	if (!ret)
		ret = load_programs(nat, err);
	if (!ret)
		ret = own_maps(nat, err);
	if (!ret)
		ret = nat_set_active(nat, false, err);
	if (ret)
		nat_close(nat);
	return ret;
}

int nat_replace(struct nat *nat, struct err *err)
{
	int ret;

	ret = open_objects(nat, err);
	if (!ret)
		ret = reuse_maps(nat, err);
	if (!ret)
		ret = load_programs(nat, err);
	return ret;
}
