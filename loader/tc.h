/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Programs at the TC hook: one filter of clsact ingress an interface, at a
 * place of our own, so that a newer program takes it in one step. A clsact
 * qdisc that we had to make is remembered in the run directory, and goes again
 * with the last filter on it.
 *
 * It is no link: what is pinned is the program, and the filter ends with its
 * interface or by tc_detach().
 */
#ifndef NATXDP_TC_H
#define NATXDP_TC_H

#include <stdbool.h>
#include <stdint.h>

struct ours;

/* The program at our place of the interface: its id, 0 for none. Returns 0 or -errno. */
int tc_query(uint32_t ifindex, uint32_t *id);

/* Puts the program there, in the place of another one. Returns 0 or -errno. */
int tc_attach(const char *pin_dir, uint32_t ifindex, int program);

void tc_detach(const char *pin_dir, uint32_t ifindex);

/* From all interfaces of this network namespace, the programs of this NAT. */
void tc_leave(const char *pin_dir, const struct ours *ours);

/* Are filters of a NAT, or its qdisc, in another network namespace than this process? */
bool tc_is_elsewhere(const char *pin_dir);

void tc_forget(const char *pin_dir);

#endif
