/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which node a zone goes to first: the one order of agents and functions. */
#ifndef NATXDP_AGENT_HA_HEIR_H
#define NATXDP_AGENT_HA_HEIR_H

/*
 * What it costs to give a zone to @node of @nodes, the lower the better: the node
 * that is at home there, then who has fewer zones (@load), then round the ring
 * from @home; one that is no node counts as the first. No two nodes cost the same
 * with the same load.
 */
unsigned int heir_cost(unsigned int home, unsigned int load, unsigned int node, unsigned int nodes);

#endif
