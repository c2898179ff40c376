/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The external addresses as the data plane numbers them. */
#ifndef NATXDP_POOL_H
#define NATXDP_POOL_H

#include <netinet/in.h>
#include <stdbool.h>

#include <natxdp/config.h>

struct pool {
	unsigned int count;
	struct natxdp_pool item[NATXDP_POOL_MAX];
};

/* The index of an address, or -1. */
int pool_find(const struct pool *pool, __be32 addr);

/*
 * The pool after a reload that asks for @wanted. Flows name their address by
 * its index, so an address keeps its index; one that is not wanted any more
 * drains until no flow uses it (@used), and only then its index is free.
 * Returns 0, or -ENOSPC if the draining ones leave too few.
 */
int pool_merge(const struct pool *old, const struct pool *wanted, const bool used[NATXDP_POOL_MAX],
	       struct pool *merged);

#endif
