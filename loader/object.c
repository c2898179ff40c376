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

static struct natxdp_bpf *open_programs(const struct natxdp_config *config, struct err *err)
{
	const struct natxdp_geometry *geometry = &config->geometry;
	struct natxdp_bpf *bpf = natxdp_bpf__open();
	int ret;

	if (!bpf) {
		err_set(err, STATUS_KERNEL, errno, "the BPF objects cannot be opened: %s",
			strerror(errno));
		return NULL;
	}
	bpf->rodata->geometry = *geometry;
	ret = bpf_map__set_max_entries(bpf->maps.flow_table, geometry_buckets(geometry));
	if (!ret)
		ret = bpf_map__set_max_entries(bpf->maps.flow_tags, geometry->groups);
	if (!ret)
		ret = bpf_map__set_max_entries(bpf->maps.flow_due, geometry->groups);
	if (!ret)
		ret = bpf_map__set_max_entries(bpf->maps.records, config->record_bytes);
	if (!ret)
		return bpf;
	err_set(err, STATUS_KERNEL, ret, "the flow table cannot be sized: %s", strerror(-ret));
	natxdp_bpf__destroy(bpf);
	return NULL;
}

/*
 * Behind a dispatcher the programs are loaded one by one as its extensions
 * (nat_open_again). Loaded here as well they would claim the device map for
 * programs that take frames in pieces, which libxdp's do not do; the kernel
 * refuses to mix them in one map.
 */
static int open_objects(struct nat *nat, bool dispatched, struct err *err)
{
	nat->skeleton = open_programs(&nat->config, err);
	if (!nat->skeleton)
		return -EINVAL;
	bpf_program__set_autoload(nat->skeleton->progs.natxdp_single, !dispatched);
	bpf_program__set_autoload(nat->skeleton->progs.natxdp_inside, !dispatched);
	bpf_program__set_autoload(nat->skeleton->progs.natxdp_outside, !dispatched);
	nat->iterator = flows_iter_bpf__open();
	if (!nat->iterator)
		return err_set(err, STATUS_KERNEL, errno, "the BPF objects cannot be opened: %s",
			       strerror(errno));
	return 0;
}

static struct bpf_map *map_of(const struct natxdp_bpf *bpf, enum nat_map map)
{
	return bpf_object__find_map_by_name(bpf->obj, nat_map_names[map]);
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

static int reuse_maps(const struct nat *nat, struct natxdp_bpf *bpf, struct err *err)
{
	struct bpf_map *map;
	int ret = 0;

	for (int i = 0; !ret && i < NAT_MAPS; i++) {
		map = map_of(bpf, i);
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
		nat->map[i] = fcntl(bpf_map__fd(map_of(nat->skeleton, i)), F_DUPFD_CLOEXEC, 3);
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
	nat->config.record_bytes = settings->record_buffer;
	nat->config.two_armed = settings->inside.count != 0;
	geometry_size(&nat->config.geometry, settings->max_flows);
	ret = geometry_draw_key(&nat->config.geometry);
	if (ret)
		return err_set(err, STATUS_SYSTEM, ret, "no random numbers for the hash key: %s",
			       strerror(-ret));
	ret = open_objects(nat, settings->dispatcher, err);
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

int nat_replace(struct nat *nat, bool dispatched, struct err *err)
{
	int ret;

	ret = open_objects(nat, dispatched, err);
	if (!ret)
		ret = reuse_maps(nat, nat->skeleton, err);
	if (!ret)
		ret = load_programs(nat, err);
	return ret;
}

struct natxdp_bpf *nat_open_again(const struct nat *nat, const char *name, struct err *err)
{
	struct natxdp_bpf *bpf = open_programs(&nat->config, err);
	struct bpf_program *program;

	if (!bpf)
		return NULL;
	bpf_object__for_each_program(program, bpf->obj)
	{
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
	}
	if (!reuse_maps(nat, bpf, err))
		return bpf;
	natxdp_bpf__destroy(bpf);
	return NULL;
}
