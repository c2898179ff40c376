/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One rewrite for both directions: the entry holds the whole new tuple and
 * what it does to the checksums. Checksums are updated, never computed over
 * the payload (RFC 1624), so a packet that was broken stays broken.
 */
#ifndef NATXDP_REWRITE_BPF_H
#define NATXDP_REWRITE_BPF_H

#include <linux/errno.h>

#include "parse.bpf.h"

static __always_inline __u16 csum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* What replacing a 32-bit word adds to the one's complement sum of all words. */
static __always_inline __u32 csum_swap32(__be32 from, __be32 to)
{
	return (~from & 0xffff) + (~from >> 16) + (to & 0xffff) + (to >> 16);
}

static __always_inline __u32 csum_swap16(__be16 from, __be16 to)
{
	return (__u16)~from + to;
}

/* Add what the sum of the words has grown by to a checksum field. */
static __always_inline __u16 csum_add(__u16 check, __u32 delta)
{
	return ~csum_fold((__u16)~check + delta);
}

/* The translated tuple of an entry. */
static __always_inline __be32 new_saddr(const struct natxdp_flow *f)
{
	return natxdp_new_saddr(f, TUNNEL_FLOWS);
}

static __always_inline __be32 new_daddr(const struct natxdp_flow *f)
{
	return natxdp_new_daddr(f, TUNNEL_FLOWS);
}

static __always_inline __be16 new_sport(const struct natxdp_flow *f)
{
	return natxdp_new_sport(f, TUNNEL_FLOWS);
}

static __always_inline __be16 new_dport(const struct natxdp_flow *f)
{
	return natxdp_new_dport(f, TUNNEL_FLOWS);
}

/* Fill in the checksum deltas of an entry whose tuples are complete. */
static __always_inline void rewrite_prepare(struct natxdp_flow *f)
{
	__u32 addrs, ports;

	addrs = csum_swap32(f->key.saddr, new_saddr(f)) + csum_swap32(f->key.daddr, new_daddr(f));
	ports = csum_swap16(f->key.sport, new_sport(f)) + csum_swap16(f->key.dport, new_dport(f));
	f->l3_delta = csum_fold(addrs);
	/* ICMP over IPv4 has no pseudo header */
	f->l4_delta = csum_fold(f->key.proto == IPPROTO_ICMP ? ports : addrs + ports);
}

/*
 * What becomes of a checksum that covers the addresses. One that is to be
 * completed later is the plain sum of the pseudo header yet, without the ports.
 */
static __always_inline __u16 rewrite_check(hook_ctx *ctx, __u16 check, const struct natxdp_flow *f)
{
	enum hook_sum sum = hook_sum(ctx);

	if (sum == HOOK_SUM_PARTIAL)
		return csum_fold(check + f->l3_delta);
	if (sum == HOOK_SUM_COMPLETE) /* what the field takes back are the addresses */
		hook_sum_add(ctx, (__u16)~f->l3_delta);
	return csum_add(check, f->l4_delta);
}

/*
 * The comparisons with the end are for the verifier, which forgets between
 * parsing and here how long the header is.
 */
static __always_inline int rewrite_l4(hook_ctx *ctx, const struct packet *pkt,
				      const struct natxdp_flow *f)
{
	struct tcphdr *tcp = pkt->l4;
	struct udphdr *udp = pkt->l4;
	struct icmphdr *icmp = pkt->l4;

	switch (pkt->ip->protocol) {
	case IPPROTO_TCP:
		if ((void *)(tcp + 1) > pkt->end)
			return -EINVAL;
		tcp->source = new_sport(f);
		tcp->dest = new_dport(f);
		tcp->check = rewrite_check(ctx, tcp->check, f);
		return 0;
	case IPPROTO_UDP:
		if ((void *)(udp + 1) > pkt->end)
			return -EINVAL;
		udp->source = new_sport(f);
		udp->dest = new_dport(f);
		if (!udp->check) { /* the sender made none */
			if (hook_sum(ctx) == HOOK_SUM_COMPLETE)
				hook_sum_add(ctx, f->l4_delta + (__u16)~f->l3_delta);
			return 0;
		}
		udp->check = rewrite_check(ctx, udp->check, f);
		if (!udp->check)
			udp->check = 0xffff;
		return 0;
	case IPPROTO_ICMP:
		if ((void *)(icmp + 1) > pkt->end)
			return -EINVAL;
		/* one of the two is 0, see struct natxdp_key */
		icmp->id = new_sport(f) | new_dport(f);
		icmp->checksum = csum_add(icmp->checksum, f->l4_delta);
		return 0;
	}
	return 0; /* translated by address alone */
}

/* One hop less, as a router does. */
static __always_inline void rewrite_ttl(struct iphdr *ip)
{
	ip->ttl--;
	/* the TTL is the high byte of its word */
	ip->check = csum_add(ip->check, (__u16)~bpf_htons(0x0100));
}

/* The new tuple. Returns 0, or an error with the packet untouched. */
static __always_inline int rewrite(hook_ctx *ctx, const struct packet *pkt,
				   const struct natxdp_flow *f)
{
	struct iphdr *ip = pkt->ip;
	int err;

	err = pkt->kind == PACKET_FRAGMENT ? 0 : rewrite_l4(ctx, pkt, f);
	if (err)
		return err;
	ip->saddr = new_saddr(f);
	ip->daddr = new_daddr(f);
	ip->check = csum_add(ip->check, f->l3_delta);
	return 0;
}

#endif
