/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The inside addresses that may not use the NAT. */
#ifndef NATXDP_BLOCK_H
#define NATXDP_BLOCK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include <natxdp/config.h>

struct flow_view;
struct nat;

struct blocked {
	__be32 addr;
	uint64_t since; /* UNIX seconds */
};

struct block_list {
	unsigned int count;
	struct blocked item[NATXDP_BLOCKED_MAX];
};

/*
 * Blocks an address, and then ends its flows: when this returns it has none.
 * An address that is blocked already stays so since then. Returns 0 or
 * -errno, -E2BIG if the list is full.
 */
int block_add(const struct nat *nat, __be32 addr, uint64_t *ended);

/* Returns 0, or -ENOENT if it was not blocked, or -errno. */
int block_delete(const struct nat *nat, __be32 addr);

/* By address. Returns 0 or -errno. */
int block_read(const struct nat *nat, struct block_list *list);

int block_count(const struct nat *nat, unsigned int *count);

/* Is this inside address one of its ends? Pure. */
bool block_concerns(const struct flow_view *view, __be32 addr);

#endif
