/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a box has of the kernel beside the programs of the NAT. See box.h. */
#ifndef SELFTESTS_BOX_KERNEL_H
#define SELFTESTS_BOX_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bpf_object;

/* Its interfaces, in a network namespace that the process is in from then on. */
void box_make_network(void);

/* The guard over the maps of @object, for the inside alone or not, as a descriptor. */
int box_guard_load(struct bpf_object *object, bool inside);

/* Does it drop this frame? */
bool box_guard_run(int guard, uint32_t ifindex, const void *data, size_t len);

#endif
