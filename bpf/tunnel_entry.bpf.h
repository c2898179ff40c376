/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How a frame comes to the NAT whose inside is behind tunnels. */
#ifndef NATXDP_TUNNEL_ENTRY_BPF_H
#define NATXDP_TUNNEL_ENTRY_BPF_H

#include "pipeline.bpf.h"

/* A packet in GENEVE that ends before the NAT sees it. */
static __always_inline int tunnel_refuse(hook_ctx *ctx, int reason)
{
	struct geneve_packet *p = geneve_get();
	__u32 len = hook_len(ctx) - sizeof(struct ethhdr);

	/* what can be told apart is counted like everything else, by the inner packet */
	if (p && (reason == NATXDP_DROP_INNER_IPV6 || reason == NATXDP_RETURNED))
		len = p->inner;
	count_packet(reason, 1, len);
	return reason == NATXDP_RETURNED ? hook_reflect(ctx) : HOOK_DROP;
}

/* Returns the index of the tunnel, or a reason as not_opened(). */
static __always_inline int tunnel_unwrap(hook_ctx *ctx)
{
	int tenant;

	if (hook_is_merged(ctx))
		return not_opened(NATXDP_DROP_MERGED);
	hook_pull_to(ctx, GENEVE_USUAL);
	tenant = tunnel_strip_usual(ctx);
	return tenant ? tenant : tunnel_strip(ctx);
}

/*
 * On an interface where GENEVE comes in. Everything else there is what comes from the outside,
 * or what the host has to do with its neighbours.
 */
static __always_inline int natxdp_tunnelled(hook_ctx *ctx)
{
	enum natxdp_side side = NATXDP_SIDE_OUTSIDE;
	int tenant = NATXDP_TENANT_OUTSIDE;

	if (!hook_prepare(ctx) && geneve_is(ctx)) {
		tenant = tunnel_unwrap(ctx);
		if (tenant < 0)
			return tunnel_refuse(ctx, not_opened(tenant));
		side = NATXDP_SIDE_INSIDE;
	}
	return natxdp(ctx, side, tenant);
}

#endif
