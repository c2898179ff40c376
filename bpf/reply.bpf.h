/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Packets that the NAT itself sends back to the sender of a packet. */
#ifndef NATXDP_REPLY_BPF_H
#define NATXDP_REPLY_BPF_H

#include "rewrite.bpf.h"

enum { REPLY_TTL = 64 };

static __always_inline void eth_swap(struct ethhdr *eth)
{
	__u8 mac[ETH_ALEN];

	mac_copy(mac, eth->h_dest);
	mac_copy(eth->h_dest, eth->h_source);
	mac_copy(eth->h_source, mac);
}

/* One's complement sum of a header of known, even size. */
static __always_inline __u32 csum_header(const void *header, __u32 size)
{
	const __u16 *word = header;
	__u32 sum = 0, i;

#pragma unroll
	for (i = 0; i < size / 2; i++)
		sum += word[i];
	return sum;
}

/* The RST that answers a segment (RFC 9293, section 3.10.7.1), checksum included. */
static __always_inline void reply_rst_tcp(struct tcphdr *rst, const struct tcphdr *to,
					  const struct iphdr *ip)
{
	__u32 len = bpf_ntohs(ip->tot_len) - ip->ihl * 4 - to->doff * 4;
	__u32 sum;

	rst->source = to->dest;
	rst->dest = to->source;
	rst->doff = sizeof(*rst) / 4;
	rst->rst = 1;
	if (to->ack) {
		rst->seq = to->ack_seq;
	} else {
		rst->ack = 1;
		rst->ack_seq = bpf_htonl(bpf_ntohl(to->seq) + len + to->syn + to->fin);
	}
	sum = (ip->saddr & 0xffff) + (ip->saddr >> 16) + (ip->daddr & 0xffff) + (ip->daddr >> 16);
	sum += bpf_htons(IPPROTO_TCP) + bpf_htons(sizeof(*rst));
	rst->check = ~csum_fold(sum + csum_header(rst, sizeof(*rst)));
}

/* Turn a TCP segment into the RST that answers it, and send it back. */
static __always_inline int reply_rst(struct xdp_md *ctx, const struct packet *pkt)
{
	void *end = (void *)(long)ctx->data_end;
	const __u32 want = sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct tcphdr);
	struct tcphdr rst = {}, *tcp = pkt->l4;
	struct iphdr ip = {};
	struct ethhdr *eth;

	if ((void *)(tcp + 1) > end)
		return XDP_DROP;
	reply_rst_tcp(&rst, tcp, pkt->ip);
	ip.version = 4;
	ip.ihl = 5;
	ip.ttl = REPLY_TTL;
	ip.protocol = IPPROTO_TCP;
	ip.frag_off = bpf_htons(0x4000);
	ip.tot_len = bpf_htons(sizeof(ip) + sizeof(rst));
	ip.saddr = pkt->ip->daddr;
	ip.daddr = pkt->ip->saddr;
	ip.check = ~csum_fold(csum_header(&ip, sizeof(ip)));
	if (bpf_xdp_adjust_tail(ctx, (int)(want - bpf_xdp_get_buff_len(ctx))))
		return XDP_DROP;
	eth = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if ((void *)eth + want > end)
		return XDP_DROP;
	eth_swap(eth);
	__builtin_memcpy(eth + 1, &ip, sizeof(ip));
	__builtin_memcpy((void *)(eth + 1) + sizeof(ip), &rst, sizeof(rst));
	return XDP_TX;
}

#endif
