/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The gate of an upgrade (bpf/gate.bpf.c). It is there for the moment of one only. */
#ifndef NATXDP_GATE_H
#define NATXDP_GATE_H

#include <natxdp/flow.h>

enum { NATXDP_GATE_SIDES = NATXDP_SIDE_OUTSIDE + 1 };

/* Map gate: ARRAY, one element. */
struct natxdp_gate {
	__u32 open;   /* 0: the programs before have the packets; 1: the new ones */
	__u32 config; /* id of the map config of the new tables */
};

#endif
