/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Programs at the TC hook: filters of clsact ingress, each at a place of its
 * own, so that a newer program takes it in one step. A clsact qdisc that we had
 * to make is remembered in the run directory, and goes again with the last
 * filter on it.
 *
 * A filter is no link: it ends with its interface or by tc_detach().
 */
#ifndef NATXDP_TC_H
#define NATXDP_TC_H

#include <stdint.h>

struct ours;

enum tc_place { TC_NAT, TC_GUARD, TC_PLACES }; /* in the order in which a packet meets them */

/* The program at that place of the interface: its id, 0 for none. Returns 0 or -errno. */
int tc_query(enum tc_place place, uint32_t ifindex, uint32_t *id);

/* Puts the program there, in the place of another one. Returns 0 or -errno. */
int tc_attach(enum tc_place place, const char *pin_dir, uint32_t ifindex, int program);

void tc_detach(enum tc_place place, const char *pin_dir, uint32_t ifindex);

/* From all interfaces of this network namespace, the programs of this NAT, and qdiscs without any. */
void tc_leave(enum tc_place place, const char *pin_dir, const struct ours *ours);

void tc_forget(const char *pin_dir);

#endif
