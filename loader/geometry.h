/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How large the tables are, and the secret that says where keys stand. */
#ifndef NATXDP_GEOMETRY_H
#define NATXDP_GEOMETRY_H

#include <netinet/in.h>
#include <stdint.h>

#include <natxdp/flow.h>

/* Fills in groups. */
void geometry_size(struct natxdp_geometry *geometry, uint32_t max_flows);

/* Draws a new hash key. Returns 0 or -errno. */
int geometry_draw_key(struct natxdp_geometry *geometry);

/* Elements of the map flow_table; flow_tags and flow_due have one for each group. */
uint32_t geometry_buckets(const struct natxdp_geometry *geometry);

#endif
