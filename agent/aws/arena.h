/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Memory that is freed all at once: what one answer was parsed into. */
#ifndef NATXDP_AWS_ARENA_H
#define NATXDP_AWS_ARENA_H

#include <stddef.h>

struct aws_arena {
	struct aws_arena_block *blocks;
};

/* Zeroed memory for @count elements of @size; at least one byte. NULL: none left. */
void *aws_arena_alloc(struct aws_arena *arena, size_t count, size_t size);

void aws_arena_free(struct aws_arena *arena);

#endif
