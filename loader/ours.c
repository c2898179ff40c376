/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "ours.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include "nat.h"
#include "pins.h"

/* more maps than a program has */
enum { MAPS_MAX = 64 };

static void add(struct ours *ours, const char *pin_dir, const char *subdir, const char *name)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);
	char path[PIN_PATH_MAX];
	int fd;

	pins_path(path, pin_dir, subdir, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &size))
		ours->map[ours->count++] = info.id;
	close(fd);
}

void ours_look(struct ours *ours, const char *pin_dir)
{
	ours_look_next(ours, pin_dir);
	add(ours, pin_dir, PINS_MAPS, nat_map_names[NAT_MAP_config]);
	add(ours, pin_dir, PINS_MAPS, nat_map_names[NAT_MAP_own_addrs]);
	add(ours, pin_dir, PINS_GATE, PINS_GATE);
}

void ours_look_next(struct ours *ours, const char *pin_dir)
{
	ours->count = 0;
	add(ours, pin_dir, PINS_NEXT, nat_map_names[NAT_MAP_config]);
}

bool ours_has(const struct ours *ours, uint32_t program)
{
	struct bpf_prog_info info = { 0 };
	uint32_t maps[MAPS_MAX] = { 0 };
	__u32 size = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(program), ret;

	if (fd < 0)
		return false;
	info.map_ids = (uintptr_t)maps;
	info.nr_map_ids = MAPS_MAX;
	ret = bpf_obj_get_info_by_fd(fd, &info, &size);
	close(fd);
	for (unsigned int i = 0; !ret && i < info.nr_map_ids && i < MAPS_MAX; i++) {
		for (unsigned int k = 0; k < ours->count; k++) {
			if (maps[i] == ours->map[k])
				return true;
		}
	}
	return false;
}
