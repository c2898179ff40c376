/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The frames of the model where its inside is behind tunnels: the same frames, in GENEVE. To the
 * model the tunnel is a part of an inside end.
 */
#ifndef SELFTESTS_TUNNELLED_H
#define SELFTESTS_TUNNELLED_H

#include "traffic.h"

enum { TUNNELLED = 3 }; /* tunnels; they are counted from 1 */

/* Load balancers may send to the box. */
void tunnelled_open(struct box *box);

/* The frame has the Ethernet header that the one around it has; what is in it, to the model. */
void tunnelled_read(struct traffic_packet *p, struct wire *w);
void tunnelled_run(struct box *box, const struct traffic_packet *p, struct output *out);

/* The frame in what came out, or 0 if that is not the tunnel's, with this label. */
size_t tunnelled_unwrap(uint8_t tunnel, struct model_label label, const struct output *out,
			uint8_t *frame);

/* What the key of the flow's entry has. */
uint16_t tunnelled_tenant(struct box *box, const struct model_flow *f, int way);

#endif
