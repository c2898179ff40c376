/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "source.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "contents.h"
#include "pins.h"

/*
 * A map that is open lives on: the timer of the sweep and the locks of a NAT
 * that was unloaded are not the agent's to keep. So these, and no others.
 */
static const enum nat_map nat_maps[SOURCE_MAPS] = {
	[SOURCE_FLOW_TABLE] = NAT_MAP_flow_table,
	[SOURCE_FLOW_TAGS] = NAT_MAP_flow_tags,
	[SOURCE_CONFIG] = NAT_MAP_config,
	[SOURCE_POOL] = NAT_MAP_ext_pool,
	[SOURCE_HOST_PORTS] = NAT_MAP_host_ports,
	[SOURCE_COUNTERS] = NAT_MAP_counters,
	[SOURCE_RECORDS] = NAT_MAP_records,
	[SOURCE_AGENT] = NAT_MAP_agent,
	[SOURCE_TUNNELS] = NAT_MAP_tunnels,
	[SOURCE_TUNNEL_COUNTERS] = NAT_MAP_tunnel_counters,
};

static uint32_t id_of(int map)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(map, &info, &size) ? 0 : info.id;
}

static void clear(struct source_files *files)
{
	memset(files, 0, sizeof(*files));
	memset(files->map, -1, sizeof(files->map));
	files->insert = -1;
}

static void probe_files(struct source_files *files, const struct nat *nat, bool proved)
{
	struct contents *contents = calloc(1, sizeof(*contents));

	if (contents && !nat_read(nat, contents)) {
		files->can_probe = probe_choose(&files->probe, contents);
		if (files->can_probe && proved && nat->config.active)
			files->proof = prove(&files->probe, nat, &files->instance, &contents->pool);
	}
	free(contents);
}

void source_open_files(struct source_files *files, const char *pin_dir, bool proved)
{
	char path[PIN_PATH_MAX];
	struct nat nat;

	clear(files);
	files->ret = nat_open(&nat, pin_dir, &files->err);
	if (files->ret)
		return;
	instance_look(&files->instance, pin_dir);
	probe_files(files, &nat, proved);
	for (int i = 0; i < SOURCE_MAPS; i++) {
		files->map[i] = nat.map[nat_maps[i]];
		files->map_id[i] = id_of(files->map[i]);
		nat.map[nat_maps[i]] = -1;
	}
	nat_close(&nat);
	pins_insert_path(path, pin_dir);
	files->insert = bpf_obj_get(path);
}

void source_close_files(struct source_files *files)
{
	for (int i = 0; i < SOURCE_MAPS; i++) {
		if (files->map[i] >= 0)
			close(files->map[i]);
	}
	if (files->insert >= 0)
		close(files->insert);
	clear(files);
}

static uint32_t usable_ports(const struct natxdp_pool *pool, const struct natxdp_host_ports *host)
{
	uint32_t usable = 0;

	for (uint32_t port = pool->port_min; pool->addr && port <= pool->port_max; port++)
		usable += !(host->word[port / 64] >> (port % 64) & 1);
	return usable;
}

int source_refresh(struct source *source)
{
	struct natxdp_host_ports host;
	__u32 zero = 0;
	int ret;

	if (bpf_map_lookup_elem(source->nat.map[NAT_MAP_config], &zero, &source->nat.config) ||
	    bpf_map_lookup_elem(source->nat.map[NAT_MAP_host_ports], &zero, &host))
		return -errno;
	ret = nat_read_pool(&source->nat, &source->pool);
	for (unsigned int i = 0; !ret && i < source->pool.count; i++)
		source->usable_ports[i] = usable_ports(&source->pool.item[i], &host);
	return ret;
}

static void adopt(struct source *source, struct source_files *files)
{
	source->files = *files;
	clear(files);
	nat_init(&source->nat);
	for (int i = 0; i < SOURCE_MAPS; i++)
		source->nat.map[nat_maps[i]] = source->files.map[i];
	source->insert = source->files.insert;
	probe_key(&source->files.probe, &source->files.instance, &source->probe_key);
}

static size_t tags_size(const struct source *source)
{
	return (size_t)source->nat.config.geometry.groups * sizeof(struct natxdp_tags);
}

