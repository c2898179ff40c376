/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Makes a packet of the next flow and runs another program on it. The packet
 * is made anew each time, because BPF_PROG_TEST_RUN gives a program the packet
 * back as it left it. What making it costs is measured with `empty`.
 *
 * Which flow comes next stands in an array that is read from one end to the
 * other, so that it takes little of the caches from what is measured.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "feeder.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct cursor cursors[BENCH_CPUS_MAX];
__u32 proto = IPPROTO_UDP;
__u32 tcp_flags;
__u32 in_tunnel; /* the frames come with the headers in outer */
__u32 shifting;	 /* the program moves the beginning of each frame */
struct outer outer;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tuple);
} draws SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} targets SEC(".maps");

static __always_inline struct tuple *next_tuple(void)
{
	struct cursor *c = &cursors[bpf_get_smp_processor_id() % BENCH_CPUS_MAX];
	__u32 at = c->at;

	c->at = at + 1 < c->end ? at + 1 : c->begin;
	return bpf_map_lookup_elem(&draws, &at);
}

/*
 * A program behind tunnels leaves a frame that begins elsewhere than the one before. Before the
 * empty program that is done as often, so that moving it back is no part of what is measured.
 */
static __always_inline int frame_again(struct xdp_md *ctx, int to_empty)
{
	__u32 want = 60 + (in_tunnel ? FEEDER_OUTER - ETH_HLEN : 0);
	__u32 len = ctx->data_end - ctx->data;

	if (to_empty && shifting && len == want)
		want += FEEDER_OUTER - ETH_HLEN;
	return len == want ? 0 : bpf_xdp_adjust_head(ctx, (int)(len - want));
}

/*
 * What is read of a frame must lie within what was written at once, as all else that is made
 * here: else the CPU waits for the writes, which in a frame that a device has written are over.
 */
static __always_inline void make_outer(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	__u32 *eth = data;
	__u64 *to = data + 18;
	int i;

	if (data + FEEDER_OUTER > (void *)(long)ctx->data_end)
		return;
	for (i = 0; i < 3; i++)
		eth[i] = outer.eth[i];
	*(__u16 *)(data + 12) = outer.eth_type;
	*(__u32 *)(data + 14) = outer.ip;
	for (i = 0; i < FEEDER_OUTER_WORDS; i++)
		to[i] = outer.word[i];
}

static __always_inline void make(struct xdp_md *ctx, int to_empty)
{
	__u32 offset = in_tunnel ? FEEDER_OUTER - ETH_HLEN : 0;
	struct tuple *t = next_tuple();
	struct ethhdr *eth;
	struct iphdr *ip;
	struct tcphdr *tcp;
	struct udphdr *udp;

	if (frame_again(ctx, to_empty))
		return;
	if (offset)
		make_outer(ctx);
	barrier(); /* or clang joins this pointer and that in make_outer(), and the verifier is lost */
	eth = (void *)(long)ctx->data + offset;
	ip = (void *)(eth + 1);
	tcp = (void *)(ip + 1);
	udp = (void *)(ip + 1);

	if (!t || (void *)(tcp + 1) > (void *)(long)ctx->data_end)
		return;
	if (!offset)
		eth->h_proto = bpf_htons(ETH_P_IP);
	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = bpf_htons(46);
	ip->frag_off = 0;
	ip->ttl = 64;
	ip->protocol = proto;
	ip->check = 0;
	ip->saddr = t->saddr;
	ip->daddr = t->daddr;
	udp->source = t->sport;
	udp->dest = t->dport;
	if (proto == IPPROTO_UDP) {
		udp->len = bpf_htons(26);
		udp->check = bpf_htons(0x1234);
	} else {
		((__u8 *)tcp)[12] = 0x50;
		((__u8 *)tcp)[13] = tcp_flags;
		tcp->check = bpf_htons(0x1234);
	}
}

SEC("xdp.frags")
int feed_target(struct xdp_md *ctx)
{
	make(ctx, 0);
	bpf_tail_call(ctx, &targets, 0);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int feed_empty(struct xdp_md *ctx)
{
	make(ctx, 1);
	bpf_tail_call(ctx, &targets, 1);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int empty(struct xdp_md *ctx)
{
	return XDP_DROP;
}
