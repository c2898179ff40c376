/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* natxdp behind Gateway Load Balancers, in XDP. */
#include "hook_xdp.bpf.h"
#include "tunnel_geneve.bpf.h"
#include "tunnel_entry.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("xdp.frags")
int natxdp_single(struct xdp_md *ctx)
{
	return natxdp_tunnelled(ctx);
}

SEC("xdp.frags")
int natxdp_inside(struct xdp_md *ctx)
{
	return natxdp_tunnelled(ctx);
}

/* From the outside nobody sends GENEVE. */
SEC("xdp.frags")
int natxdp_outside(struct xdp_md *ctx)
{
	return natxdp(ctx, NATXDP_SIDE_OUTSIDE, NATXDP_TENANT_OUTSIDE);
}
