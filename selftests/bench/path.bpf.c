/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The whole way of a packet: a generator that runs under
 * BPF_F_TEST_XDP_LIVE_FRAMES and sends what it makes out of a device, sinks that
 * count and drop what comes through, and the least that a NAT could do: a bare
 * redirect, and a bare XDP_TX.
 *
 * A frame's page comes back with what the run before has left in it, so the
 * generator writes all of it. Checksums are right, for the kernel looks at them.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "feeder.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum { PAYLOAD = 18, IP_LEN = sizeof(struct iphdr) + sizeof(struct udphdr) + PAYLOAD };

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
	struct udphdr udp;
	__u16 flow[2]; /* the number of the flow, so that the sink knows it again */
	__u16 rest[7];
} __attribute__((packed));

struct cursor cursors[BENCH_CPUS_MAX];
__u8 dst_mac[6];
__u8 src_mac[6];
__u32 record; /* write down how flows come out */

struct delivered delivered[BENCH_CPUS_MAX];

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tuple);
} draws SEC(".maps");

/* By number of flow: what its packets carry when they come out. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tuple);
} outcomes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} devs SEC(".maps");

static __always_inline __u32 add16(__u32 sum, __u32 word)
{
	return sum + (word & 0xffff) + (word >> 16);
}

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

static __always_inline void write_l3(struct frame *f, const struct tuple *t)
{
	f->ip.version = 4;
	f->ip.ihl = 5;
	f->ip.tos = 0;
	f->ip.tot_len = bpf_htons(IP_LEN);
	f->ip.id = 0;
	f->ip.frag_off = 0;
	f->ip.ttl = 64;
	f->ip.protocol = IPPROTO_UDP;
	f->ip.saddr = t->saddr;
	f->ip.daddr = t->daddr;
	f->ip.check = fold(add16(add16(bpf_htons(0x4500) + bpf_htons(IP_LEN) +
					       bpf_htons(64 << 8 | IPPROTO_UDP),
				       t->saddr),
				 t->daddr));
}

static __always_inline void write_l4(struct frame *f, const struct tuple *t)
{
	__u16 len = bpf_htons(sizeof(struct udphdr) + PAYLOAD), check;

	f->udp.source = t->sport;
	f->udp.dest = t->dport;
	f->udp.len = len;
	f->flow[0] = t->flow;
	f->flow[1] = t->flow >> 16;
	__builtin_memset(f->rest, 0, sizeof(f->rest));
	check = fold(
		add16(add16(add16(2u * len + bpf_htons(IPPROTO_UDP) + t->sport + t->dport, t->flow),
			    t->saddr),
		      t->daddr));
	f->udp.check = check ? check : 0xffff;
}

/*
 * The time of a test run is no measure: making and breaking up its page pool
 * takes as long as 100,000 packets.
 */
static __always_inline void mark_time(struct cursor *c)
{
	__u32 cpu = bpf_get_smp_processor_id() % BENCH_CPUS_MAX;

	if (!c->started) {
		c->arrived[0] = delivered[cpu].packets;
		c->started = bpf_ktime_get_ns();
	}
	if (--c->left)
		return;
	c->arrived[1] = delivered[cpu].packets;
	c->ended = bpf_ktime_get_ns();
}

SEC("xdp.frags")
int generate(struct xdp_md *ctx)
{
	struct cursor *c = &cursors[bpf_get_smp_processor_id() % BENCH_CPUS_MAX];
	struct frame *f = (void *)(long)ctx->data;
	__u32 at = c->at;
	struct tuple *t;

	mark_time(c);
	t = bpf_map_lookup_elem(&draws, &at);
	c->at = at + 1 < c->end ? at + 1 : c->begin;
	if (!t || (void *)(f + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	__builtin_memcpy(f->eth.h_dest, dst_mac, sizeof(dst_mac));
	__builtin_memcpy(f->eth.h_source, src_mac, sizeof(src_mac));
	f->eth.h_proto = bpf_htons(ETH_P_IP);
	write_l3(f, t);
	write_l4(f, t);
	return XDP_TX;
}

static __always_inline void receive(struct frame *f, void *end)
{
	struct tuple *outcome;
	__u32 flow;

	if ((void *)(f + 1) > end || f->ip.protocol != IPPROTO_UDP ||
	    f->eth.h_proto != bpf_htons(ETH_P_IP))
		return;
	delivered[bpf_get_smp_processor_id() % BENCH_CPUS_MAX].packets++;
	if (!record)
		return;
	flow = f->flow[0] | (__u32)f->flow[1] << 16;
	outcome = bpf_map_lookup_elem(&outcomes, &flow);
	if (!outcome)
		return;
	outcome->saddr = f->ip.saddr;
	outcome->daddr = f->ip.daddr;
	outcome->sport = f->udp.source;
	outcome->dport = f->udp.dest;
	outcome->flow = flow + 1; /* 0: none has come */
}

SEC("xdp.frags")
int sink_xdp(struct xdp_md *ctx)
{
	receive((void *)(long)ctx->data, (void *)(long)ctx->data_end);
	return XDP_DROP;
}

/* For what the kernel forwards: XDP on the packets of a kernel would cost them a copy. */
SEC("tc")
int sink_tc(struct __sk_buff *skb)
{
	receive((void *)(long)skb->data, (void *)(long)skb->data_end);
	return TC_ACT_SHOT;
}

SEC("xdp.frags")
int bare_out(struct xdp_md *ctx)
{
	return bpf_redirect_map(&devs, 0, XDP_DROP);
}

SEC("xdp.frags")
int bare_in(struct xdp_md *ctx)
{
	return bpf_redirect_map(&devs, 1, XDP_DROP);
}

SEC("xdp.frags")
int bare_tx(struct xdp_md *ctx)
{
	return XDP_TX;
}
