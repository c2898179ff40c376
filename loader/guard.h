/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The guard (bpf/guard.bpf.c): a filter at TC on each interface of the NAT, behind the program of
 * the NAT, which lets nothing out untranslated while that is not there. It has the maps of the NAT
 * that is pinned, and is put there anew whenever a NAT is brought up, over or back.
 */
#ifndef NATXDP_GUARD_H
#define NATXDP_GUARD_H

#include <stdbool.h>

struct err;
struct nat;
struct plan;

/*
 * A new guard over the maps of @nat, for interfaces of the inside alone, or for others: its
 * descriptor, which the caller closes, or -errno.
 */
int guard_program(const struct nat *nat, bool inside, struct err *err);

/* Puts one on every interface of @plan, in the place of an older one. */
int guard_attach_all(const struct plan *plan, struct err *err);

/* Does interface @dev of @plan have that of this NAT? */
bool guard_is_on(const struct plan *plan, unsigned int dev);

/* Off all interfaces of this network namespace, those of this NAT. */
void guard_leave(const char *pin_dir);

#endif
