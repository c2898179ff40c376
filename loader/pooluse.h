/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How much of each external address is in use. A port serves many
 * destinations, so an address is full for a destination, never as such: what
 * counts is the destination that uses the most of its ports.
 */
#ifndef NATXDP_POOLUSE_H
#define NATXDP_POOLUSE_H

#include "pool.h"
#include "table.h"

enum pool_proto { POOL_UDP, POOL_TCP, POOL_ICMP, POOL_OTHER, POOL_PROTOS };

extern const char *const pool_proto_names[POOL_PROTOS];

struct pool_use {
	uint64_t flows[POOL_PROTOS];
	uint32_t ports; /* that flows may use: without those of the host */
	/* the fullest destination; a mapping stands for all, address 0 */
	uint32_t fullest_ports; /* in use; 0: there is none */
	uint8_t fullest_proto;	/* IPPROTO_* */
	__be32 fullest_addr;
	__be16 fullest_port;
};

/* Walks the whole table. Returns 0 or -ENOMEM. */
int pool_use_count(struct pool_use use[NATXDP_POOL_MAX], const struct pool *pool,
		   const struct natxdp_host_ports *host_ports, struct table *table);

double pool_use_percent(const struct pool_use *use);

#endif
