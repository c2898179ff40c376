/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * An internet gateway: elastic IPs stand for private addresses one to one, and
 * nothing else passes. There is no state but the two maps, so what user space
 * writes there is true for the next packet. Attached by tc, on the way in from
 * the VPC and on the way in from the internet.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum {
	IGW_MTU = 1500,
	IP_OFF = sizeof(struct ethhdr),
	FRAG_OFFSET = 0x1fff,
	DONT_FRAGMENT = 0x4000,
	/* linux/icmp.h includes headers of libc */
	ICMP_DEST_UNREACH = 3,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETERPROB = 12,
	ICMP_CHECKSUM = 2,
	ICMP_SIZE = 8,
};

/* What became of packets; gateway.py has the same list. */
enum count { OUT, IN, OUT_UNASSOCIATED, IN_UNASSOCIATED, TOO_BIG, MALFORMED, COUNTS };

struct addresses {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __be32);
	__type(value, __be32);
};

struct addresses public_of SEC(".maps"), private_of SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static __always_inline int finish(enum count what, int verdict)
{
	__u32 key = what;
	__u64 *counter = bpf_map_lookup_elem(&counts, &key);

	if (counter)
		__sync_fetch_and_add(counter, 1);
	return verdict;
}

/* The checksum of a UDP header, which may be absent. */
static __always_inline void mend_udp(struct __sk_buff *skb, __u32 at, __be32 old, __be32 new)
{
	bpf_l4_csum_replace(skb, at + offsetof(struct udphdr, check), old, new,
			    BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0 | sizeof(old));
}

/* Replaces the address at @field of the header @ip, which starts at @at. */
static __always_inline void replace(struct __sk_buff *skb, __u32 at, const struct iphdr *ip,
				    __u32 field, __be32 old, __be32 new)
{
	__u32 l4 = at + ip->ihl * 4;

	bpf_l3_csum_replace(skb, at + offsetof(struct iphdr, check), old, new, sizeof(old));
	if (!(ip->frag_off & bpf_htons(FRAG_OFFSET))) {
		if (ip->protocol == IPPROTO_TCP)
			bpf_l4_csum_replace(skb, l4 + offsetof(struct tcphdr, check), old, new,
					    BPF_F_PSEUDO_HDR | sizeof(old));
		else if (ip->protocol == IPPROTO_UDP)
			mend_udp(skb, l4, old, new);
	}
	bpf_skb_store_bytes(skb, at + field, &new, sizeof(new), 0);
}

/*
 * An ICMP error quotes a packet of the other direction. Its header keeps its
 * sum, since its checksum makes up for the address; that of a UDP header in it
 * changes, and the outer one with it.
 */
static __always_inline void replace_quoted(struct __sk_buff *skb, __u32 icmp, __u32 field,
					   __be32 old, __be32 new)
{
	__u32 at = icmp + ICMP_SIZE;
	__u16 before = 0, after = 0;
	struct iphdr quoted;
	__be32 address;
	__u32 udp;

	if (bpf_skb_load_bytes(skb, at, &quoted, sizeof(quoted)))
		return;
	address = field == offsetof(struct iphdr, saddr) ? quoted.saddr : quoted.daddr;
	if (address != old)
		return;
	udp = at + quoted.ihl * 4 + offsetof(struct udphdr, check);
	bpf_l3_csum_replace(skb, at + offsetof(struct iphdr, check), old, new, sizeof(old));
	bpf_skb_store_bytes(skb, at + field, &new, sizeof(new), 0);
	if (quoted.protocol != IPPROTO_UDP || bpf_skb_load_bytes(skb, udp, &before, 2))
		return;
	mend_udp(skb, at + quoted.ihl * 4, old, new);
	bpf_skb_load_bytes(skb, udp, &after, 2);
	bpf_l4_csum_replace(skb, icmp + ICMP_CHECKSUM, before, after, 2);
}

static __always_inline bool is_error(struct __sk_buff *skb, const struct iphdr *ip, __u32 icmp)
{
	__u8 type;

	if (ip->protocol != IPPROTO_ICMP || ip->frag_off & bpf_htons(FRAG_OFFSET) ||
	    bpf_skb_load_bytes(skb, icmp, &type, sizeof(type)))
		return false;
	return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED ||
	       type == ICMP_PARAMETERPROB;
}

SEC("tc")
int igw_out(struct __sk_buff *skb)
{
	__be32 *public, *private;
	struct iphdr ip;
	__u32 l4;

	if (skb->protocol != bpf_htons(ETH_P_IP))
		return TC_ACT_OK; /* ARP */
	if (bpf_skb_load_bytes(skb, IP_OFF, &ip, sizeof(ip)) || ip.ihl < 5)
		return finish(MALFORMED, TC_ACT_SHOT);
	public = bpf_map_lookup_elem(&public_of, &ip.saddr);
	if (!public)
		return finish(OUT_UNASSOCIATED, TC_ACT_SHOT);
	if (bpf_ntohs(ip.tot_len) > IGW_MTU && ip.frag_off & bpf_htons(DONT_FRAGMENT))
		return finish(TOO_BIG, TC_ACT_SHOT);
	l4 = IP_OFF + ip.ihl * 4;
	replace(skb, IP_OFF, &ip, offsetof(struct iphdr, saddr), ip.saddr, *public);
	if (is_error(skb, &ip, l4))
		replace_quoted(skb, l4, offsetof(struct iphdr, daddr), ip.saddr, *public);
	/* one elastic IP to another never leaves AWS */
	private = bpf_map_lookup_elem(&private_of, &ip.daddr);
	if (private)
		replace(skb, IP_OFF, &ip, offsetof(struct iphdr, daddr), ip.daddr, *private);
	return finish(OUT, TC_ACT_OK);
}

SEC("tc")
int igw_in(struct __sk_buff *skb)
{
	struct iphdr ip;
	__be32 *private;
	__u32 l4;

	if (skb->protocol != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	if (bpf_skb_load_bytes(skb, IP_OFF, &ip, sizeof(ip)) || ip.ihl < 5)
		return finish(MALFORMED, TC_ACT_SHOT);
	private = bpf_map_lookup_elem(&private_of, &ip.daddr);
	if (!private)
		return finish(IN_UNASSOCIATED, TC_ACT_SHOT);
	l4 = IP_OFF + ip.ihl * 4;
	replace(skb, IP_OFF, &ip, offsetof(struct iphdr, daddr), ip.daddr, *private);
	if (is_error(skb, &ip, l4))
		replace_quoted(skb, l4, offsetof(struct iphdr, saddr), ip.daddr, *private);
	return finish(IN, TC_ACT_OK);
}

char _license[] SEC("license") = "Dual BSD/GPL";
