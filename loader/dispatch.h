/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Sharing an interface: by the dispatcher of libxdp, which calls one XDP
 * program after another. Each change makes a new dispatcher with the programs
 * that shall be in it and puts it on the interface in one step.
 *
 * Programs of one NAT are known by its config map, which they all use.
 */
#ifndef NATXDP_DISPATCH_H
#define NATXDP_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct nat;

/*
 * Adds the program @name of @nat to what runs on @iface. Returns a descriptor
 * of it, which the caller closes, or -errno.
 */
int dispatch_add(const struct nat *nat, const char *name, const char *iface, bool generic,
		 struct err *err);

/*
 * Takes every program off @ifindex that uses the map @config, but @keep (an
 * id, or 0). Returns 0 or -errno.
 */
int dispatch_remove(uint32_t ifindex, uint32_t config, uint32_t keep);

/* Does a dispatcher on @ifindex call the program @id? */
bool dispatch_has(uint32_t ifindex, uint32_t id);

/* Is what runs on @ifindex a dispatcher, or nothing? */
bool dispatch_can_join(uint32_t ifindex);

/* The id of a map by its descriptor; 0 if that cannot be told. */
uint32_t dispatch_map_id(int fd);

#endif
