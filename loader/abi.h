/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What older versions have left in the kernel: a table of readers by
 * NATXDP_ABI. The first two words of config, abi and active, are the same in
 * all versions.
 *
 * The tables of flows of every version that is read have the layout of this
 * one, and any size (bpf/bring.bpf.h). One with another layout needs a second
 * before_find() there.
 */
#ifndef NATXDP_LOADER_ABI_H
#define NATXDP_LOADER_ABI_H

#include <stdbool.h>

#include <natxdp/config.h>

#include "nat.h"

/* Reads the map @fd of any version as one of this. Returns the ABI it has, or -EPROTO, -errno. */
int abi_read_config(int fd, struct natxdp_config *config);

/* Can abi_carry() fill a new map of this kind from one of another layout? */
bool abi_can_carry(enum nat_map map);

/*
 * Counters of another layout. abi_counters_carry() adds what was counted there
 * since it was called last: before the new programs run, and once more when
 * the old ones do not run any more. Returns 0 or -errno.
 */
struct abi_counters;

struct abi_counters *abi_counters_new(const struct nat *from, const struct nat *to);
int abi_counters_carry(struct abi_counters *counters);
void abi_counters_free(struct abi_counters *counters);

#endif
