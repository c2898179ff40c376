/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Makes a packet of a random flow and runs another program on it. The packet
 * is made anew each time, because BPF_PROG_TEST_RUN gives a program the packet
 * back as it left it. What making it costs is measured with `empty`.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile __u32 flows = 64;
const volatile __u8 proto = IPPROTO_UDP;

/* The tuples as the packets carry them; index 0 to flows - 1. */
struct tuple {
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tuple);
} tuples SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} targets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} random_state SEC(".maps");

static __always_inline __u32 next_flow(void)
{
	__u32 zero = 0;
	__u64 *state = bpf_map_lookup_elem(&random_state, &zero), x;

	if (!state)
		return 0;
	x = *state; /* xorshift64 */
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return ((x >> 32) * flows) >> 32;
}

static __always_inline void make(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	struct udphdr *udp = (void *)(ip + 1);
	__u32 index = next_flow();
	struct tuple *t;

	t = bpf_map_lookup_elem(&tuples, &index);
	if (!t || (void *)(tcp + 1) > (void *)(long)ctx->data_end)
		return;
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
		((__u8 *)tcp)[13] = 0x10; /* ACK */
		tcp->check = bpf_htons(0x1234);
	}
}

SEC("xdp.frags")
int feed_target(struct xdp_md *ctx)
{
	make(ctx);
	bpf_tail_call(ctx, &targets, 0);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int feed_empty(struct xdp_md *ctx)
{
	make(ctx);
	bpf_tail_call(ctx, &targets, 1);
	return XDP_ABORTED;
}

SEC("xdp.frags")
int empty(struct xdp_md *ctx)
{
	return XDP_DROP;
}
