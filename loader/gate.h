/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The gate of an upgrade: what all interfaces have for the moment in which the
 * packets go over from the old programs and tables to the new ones. Its pins
 * are in PIN_DIR/gate, and are all that is needed to go on from there after
 * whoever made it has died. Behind a dispatcher it is no program, but the new
 * ones are added before the old ones. See bpf/gate.bpf.c.
 *
 * Functions return 0 or -errno and then have written @err.
 */
#ifndef NATXDP_LOADER_GATE_H
#define NATXDP_LOADER_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include <natxdp/gate.h>

#include "hook.h"

struct err;
struct gate_bpf;
struct instance;
struct nat;
struct plan;

struct gate {
	struct gate_bpf *bpf;
	enum hook hook;
	const struct nat *after; /* outlives it */
};

/* Between the programs of @instance and @after, a NAT beside that one; pinned. */
int gate_make(struct gate *gate, const struct instance *instance, const struct nat *after,
	      const struct plan *plan, struct err *err);

/* On every interface, or on none. */
int gate_attach(const struct gate *gate, const struct plan *plan, struct err *err);

/* From here on the new programs have every packet. */
int gate_open(const struct gate *gate, struct err *err);

void gate_close(struct gate *gate); /* what is pinned goes on */

/* What a gate that was left says. False if there is none, or not a whole one. */
bool gate_read(const char *pin_dir, struct natxdp_gate *gate);

/* Gives the interfaces that have the gate the programs back that were there before. */
int gate_detach(const char *pin_dir, enum hook hook, const struct plan *plan, struct err *err);

/* The program natxdp_bring of the new ones, or -errno. Owned by the caller. */
int gate_bring(const char *pin_dir);

#endif
