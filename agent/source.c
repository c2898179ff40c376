/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "source.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "err.h"
#include "pins.h"

/*
 * A map that is open lives on: the timer of the sweep and the locks of a NAT
 * that was unloaded are not the agent's to keep.
 */
static void close_unused(struct nat *nat)
{
	static const enum nat_map used[] = { NAT_MAP_flow_table, NAT_MAP_flow_tags,
					     NAT_MAP_config,	 NAT_MAP_ext_pool,
					     NAT_MAP_host_ports, NAT_MAP_counters,
					     NAT_MAP_records,	 NAT_MAP_agent };

	for (int i = 0; i < NAT_MAPS; i++) {
		bool keep = false;

		for (unsigned int j = 0; j < sizeof(used) / sizeof(*used); j++)
			keep |= used[j] == (enum nat_map)i;
		if (!keep) {
			close(nat->map[i]);
			nat->map[i] = -1;
		}
	}
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

static size_t tags_size(const struct source *source)
{
	return (size_t)source->nat.config.geometry.groups * sizeof(struct natxdp_tags);
}

/* For replication; a NAT that an older version has loaded may lack the program. */
static int open_replication(struct source *source, const char *pin_dir)
{
	char path[PIN_PATH_MAX];
	void *tags = mmap(NULL, tags_size(source), PROT_READ, MAP_SHARED,
			  source->nat.map[NAT_MAP_flow_tags], 0);

	if (tags == MAP_FAILED)
		return -errno;
	source->tags = tags;
	pins_insert_path(path, pin_dir);
	source->insert = bpf_obj_get(path);
	return 0;
}

int source_open(struct source *source, const char *pin_dir, struct err *err)
{
	int ret;

	memset(source, 0, sizeof(*source));
	source->insert = -1;
	ret = nat_open(&source->nat, pin_dir, err);
	if (ret)
		return ret;
	close_unused(&source->nat);
	instance_look(&source->instance, pin_dir);
	source->agent = mmap(NULL, sizeof(*source->agent), PROT_READ | PROT_WRITE, MAP_SHARED,
			     source->nat.map[NAT_MAP_agent], 0);
	if (source->agent == MAP_FAILED) {
		source->agent = NULL;
		ret = err_set(err, STATUS_KERNEL, errno, "map agent: cannot mmap: %s",
			      strerror(errno));
		goto fail;
	}
	ret = table_open(&source->table, &source->nat, TABLE_READ);
	if (!ret)
		ret = open_replication(source, pin_dir);
	if (!ret)
		ret = source_refresh(source);
	if (ret) {
		err_set(err, STATUS_KERNEL, ret, "%s: the maps cannot be read: %s", pin_dir,
			strerror(-ret));
		goto fail;
	}
	source->keep = keep_open(source->agent);
	return 0;
fail:
	source_close(source);
	return ret;
}

void source_close(struct source *source)
{
	if (source->agent)
		munmap(source->agent, sizeof(*source->agent));
	if (source->tags)
		munmap((void *)source->tags, tags_size(source));
	if (source->insert >= 0)
		close(source->insert);
	table_close(&source->table);
	nat_close(&source->nat);
	memset(source, 0, sizeof(*source));
	source->insert = -1;
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

bool source_is_inactive(const struct source *source)
{
	return !source->nat.config.active;
}
