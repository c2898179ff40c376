/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Programs of one NAT are known by a map of it that they use: its config, that
 * of the tables which an upgrade makes or leaves, the gate of that upgrade, or
 * (the guard) the addresses of the host.
 * Where the kernel has no link that could be pinned (at TC, behind a
 * dispatcher) this is how they are found again.
 */
#ifndef NATXDP_OURS_H
#define NATXDP_OURS_H

#include <stdbool.h>
#include <stdint.h>

enum { OURS_MAPS = 4 };

struct ours {
	unsigned int count;
	uint32_t map[OURS_MAPS]; /* ids */
};

/* What is pinned at @pin_dir. */
void ours_look(struct ours *ours, const char *pin_dir);

/* Of an upgrade whose gate is closed: its new programs alone. */
void ours_look_next(struct ours *ours, const char *pin_dir);

bool ours_has(const struct ours *ours, uint32_t program);

#endif
