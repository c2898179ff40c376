/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* natxdp behind Gateway Load Balancers, in TC. */
#include "hook_tc.bpf.h"
#include "tunnel_geneve.bpf.h"
#include "tunnel_entry.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tc")
int natxdp_single(struct __sk_buff *ctx)
{
	return natxdp_tunnelled(ctx);
}

SEC("tc")
int natxdp_inside(struct __sk_buff *ctx)
{
	return natxdp_tunnelled(ctx);
}

/* From the outside nobody sends GENEVE. */
SEC("tc")
int natxdp_outside(struct __sk_buff *ctx)
{
	return natxdp(ctx, NATXDP_SIDE_OUTSIDE, NATXDP_TENANT_OUTSIDE);
}
