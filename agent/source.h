/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The NAT that the agent looks at: its maps, open and mmapped. */
#ifndef NATXDP_AGENT_SOURCE_H
#define NATXDP_AGENT_SOURCE_H

#include <stdbool.h>

#include "instance.h"
#include "keep.h"
#include "nat.h"
#include "pool.h"
#include "table.h"

struct source {
	struct nat nat;
	struct table table;
	const struct natxdp_tags *tags; /* of the table; mmapped */
	int insert;			/* the program that takes flows; -1: the NAT has none */
	struct natxdp_agent *agent;	/* mmapped for writing */
	struct keep *keep;
	struct instance instance; /* as it was when it was opened */
	struct pool pool;
	uint32_t usable_ports[NATXDP_POOL_MAX];
};

/* Opens by name, so with the rights for that; all later reading is by descriptor. */
int source_open(struct source *source, const char *pin_dir, struct err *err);
void source_close(struct source *source);

/* What may change while it runs. Returns 0 or -errno. */
int source_refresh(struct source *source);

/*
 * Bits by index into ext_pool: the external addresses that another node has
 * now. They give no new flows here, and flows that close are not ours to
 * record. Returns 0 or -errno.
 */
int source_set_standby(struct source *source, uint64_t pools);
uint64_t source_standby(const struct source *source); /* as last read */

/* The NAT was unloaded: its maps are only kept by whoever has them open. */
bool source_is_inactive(const struct source *source);

#endif
