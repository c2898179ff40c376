/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The gate of an upgrade to other tables. Several interfaces cannot get new
 * programs at one moment, and while one has the old program and another the
 * new, each looks into a table of its own. So for the moment of the change all
 * get this one, which hands every packet to the old program; then one write
 * opens it, and every packet on every CPU goes to the new one.
 *
 * Behind a dispatcher the new programs are called before the old ones, and
 * send every packet on to them until their tables are active, which the same
 * write makes them.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include <natxdp/config.h>
#include <natxdp/gate.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct natxdp_gate);
} gate SEC(".maps");

/* Programs by enum natxdp_side. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, NATXDP_GATE_SIDES);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} gate_before SEC(".maps"), gate_after SEC(".maps");

/* The map sweep_state of the table before: of any version, the timer comes first. */
struct gate_sweep {
	struct bpf_timer timer;
	__u8 rest[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct gate_sweep);
} gate_sweep SEC(".maps");

/* Of the tables after. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct natxdp_config);
} gate_config SEC(".maps");

static __always_inline void pass(void *ctx, __u32 side)
{
	__u32 zero = 0;
	struct natxdp_gate *g;

	g = bpf_map_lookup_elem(&gate, &zero);
	if (g && g->open)
		bpf_tail_call(ctx, &gate_after, side);
	else
		bpf_tail_call(ctx, &gate_before, side);
}

SEC("xdp.frags")
int gate_single(struct xdp_md *ctx)
{
	pass(ctx, NATXDP_SIDE_SINGLE);
	return XDP_ABORTED; /* there is always a program to hand over to */
}

SEC("xdp.frags")
int gate_inside(struct xdp_md *ctx)
{
	pass(ctx, NATXDP_SIDE_INSIDE);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int gate_outside(struct xdp_md *ctx)
{
	pass(ctx, NATXDP_SIDE_OUTSIDE);
	return XDP_ABORTED;
}

/* The same at TC; a map takes programs of one kind, so the loader takes these or those. */
SEC("tc")
int gate_tc_single(struct __sk_buff *ctx)
{
	pass(ctx, NATXDP_SIDE_SINGLE);
	return TC_ACT_SHOT;
}

SEC("tc")
int gate_tc_inside(struct __sk_buff *ctx)
{
	pass(ctx, NATXDP_SIDE_INSIDE);
	return TC_ACT_SHOT;
}

SEC("tc")
int gate_tc_outside(struct __sk_buff *ctx)
{
	pass(ctx, NATXDP_SIDE_OUTSIDE);
	return TC_ACT_SHOT;
}

/*
 * Opens the gate and stops the old sweeper: one call, so that nothing comes
 * between the two, not even the death of who calls it. What has expired in the
 * table before expires in the new one.
 */
SEC("syscall")
int gate_open(void *ctx)
{
	struct gate_sweep *sweep;
	struct natxdp_config *cfg;
	struct natxdp_gate *g;
	__u32 zero = 0;

	g = bpf_map_lookup_elem(&gate, &zero);
	sweep = bpf_map_lookup_elem(&gate_sweep, &zero);
	cfg = bpf_map_lookup_elem(&gate_config, &zero);
	if (!g || !sweep || !cfg)
		return -EINVAL;
	bpf_timer_cancel(&sweep->timer);
	g->open = 1;
	cfg->active = 1;
	return 0;
}
