/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* From the bytes of a frame to the key of its flow. Nothing is read twice. */
#ifndef NATXDP_PARSE_BPF_H
#define NATXDP_PARSE_BPF_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include <natxdp/flow.h>
#include <natxdp/reasons.h>

/* <linux/icmp.h> drags in the C library's socket headers, which have no BPF target. */
enum icmp_type {
	ICMP_ECHOREPLY = 0,
	ICMP_DEST_UNREACH = 3,
	ICMP_SOURCE_QUENCH = 4,
	ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETERPROB = 12,
};

enum icmp_unreach_code {
	ICMP_FRAG_NEEDED = 4,
	ICMP_PKT_FILTERED = 13,
};

struct icmphdr {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	__be16 id; /* of an echo */
	__be16 sequence;
};

#define IP_DONT_FRAGMENT 0x4000
#define IP_MORE_FRAGMENTS 0x2000
#define IP_OFFSET_MASK 0x1fff

#define IP_MULTICAST_NET bpf_htonl(0xe0000000)
#define IP_MULTICAST_MASK bpf_htonl(0xf0000000)
#define IP_BROADCAST bpf_htonl(0xffffffff)
#define UDP_BOOTPC bpf_htons(68)

/* What stands behind the IPv4 header, as far as NAT cares. */
enum packet_kind {
	PACKET_PORTS,	 /* TCP, UDP or ICMP echo: the key is complete */
	PACKET_BARE,	 /* a protocol without ports: the key is complete, with ports 0 */
	PACKET_ERROR,	 /* an ICMP error, which quotes another packet */
	PACKET_FRAGMENT, /* not the first fragment: the ports are in another packet */
	PACKET_OTHER,	 /* ICMP that is neither an echo nor an error */
};

enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_ACK = 0x10,
};

/* A parsed frame. Pointers are into the frame and die with it. */
struct packet {
	hook_ctx *ctx;
	struct ethhdr *eth;
	struct iphdr *ip;
	void *l4; /* the whole fixed header is there when kind is PACKET_PORTS */
	void *end;
	enum packet_kind kind;
	__u32 len; /* IPv4 total length; of the frame where there is no IPv4 */
	__u32 l4_len;
	__u32 headers;	/* bytes of the headers that each segment of a merged packet has */
	__u8 tcp_flags; /* of an echo reply TCP_ACK, for it answers too */
	__u8 first;	/* fragment of a datagram; more of them follow */
	__u16 tenant;	/* the tunnel by which it came, else NATXDP_TENANT_NONE */
};

enum { PARSE_OK = -1 };

/* A reason as the return value of a function that else returns a slot. */
static __always_inline int not_opened(int reason)
{
	return -1 - reason;
}

/* Three words: clang copies the bytes of packed structs one by one. */
static __always_inline void mac_copy(void *to, const void *from)
{
	__u16 *t = to;
	const __u16 *f = from;

	t[0] = f[0];
	t[1] = f[1];
	t[2] = f[2];
}

