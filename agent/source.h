/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The NAT that the agent looks at: its maps, open and mmapped. They are opened by
 * name, which takes rights that the agent gives up (source_open_files(), see
 * opener.h); all later reading is by descriptor.
 */
#ifndef NATXDP_AGENT_SOURCE_H
#define NATXDP_AGENT_SOURCE_H

#include <stdbool.h>

#include "err.h"
#include "instance.h"
#include "keep.h"
#include "nat.h"
#include "pool.h"
#include "probe.h"
#include "table.h"

enum source_map {
	SOURCE_FLOW_TABLE,
	SOURCE_FLOW_TAGS,
	SOURCE_CONFIG,
	SOURCE_POOL,
	SOURCE_HOST_PORTS,
	SOURCE_COUNTERS,
	SOURCE_RECORDS,
	SOURCE_AGENT,
	SOURCE_TUNNELS, /* these two: in mode gwlb only */
	SOURCE_TUNNEL_COUNTERS,
	SOURCE_MAPS,
};

/* What only a process with rights can find out. Descriptors are owned; -1: none. */
struct source_files {
	int ret; /* 0, or -errno with @err written and nothing open */
	struct err err;
	int map[SOURCE_MAPS];
	uint32_t map_id[SOURCE_MAPS];
	int insert; /* the program that takes flows of other nodes; -1: the NAT has none */
	struct instance instance;
	bool can_probe; /* there is a packet to prove it with */
	struct probe probe;
	int proof; /* of probe_run(), 0 if it was not to be run */
};

struct source {
	struct source_files files; /* as they were found last */
	struct nat nat;		   /* its descriptors are those of @files */
	struct table table;
	const struct natxdp_tags *tags; /* of the table; mmapped */
	int insert;			/* that of @files */
	struct natxdp_agent *agent;	/* mmapped for writing */
	struct keep *keep;
	struct natxdp_key probe_key;
	struct pool pool;
	uint32_t usable_ports[NATXDP_POOL_MAX];
};

/* @proved: by a packet through it, if it is active. */
void source_open_files(struct source_files *files, const char *pin_dir, bool proved);
void source_close_files(struct source_files *files);

/* Takes over what is open in @files, in any case. Returns 0 or -errno with @err written. */
int source_open(struct source *source, struct source_files *files, struct err *err);
void source_close(struct source *source);

/* Are the maps of @files others than those that are open? */
bool source_has_moved(const struct source *source, const struct source_files *files);

/*
 * The NAT was loaded anew over the same maps, or got others: takes over what is
 * open in @files, and what was kept. If it has moved, whoever uses one of the old
 * maps has to let go of it first. Returns 0, or -errno with @err written and
 * @source as it was.
 */
int source_follow(struct source *source, struct source_files *files, struct err *err);

/* What may change while it runs. Returns 0 or -errno. */
int source_refresh(struct source *source);

/*
 * Bits by index into ext_pool: the external addresses that another node has
 * now. They give no new flows here, and flows that close are not ours to
 * record. Returns 0 or -errno.
 */
int source_set_standby(struct source *source, uint64_t pools);
uint64_t source_standby(const struct source *source); /* as last read */

#endif
