/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Packets that the NAT itself sends back to the sender of a packet. */
#ifndef NATXDP_REPLY_BPF_H
#define NATXDP_REPLY_BPF_H

#include "bytes.bpf.h"
#include "clock.bpf.h"
#include "nexthop.bpf.h"

enum reply_limits {
	REPLY_TTL = 64,
	REPLY_QUOTE = 548,	  /* RFC 1812, section 4.3.2.3: 576 bytes in all */
	REPLY_ICMP_PER_TICK = 16, /* a CPU: about 950 a second (RFC 1812, section 4.3.2.8) */
};

/* Which answer a reason asks for. */
struct reply_icmp {
	__u8 type;
	__u8 code;
	__u16 mtu; /* of "fragmentation needed", host order */
};

struct reply_budget {
	__u32 tick;
	__u32 sent;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct reply_budget);
} reply_budget SEC(".maps");

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

static __always_inline void reply_ip(struct iphdr *ip, __u8 proto, __u32 len, __be32 saddr,
				     __be32 daddr)
{
	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = REPLY_TTL;
	ip->protocol = proto;
	ip->tot_len = bpf_htons(len);
	ip->saddr = saddr;
	ip->daddr = daddr;
	ip->check = ~csum_fold(csum_header(ip, sizeof(*ip)));
}

/* The RST that answers a segment (RFC 9293, section 3.10.7.1), checksum included. */
static __always_inline void reply_rst_tcp(struct tcphdr *rst, const struct tcphdr *to,
					  const struct packet *pkt)
{
	__u32 len = pkt->l4_len - to->doff * 4, sum;
	const struct iphdr *ip = pkt->ip;

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
	if (hook_sum(pkt->ctx) == HOOK_SUM_PARTIAL)
		rst->check = csum_fold(sum);
	else
		rst->check = ~csum_fold(sum + csum_header(rst, sizeof(*rst)));
}

/* Turn a TCP segment into the RST that answers it. Returns 0, or an error if it cannot be. */
static __always_inline int reply_rst(hook_ctx *ctx, const struct packet *pkt)
{
	void *end = hook_end(ctx);
	const __u32 want = sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct tcphdr);
	struct tcphdr rst = {}, *tcp = pkt->l4;
	struct iphdr ip = {};
	struct ethhdr *eth;

	if ((void *)(tcp + 1) > end)
		return -EINVAL;
	/* what completes the checksum will look for it where it was */
	if (hook_sum(ctx) == HOOK_SUM_PARTIAL && pkt->ip->ihl != sizeof(ip) / 4)
		return -EINVAL;
	reply_rst_tcp(&rst, tcp, pkt);
	reply_ip(&ip, IPPROTO_TCP, sizeof(ip) + sizeof(rst), pkt->ip->daddr, pkt->ip->saddr);
	if (hook_resize(ctx, want))
		return -EINVAL;
	eth = hook_data(ctx);
	end = hook_end(ctx);
	if ((void *)eth + want > end)
		return -EINVAL;
	eth_swap(eth);
	__builtin_memcpy(eth + 1, &ip, sizeof(ip));
	__builtin_memcpy((void *)(eth + 1) + sizeof(ip), &rst, sizeof(rst));
	return 0;
}

/* May this CPU answer with one more ICMP error in this tick? */
static __always_inline int reply_allowed(void)
{
	struct reply_budget *budget;
	__u32 zero = 0, now = ticks_now();

	budget = bpf_map_lookup_elem(&reply_budget, &zero);
	if (!budget)
		return 0;
	if (budget->tick != now) {
		budget->tick = now;
		budget->sent = 0;
	}
	return budget->sent++ < REPLY_ICMP_PER_TICK;
}

/*
 * The address with which the box speaks on the interface of the packet. To
 * the outside that is the address to which the packet was sent.
 */
static __always_inline __be32 reply_source(const hook_ctx *ctx, __be32 sent_to)
{
	struct natxdp_config *cfg = config_get();
	int dev;

	if (!cfg || bpf_map_lookup_elem(&own_addrs, &sent_to))
		return sent_to;
	dev = next_hop_dev(hook_ifindex(ctx));
	return cfg->dev_addr[dev < 0 ? 0 : (__u32)dev % NATXDP_DEVS_MAX];
}

/*
 * What a checksum at @offset + 16 or 6, which is to be completed, will then add
 * to a sum over it; -EINVAL if the protocol has none. @len bytes of the frame
 * follow @offset.
 */
static __always_inline int reply_completion(hook_ctx *ctx, __u32 offset, __u32 len, __u8 proto)
{
	__be16 *check;
	int sum;

	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return -EINVAL;
	sum = sum_bytes(ctx, offset, len);
	if (sum < 0 || offset > sizeof(struct ethhdr) + 60)
		return -EINVAL;
	offset += proto == IPPROTO_TCP ? offsetof(struct tcphdr, check) :
					 offsetof(struct udphdr, check);
	check = hook_data(ctx) + offset;
	if ((void *)(check + 1) > hook_end(ctx))
		return -EINVAL;
	return csum_fold(csum_swap16(*check, ~sum));
}

/*
 * Turn a packet into the ICMP error that answers and quotes it. To be called
 * before the packet is translated, so that its sender knows the quote. Returns 0,
 * or an error if it cannot be.
 */
__noinline int reply_icmp(hook_ctx *ctx, const struct reply_icmp *what)
{
	const __u32 head = sizeof(struct iphdr) + sizeof(struct icmphdr);
	void *data = hook_data(ctx), *end = hook_end(ctx);
	struct ethhdr *eth = data, saved;
	struct iphdr *ip = (void *)(eth + 1), outer = {};
	enum hook_sum known = hook_sum(ctx);
	struct icmphdr icmp = {};
	__u32 quote, ihl;
	int sum, later = 0;
	__u8 proto;

	if (!what || (void *)(ip + 1) > end)
		return -EINVAL;
	__builtin_memcpy(&saved, eth, sizeof(saved));
	ihl = ip->ihl * 4;
	proto = ip->protocol;
	quote = hook_total_len(ctx, ip->tot_len);
	if (quote > REPLY_QUOTE)
		quote = REPLY_QUOTE;
	reply_ip(&outer, IPPROTO_ICMP, head + quote, reply_source(ctx, ip->daddr), ip->saddr);
	icmp.type = what->type;
	icmp.code = what->code;
	icmp.sequence = bpf_htons(what->mtu); /* where "fragmentation needed" has it */
	if (hook_resize(ctx, sizeof(saved) + quote))
		return -EINVAL;
	sum = sum_bytes(ctx, sizeof(saved), quote);
	if (known == HOOK_SUM_PARTIAL)
		later = reply_completion(ctx, sizeof(saved) + ihl, quote - ihl, proto);
	if (sum < 0 || later < 0 || hook_push(ctx, head, known))
		return -EINVAL;
	icmp.checksum = ~csum_fold(sum + later + csum_header(&icmp, sizeof(icmp)));
	data = hook_data(ctx);
	end = hook_end(ctx);
	if (data + sizeof(saved) + head > end)
		return -EINVAL;
	__builtin_memcpy(data, &saved, sizeof(saved));
	eth_swap(data);
	__builtin_memcpy(data + sizeof(saved), &outer, sizeof(outer));
	__builtin_memcpy(data + sizeof(saved) + sizeof(outer), &icmp, sizeof(icmp));
	return 0;
}

#endif