/* Not __builtin_memcmp(): clang before 15 makes a call of it, which BPF has not. */
static __always_inline int mac_equal(const void *a, const void *b)
{
	const __u16 *x = a, *y = b;

	return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

static __always_inline int icmp_is_error(__u8 type)
{
	return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED ||
	       type == ICMP_PARAMETERPROB || type == ICMP_SOURCE_QUENCH;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "where the parts of a word stand");

/*
 * The words of a key are stored whole, as the hash reads them: a load of what was stored in
 * pieces waits until those are in the cache, 9 of 50 ns a packet. @ports as they stand in a header.
 */
static __always_inline void key_addresses(struct natxdp_key *key, const struct iphdr *ip)
{
	key->word[0] = ip->saddr | (__u64)ip->daddr << 32;
}

static __always_inline void key_rest(struct natxdp_key *key, __u8 proto, __u32 ports)
{
	key->word[1] = ports | (__u64)proto << 32 | (__u64)key->side << 40 |
		       (__u64)key->tenant << 48;
}

static __always_inline int parse_l4(struct packet *pkt, struct natxdp_key *key, __u8 proto)
{
	void *end = pkt->end;
	struct tcphdr *tcp = pkt->l4;
	struct udphdr *udp = pkt->l4;
	struct icmphdr *icmp = pkt->l4;
	__u32 ports = 0;

	pkt->kind = PACKET_PORTS;
	switch (proto) {
	case IPPROTO_TCP:
		if ((void *)(tcp + 1) > end || pkt->l4_len < sizeof(*tcp))
			return NATXDP_DROP_MALFORMED;
		ports = tcp->source | (__u32)tcp->dest << 16;
		pkt->tcp_flags = ((__u8 *)tcp)[13];
		pkt->headers += tcp->doff * 4;
		break;
	case IPPROTO_UDP:
		if ((void *)(udp + 1) > end || pkt->l4_len < sizeof(*udp))
			return NATXDP_DROP_MALFORMED;
		ports = udp->source | (__u32)udp->dest << 16;
		pkt->headers += sizeof(*udp);
		break;
	case IPPROTO_ICMP:
		if ((void *)(icmp + 1) > end || pkt->l4_len < sizeof(*icmp))
			return NATXDP_DROP_MALFORMED;
		if (icmp->type == ICMP_ECHO) {
			ports = icmp->id;
		} else if (icmp->type == ICMP_ECHOREPLY) {
			ports = (__u32)icmp->id << 16;
			pkt->tcp_flags = TCP_ACK;
		} else {
			pkt->kind = icmp_is_error(icmp->type) ? PACKET_ERROR : PACKET_OTHER;
		}
		break;
	default:
		pkt->kind = PACKET_BARE;
	}
	key_rest(key, proto, ports);
	return PARSE_OK;
}

/*
 * A frame stands for several packets of the wire where the kernel has merged
 * them, or not cut them yet (GRO, TSO). They share one header. These are asked
 * for where they are needed, because what is kept takes stack, of which there
 * is little on Linux 6.1. After an answer was made of it, a frame is one packet.
 */
static __always_inline __u32 packet_count(const struct packet *pkt)
{
	__u32 size = hook_segment_size(pkt->ctx), headers = pkt->headers;
	__u32 data = pkt->len > headers ? pkt->len - headers : 0;

	return size && data > size ? (data + size - 1) / size : 1;
}

/* Sum of their total lengths. */
static __always_inline __u32 packet_bytes(const struct packet *pkt)
{
	return pkt->len + (packet_count(pkt) - 1) * pkt->headers;
}

/* Total length of the longest. */
static __always_inline __u32 packet_longest(const struct packet *pkt)
{
	__u32 longest = pkt->headers + hook_segment_size(pkt->ctx);

	return packet_count(pkt) > 1 ? longest : pkt->len;
}

/* Returns PARSE_OK, or the reason why the packet ends here. */
static __always_inline int parse(hook_ctx *ctx, struct packet *pkt, struct natxdp_key *key)
{
	int other = hook_prepare(ctx);
	void *data = hook_data(ctx);
	void *end = hook_end(ctx);
	struct iphdr *ip;
	__u32 ihl;

	pkt->eth = data;
	pkt->end = end;
	ip = (void *)(pkt->eth + 1);
	pkt->ip = ip;
	pkt->ctx = ctx;
	pkt->len = end - data;
	if (other || (void *)ip > end || pkt->eth->h_proto != bpf_htons(ETH_P_IP)) {
		pkt->len = hook_len(ctx);
		return NATXDP_PASS_NOT_IPV4;
	}
	if ((void *)(ip + 1) > end)
		return NATXDP_DROP_MALFORMED;
	ihl = ip->ihl * 4;
	pkt->len = hook_total_len(ctx, ip->tot_len);
	if (ip->version != 4 || ihl < sizeof(*ip) || pkt->len < ihl)
		return NATXDP_DROP_MALFORMED;
	/* a frame in several buffers is longer than its linear part */
	if (pkt->len > end - (void *)ip && pkt->len > hook_len(ctx) - sizeof(struct ethhdr))
		return NATXDP_DROP_MALFORMED;

	pkt->headers = ihl;
	pkt->l4 = (void *)ip + ihl;
	pkt->l4_len = pkt->len - ihl;
	key_addresses(key, ip);
	if (ip->frag_off & bpf_htons(IP_MORE_FRAGMENTS | IP_OFFSET_MASK)) {
		if (ip->frag_off & bpf_htons(IP_OFFSET_MASK)) {
			pkt->kind = PACKET_FRAGMENT;
			key_rest(key, ip->protocol, 0);
			return PARSE_OK;
		}
		pkt->first = 1;
	}
	return parse_l4(pkt, key, ip->protocol);
}

#endif
