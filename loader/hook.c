/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "hook.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <time.h>

#include "geometry.h"
#include "natxdp.skel.h"
#include "natxdp_gwlb.skel.h"
#include "natxdp_gwlb_tc.skel.h"
#include "natxdp_tc.skel.h"

const char *const hook_names[HOOKS] = { "XDP", "TC" };

const char *hook_key(enum hook hook)
{
	return hook == HOOK_TC ? "tc" : "xdp";
}

static int set_geometry(struct bpf_object *object, const struct natxdp_geometry *geometry)
{
	const struct {
		const char *name;
		uint32_t entries;
	} sized[] = {
		{ "flow_table", geometry_buckets(geometry) },
		{ "flow_tags", geometry->groups },
		{ "flow_due", geometry->groups },
	};
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata.geometry");
	int ret = bpf_map__set_initial_value(map, geometry, sizeof(*geometry));

	for (unsigned int i = 0; !ret && i < sizeof(sized) / sizeof(*sized); i++) {
		map = bpf_object__find_map_by_name(object, sized[i].name);
		ret = bpf_map__set_max_entries(map, sized[i].entries);
	}
	return ret;
}

/* The resolution of the coarse clock is the length of a jiffy. */
static int set_jiffy(struct bpf_object *object)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata.jiffy");
	struct timespec jiffy;
	uint64_t ns;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &jiffy))
		return -errno;
	ns = (uint64_t)jiffy.tv_sec * 1000000000 + jiffy.tv_nsec;
	return bpf_map__set_initial_value(map, &ns, sizeof(ns));
}

struct bpf_object *hook_open(enum hook hook, bool tunnels, const struct natxdp_geometry *geometry)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct bpf_object *object;
	const void *bytes;
	size_t size = 0;
	int ret;

	if (hook == HOOK_XDP && tunnels) {
		opts.object_name = "natxdp_gwlb";
		bytes = natxdp_gwlb_bpf__elf_bytes(&size);
	} else if (hook == HOOK_XDP) {
		opts.object_name = "natxdp";
		bytes = natxdp_bpf__elf_bytes(&size);
	} else if (tunnels) {
		opts.object_name = "natxdp_gwlb_tc";
		bytes = natxdp_gwlb_tc_bpf__elf_bytes(&size);
	} else {
		opts.object_name = "natxdp_tc";
		bytes = natxdp_tc_bpf__elf_bytes(&size);
	}
	object = bpf_object__open_mem(bytes, size, &opts);
	if (!object)
		return NULL;
	ret = set_geometry(object, geometry);
	if (!ret)
		ret = set_jiffy(object);
	if (!ret)
		return object;
	bpf_object__close(object);
	errno = -ret;
	return NULL;
}
