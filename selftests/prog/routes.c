/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "routes.h"

#include <string.h>

#include "geneve.h"

static bool in_24(uint32_t a, const char *net)
{
	return a >> 8 == addr(net) >> 8;
}

static void via(struct hop *hop, const uint8_t *dst, const uint8_t *src)
{
	hop->kind = HOP_MAC;
	memcpy(hop->dst, dst, 6);
	memcpy(hop->src, src, 6);
}

void routes_outwards(const struct model *m, uint32_t remote, struct hop *hop)
{
	memset(hop, 0, sizeof(*hop));
	if (!m->options.two_armed && !m->options.gwlb)
		hop->kind = HOP_REFLECT;
	else if (in_24(remote, "203.0.113.0") && remote != addr("203.0.113.254"))
		hop->kind = HOP_KERNEL; /* on the link, but no neighbour yet */
	else
		via(hop, box_router_mac, box_out_mac);
}

void routes_inwards(const struct model *m, uint32_t inside, const uint8_t *frame, struct hop *hop)
{
	uint8_t mac[6] = { 2 };

	memset(hop, 0, sizeof(*hop));
	mac[5] = inside; /* as box.c has made the neighbours */
	if (m->options.gwlb)
		via(hop, geneve_lb_mac, box_out_mac);
	else if (!m->options.two_armed)
		hop->kind = HOP_REFLECT;
	else if (!routes_known(inside))
		via(hop, frame + 6, frame);
	else if (inside == addr("10.77.0.2") || inside == addr("10.77.0.3"))
		via(hop, mac, box_in_mac);
	else
		hop->kind = HOP_KERNEL;
}

bool routes_known(uint32_t inside)
{
	return in_24(inside, "10.77.0.0") && inside != addr("10.77.0.255");
}