static int map_tables(struct source *source)
{
	void *tags = mmap(NULL, tags_size(source), PROT_READ, MAP_SHARED,
			  source->files.map[SOURCE_FLOW_TAGS], 0);

	if (tags == MAP_FAILED)
		return -errno;
	source->tags = tags;
	return table_open(&source->table, &source->nat, TABLE_READ);
}

static int map_all(struct source *source, struct err *err)
{
	int ret;

	source->agent = mmap(NULL, sizeof(*source->agent), PROT_READ | PROT_WRITE, MAP_SHARED,
			     source->files.map[SOURCE_AGENT], 0);
	if (source->agent == MAP_FAILED) {
		source->agent = NULL;
		return err_set(err, STATUS_KERNEL, errno, "map agent: cannot mmap: %s",
			       strerror(errno));
	}
	ret = source_refresh(source);
	if (!ret)
		ret = map_tables(source);
	return ret ? err_set(err, STATUS_KERNEL, ret, "the maps cannot be read: %s",
			     strerror(-ret)) :
		     0;
}

int source_open(struct source *source, struct source_files *files, struct err *err)
{
	int ret = files->ret;

	memset(source, 0, sizeof(*source));
	if (ret) {
		*err = files->err;
		source_close_files(files);
		clear(&source->files);
		return ret;
	}
	adopt(source, files);
	ret = map_all(source, err);
	if (ret)
		source_close(source);
	else
		source->keep = keep_open(source->agent);
	return ret;
}

void source_close(struct source *source)
{
	if (source->agent)
		munmap(source->agent, sizeof(*source->agent));
	if (source->tags)
		munmap((void *)source->tags, tags_size(source));
	table_close(&source->table);
	source_close_files(&source->files);
	memset(source, 0, sizeof(*source));
	source->insert = -1;
	clear(&source->files);
}

bool source_has_moved(const struct source *source, const struct source_files *files)
{
	return memcmp(files->map_id, source->files.map_id, sizeof(files->map_id)) != 0;
}

/* The same maps, perhaps other programs. */
static void follow_programs(struct source *source, struct source_files *files)
{
	source->files.instance = files->instance;
	source->files.can_probe = files->can_probe;
	source->files.probe = files->probe;
	source->files.proof = files->proof;
	if (source->files.insert >= 0)
		close(source->files.insert);
	source->insert = source->files.insert = files->insert;
	files->insert = -1;
	probe_key(&source->files.probe, &source->files.instance, &source->probe_key);
	source_close_files(files);
}

int source_follow(struct source *source, struct source_files *files, struct err *err)
{
	struct source next = { 0 };
	int ret;

	if (!source_has_moved(source, files)) {
		follow_programs(source, files);
		return 0;
	}
	adopt(&next, files);
	ret = map_all(&next, err);
	if (ret) {
		source_close(&next);
		return ret;
	}
	/* nobody but this process writes it, so this is the newest there is */
	if (next.files.map_id[SOURCE_AGENT] != source->files.map_id[SOURCE_AGENT])
		memcpy(next.agent->keep, source->agent->keep, sizeof(next.agent->keep));
	next.keep = (struct keep *)next.agent->keep;
	source_close(source);
	*source = next;
	return 0;
}

int source_set_standby(struct source *source, uint64_t pools)
{
	int ret = source_refresh(source), map = source->nat.map[NAT_MAP_ext_pool];

	for (__u32 i = 0; !ret && i < source->pool.count; i++) {
		struct natxdp_pool *item = &source->pool.item[i];
		__u32 flags = item->flags & ~NATXDP_POOL_STANDBY;

		if (pools >> i & 1)
			flags |= NATXDP_POOL_STANDBY;
		if (flags == item->flags)
			continue;
		item->flags = flags;
		if (bpf_map_update_elem(map, &i, item, BPF_ANY))
			ret = -errno;
	}
	return ret;
}

uint64_t source_standby(const struct source *source)
{
	uint64_t pools = 0;

	for (unsigned int i = 0; i < source->pool.count; i++) {
		if (source->pool.item[i].flags & NATXDP_POOL_STANDBY)
			pools |= 1ull << i;
	}
	return pools;
}
