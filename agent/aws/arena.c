/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "arena.h"

#include <stdint.h>
#include <stdlib.h>

struct aws_arena_block {
	struct aws_arena_block *next;
	max_align_t data[];
};

void *aws_arena_alloc(struct aws_arena *arena, size_t count, size_t size)
{
	struct aws_arena_block *block;

	if (size && count > (SIZE_MAX / 2) / size)
		return NULL;
	block = calloc(1, sizeof(*block) + count * size + 1);
	if (!block)
		return NULL;
	block->next = arena->blocks;
	arena->blocks = block;
	return block->data;
}

void aws_arena_free(struct aws_arena *arena)
{
	while (arena->blocks) {
		struct aws_arena_block *next = arena->blocks->next;

		free(arena->blocks);
		arena->blocks = next;
	}
}
