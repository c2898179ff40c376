/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* natxdp in TC: for interfaces that have no XDP, and for packets merged by GRO. */
#include "hook_tc.bpf.h"
#include "tunnel_none.bpf.h"
#include "pipeline.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tc")
int natxdp_single(struct __sk_buff *ctx)
{
	return natxdp(ctx, NATXDP_SIDE_SINGLE, NATXDP_TENANT_NONE);
}

SEC("tc")
int natxdp_inside(struct __sk_buff *ctx)
{
	return natxdp(ctx, NATXDP_SIDE_INSIDE, NATXDP_TENANT_NONE);
}

SEC("tc")
int natxdp_outside(struct __sk_buff *ctx)
{
	return natxdp(ctx, NATXDP_SIDE_OUTSIDE, NATXDP_TENANT_NONE);
}
