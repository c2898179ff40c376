/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* natxdp in XDP: in the driver, before the kernel makes anything of a frame. */
#include "hook_xdp.bpf.h"
#include "tunnel_none.bpf.h"
#include "pipeline.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("xdp.frags")
int natxdp_single(struct xdp_md *ctx)
{
	return natxdp(ctx, NATXDP_SIDE_SINGLE, NATXDP_TENANT_NONE);
}

SEC("xdp.frags")
int natxdp_inside(struct xdp_md *ctx)
{
	return natxdp(ctx, NATXDP_SIDE_INSIDE, NATXDP_TENANT_NONE);
}

SEC("xdp.frags")
int natxdp_outside(struct xdp_md *ctx)
{
	return natxdp(ctx, NATXDP_SIDE_OUTSIDE, NATXDP_TENANT_NONE);
}
