/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Loading the BPF objects: with new maps, or over those of a NAT that runs. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "abi.h"
#include "err.h"
#include "flows_iter.skel.h"
#include "geometry.h"
#include "hook.h"
#include "nat.h"
#include "settings.h"

static struct bpf_object *open_programs(const struct nat *nat, struct err *err)
{
	struct bpf_object *object = hook_open(nat->hook, nat->config.features & NATXDP_TUNNELS,
					      &nat->config.geometry);
	struct bpf_map *records;

	if (!object) {
		err_set(err, STATUS_KERNEL, errno, "the BPF objects cannot be opened: %s",
			strerror(errno));
		return NULL;
	}
	records = bpf_object__find_map_by_name(object, nat_map_names[NAT_MAP_records]);
	bpf_map__set_max_entries(records, nat->config.record_bytes);
	return object;
}

/*
 * Behind a dispatcher the programs are loaded one by one as its extensions
 * (nat_open_again). Loaded here as well they would claim the device map for
 * programs that take frames in pieces, which libxdp's do not do; the kernel
 * refuses to mix them in one map.
 */
static int open_objects(struct nat *nat, bool dispatched, struct err *err)
{
	struct bpf_program *program;

	nat->object = open_programs(nat, err);
	if (!nat->object)
		return -EINVAL;
	for (int i = 0; dispatched && i < NAT_PROGRAM_ARM; i++) {
		program = bpf_object__find_program_by_name(nat->object, nat_program_names[i]);
		bpf_program__set_autoload(program, false);
	}
	nat->iterator = flows_iter_bpf__open();
	if (!nat->iterator)
		return err_set(err, STATUS_KERNEL, errno, "the BPF objects cannot be opened: %s",
			       strerror(errno));
	return 0;
}

static struct bpf_map *map_of(const struct bpf_object *object, enum nat_map map)
{
	return bpf_object__find_map_by_name(object, nat_map_names[map]);
}

/* libbpf gives a perf buffer map one entry a CPU, but only as it makes the map. */
static __u32 max_entries_of(const struct bpf_map *map)
{
	if (bpf_map__type(map) == BPF_MAP_TYPE_PERF_EVENT_ARRAY && !bpf_map__max_entries(map))
		return libbpf_num_possible_cpus();
	return bpf_map__max_entries(map);
}

/* libbpf takes over whatever it is given, so compare before. Returns 1, 0 or -errno. */
static int is_same(const struct bpf_map *map, int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info), flags;

	if (bpf_obj_get_info_by_fd(fd, &info, &size))
		return -errno;
	flags = info.map_flags;
	if (info.type == BPF_MAP_TYPE_DEVMAP)
		flags &= ~BPF_F_RDONLY_PROG; /* the kernel adds it to every devmap */
	return info.type == bpf_map__type(map) && info.key_size == bpf_map__key_size(map) &&
	       info.value_size == bpf_map__value_size(map) && flags == bpf_map__map_flags(map) &&
	       info.max_entries == max_entries_of(map);
}

static int reuse_map(struct bpf_map *map, int fd, struct err *err)
{
	if (!bpf_map__reuse_fd(map, fd))
		return 0;
	return err_set(err, STATUS_KERNEL, errno, "map %s: cannot be reused: %s",
		       bpf_map__name(map), strerror(errno));
}

static int err_other_layout(const struct bpf_map *map, int same, struct err *err)
{
	if (same < 0)
		return err_set(err, STATUS_KERNEL, same, "map %s: cannot ask for its size: %s",
			       bpf_map__name(map), strerror(-same));
	return err_set(err, STATUS_STATE, EPROTO,
		       "map %s of the NAT that runs has a layout that this version cannot take "
		       "over: use the version that made it, or run 'natxdp unload' first, which "
		       "ends its flows",
		       bpf_map__name(map));
}

static int reuse_maps(const struct nat *nat, struct bpf_object *object, struct err *err)
{
	int ret = 0, same;

	for (int i = 0; !ret && i < NAT_MAPS; i++) {
		struct bpf_map *map = map_of(object, i);

		if (!nat_has(nat, i))
			continue;
		same = is_same(map, nat->map[i]);
		ret = same > 0 ? reuse_map(map, nat->map[i], err) :
				 err_other_layout(map, same, err);
	}
	return ret;
}

/* The flows have tables of their own size, and what goes with them. */
static bool is_of_table(enum nat_map map)
{
	return map == NAT_MAP_flow_table || map == NAT_MAP_flow_tags || map == NAT_MAP_flow_locks ||
	       map == NAT_MAP_flow_due || map == NAT_MAP_sweep_state || map == NAT_MAP_config;
}

/* The programs of @object bring flows from @before. */
static int look_into(const struct nat *before, struct bpf_object *object, struct err *err)
{
	int ret;

	ret = reuse_map(bpf_object__find_map_by_name(object, "before_table"),
			before->map[NAT_MAP_flow_table], err);
	if (!ret)
		ret = reuse_map(bpf_object__find_map_by_name(object, "before_tags"),
				before->map[NAT_MAP_flow_tags], err);
	if (!ret)
		bpf_map__set_initial_value(bpf_object__find_map_by_name(object, ".rodata.before"),
					   &before->config.geometry,
					   sizeof(before->config.geometry));
	return ret;
}

