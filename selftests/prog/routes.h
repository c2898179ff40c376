/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The routes and neighbours of the box's network, as the model knows them. */
#ifndef SELFTESTS_ROUTES_H
#define SELFTESTS_ROUTES_H

#include "model.h"

void routes_outwards(const struct model *m, uint32_t remote, struct hop *hop);
/* An inside host without a route is reached by the router from which its frame came. */
void routes_inwards(const struct model *m, uint32_t inside, const uint8_t *frame, struct hop *hop);
/* Is there a route to the inside host? */
bool routes_known(uint32_t inside);

#endif
