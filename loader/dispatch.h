/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Sharing an interface: by the dispatcher of libxdp, which calls one XDP
 * program after another. Each change makes a new dispatcher with the programs
 * that shall be in it and puts it on the interface in one step.
 */
#ifndef NATXDP_DISPATCH_H
#define NATXDP_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

struct bpf_object;
struct err;
struct ours;

enum dispatch_role {
	DISPATCH_NAT,
	DISPATCH_AFTER, /* comes before that, and may send frames on to it (bpf/gate.bpf.c) */
};

/*
 * Adds the program @name of @object, which is not loaded yet, to what runs on
 * @iface. Returns a descriptor of it, which the caller closes, or -errno.
 */
int dispatch_add(struct bpf_object *object, const char *name, enum dispatch_role role,
		 const char *iface, bool generic, struct err *err);

/* Takes every program of @ours off @ifindex, but @keep (an id, or 0). Returns 0 or -errno. */
int dispatch_remove(uint32_t ifindex, const struct ours *ours, uint32_t keep);

/* Does a dispatcher on @ifindex call the program @id? */
bool dispatch_has(uint32_t ifindex, uint32_t id);

/* Is what runs on @ifindex a dispatcher, or nothing? */
bool dispatch_can_join(uint32_t ifindex);

#endif