static int share_maps(const struct nat *before, struct bpf_object *object,
		      struct bpf_map *const maps[NAT_MAPS], struct err *err)
{
	int ret = 0, same;

	for (int i = 0; !ret && i < NAT_MAPS; i++) {
		struct bpf_map *map = maps[i];

		if (is_of_table(i) || before->map[i] < 0)
			continue;
		same = is_same(map, before->map[i]);
		if (same > 0)
			ret = reuse_map(map, before->map[i], err);
		else if (same < 0 || !abi_can_carry(i))
			ret = err_other_layout(map, same, err);
	}
	return ret ? ret : look_into(before, object, err);
}

static int load_programs(struct nat *nat, struct err *err)
{
	int ret = bpf_object__load(nat->object);

	if (ret)
		return err_set(err, STATUS_KERNEL, ret,
			       "this kernel does not take the program: %s: needs Linux 6.1 or "
			       "newer with BPF and BTF (--verbose shows what it said)",
			       strerror(-ret));
	ret = bpf_map__reuse_fd(nat->iterator->maps.flow_table,
				bpf_map__fd(map_of(nat->object, NAT_MAP_flow_table)));
	if (!ret)
		ret = flows_iter_bpf__load(nat->iterator);
	if (ret)
		return err_set(err, STATUS_KERNEL, ret,
			       "this kernel does not take the iterator over flows: %s (--verbose "
			       "shows what it said)",
			       strerror(-ret));
	return 0;
}

/* The descriptors outlive the object, so that a NAT is always closed alike. */
static int own_maps(struct nat *nat, struct bpf_map *const maps[NAT_MAPS], struct err *err)
{
	for (int i = 0; i < NAT_MAPS; i++) {
		if (!nat_has(nat, i))
			continue;
		nat->map[i] = fcntl(bpf_map__fd(maps[i]), F_DUPFD_CLOEXEC, 3);
		if (nat->map[i] < 0)
			return err_set(err, STATUS_SYSTEM, errno, "too many open files: %s",
				       strerror(errno));
	}
	return 0;
}

/* libbpf renames a map that takes over another: so all are looked for before. */
static void find_maps(const struct nat *nat, struct bpf_map *maps[NAT_MAPS])
{
	for (int i = 0; i < NAT_MAPS; i++)
		maps[i] = map_of(nat->object, i);
}

int nat_load(struct nat *nat, enum hook hook, const struct settings *settings, struct err *err)
{
	struct bpf_map *maps[NAT_MAPS];
	int ret;

	nat_init(nat);
	nat->hook = hook;
	nat->config.abi = NATXDP_ABI;
	nat->config.max_flows = settings->max_flows;
	nat->config.record_bytes = settings->record_buffer;
	nat->config.two_armed = settings->inside.count != 0;
	nat->config.features = settings->mode == MODE_GWLB ? NATXDP_TUNNELS : 0;
	geometry_size(&nat->config.geometry, settings->max_flows);
	ret = geometry_draw_key(&nat->config.geometry);
	if (ret)
		return err_set(err, STATUS_SYSTEM, ret, "no random numbers for the hash key: %s",
			       strerror(-ret));
	ret = open_objects(nat, settings->dispatcher, err);
	if (!ret) {
		find_maps(nat, maps);
		ret = load_programs(nat, err);
	}
	if (!ret)
		ret = own_maps(nat, maps, err);
	if (!ret)
		ret = nat_set_active(nat, false, err);
	if (ret)
		nat_close(nat);
	return ret;
}

int nat_load_beside(struct nat *nat, const struct nat *before, enum hook hook, bool dispatched,
		    uint32_t max_flows, struct err *err)
{
	struct bpf_map *maps[NAT_MAPS];
	int ret;

	nat_init(nat);
	nat->hook = hook;
	nat->before = before;
	nat->config = before->config;
	nat->config.abi = NATXDP_ABI;
	nat->config.max_flows = max_flows;
	geometry_size(&nat->config.geometry, max_flows); /* and the key stays */
	ret = open_objects(nat, dispatched, err);
	if (!ret) {
		find_maps(nat, maps);
		ret = share_maps(before, nat->object, maps, err);
	}
	if (!ret)
		ret = load_programs(nat, err);
	if (!ret)
		ret = own_maps(nat, maps, err);
	if (!ret)
		ret = nat_set_active(nat, !dispatched, err);
	if (ret)
		nat_close(nat);
	return ret;
}

int nat_replace(struct nat *nat, bool dispatched, struct err *err)
{
	int ret;

	ret = open_objects(nat, dispatched, err);
	if (!ret)
		ret = reuse_maps(nat, nat->object, err);
	if (!ret)
		ret = load_programs(nat, err);
	return ret;
}

struct bpf_object *nat_open_again(const struct nat *nat, const char *name, struct err *err)
{
	struct bpf_object *object = open_programs(nat, err);
	struct bpf_program *program;

	if (!object)
		return NULL;
	bpf_object__for_each_program(program, object)
	{
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
	}
	if (!reuse_maps(nat, object, err) && (!nat->before || !look_into(nat->before, object, err)))
		return object;
	bpf_object__close(object);
	return NULL;
}
