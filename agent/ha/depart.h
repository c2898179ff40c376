/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How a node goes: out of its target group, zones handed over, its lifecycle action completed. */
#ifndef NATXDP_AGENT_HA_DEPART_H
#define NATXDP_AGENT_HA_DEPART_H

struct ha;

/* At each tick: what is due. */
void depart_look(struct ha *ha);

#endif
