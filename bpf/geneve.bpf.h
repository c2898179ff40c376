/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * GENEVE as a Gateway Load Balancer speaks it (include/natxdp/tunnel.h): read
 * and written, nothing more. The options may come in any order and go back in that order.
 */
#ifndef NATXDP_GENEVE_BPF_H
#define NATXDP_GENEVE_BPF_H

#include <natxdp/tunnel.h>

#include "parse.bpf.h"
#include "reply.bpf.h"

struct geneve {
	__u8 version_len; /* 2 bits, and 6 of the length of the options in words */
	__u8 flags;
	__be16 proto; /* EtherType of the inner packet */
	__u8 vni[3];
	__u8 reserved;
};

struct geneve_option {
	__be16 class;
	__u8 type;
	__u8 len; /* 5 bits: words of the body */
	__be32 body[];
};

enum geneve_limits {
	GENEVE_OFFSET = sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct udphdr),
	GENEVE_OPTIONS = GENEVE_OFFSET + NATXDP_GENEVE_FIXED,
	GENEVE_OPTIONS_MAX = 8, /* looked at; AWS has three */
	/* bytes from the beginning of a frame on: of AWS's with the inner IP header, and at most */
	GENEVE_USUAL = sizeof(struct ethhdr) + NATXDP_TUNNEL_OVERHEAD + sizeof(struct iphdr),
	GENEVE_MAX = GENEVE_OPTIONS + 63 * 4 + sizeof(struct iphdr),
	GENEVE_CONTROL = 0x80,
	GENEVE_CRITICAL = 0x80, /* of an option's type */
	GENEVE_WANTED = 1 << NATXDP_GENEVE_ENDPOINT | 1 << NATXDP_GENEVE_ATTACHMENT |
			1 << NATXDP_GENEVE_COOKIE,
	GENEVE_COOKIE_LAST = NATXDP_GENEVE_HEADER - 4, /* where the cookie is if it is the last */
	GENEVE_IP_FIRST = 0x45,			       /* byte of an IPv4 header without options */
};

/* Of the last word of a header: the cookie is the other half, if it is the last option. */
#define GENEVE_NOT_COOKIE bpf_cpu_to_be64(~0xffffffffull)

/* What a packet has that came in GENEVE, and where it goes back to. */
struct geneve_packet {
	struct natxdp_tunnel tunnel; /* lb, own, header and cookie_at */
	struct natxdp_label label;
	__u32 index; /* of the tunnel */
	__u32 outer; /* bytes before the inner packet, without Ethernet */
	__u32 inner; /* bytes of it, and what stands behind it in the outer packet */
	__u32 ipv6;
	__u32 at;    /* of the next option to be noted, in header */
	__u32 found; /* options, as bits */
};

/* For this file and tunnel_geneve.bpf.h: not on the stack, and the same for the whole packet. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct geneve_packet);
} geneve_packet SEC(".maps");

static __always_inline struct geneve_packet *geneve_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&geneve_packet, &zero);
}

/*
 * Is the checksum of an IPv4 header without options right? Then the sum of its words, which is not
 * 0, can be divided by 0xffff. A multiple of an odd number times that number's inverse is the
 * quotient, anything else times it is more than every quotient.
 */
static __always_inline int geneve_ip_right(const struct iphdr *ip)
{
	const __u32 *word = (const void *)ip;
	__u64 sum = (__u64)word[0] + word[1] + word[2] + word[3] + word[4];

	return sum * 0xfffefffefffeffffull <= ~0ull / 0xffff;
}

/* Is it UDP to the port of GENEVE? Of a fragment that is not the first nobody knows. */
static __always_inline int geneve_is(hook_ctx *ctx)
{
	void *eth = hook_data(ctx);
	const __be16 *type = eth + offsetof(struct ethhdr, h_proto);
	struct iphdr *ip = eth + sizeof(struct ethhdr);
	struct udphdr *udp = (void *)(ip + 1);

	if ((void *)(udp + 1) > hook_end(ctx) || ip->protocol != IPPROTO_UDP)
		return 0;
	if (*type != bpf_htons(ETH_P_IP) || ip->frag_off & bpf_htons(IP_OFFSET_MASK))
		return 0;
	if (*(__u8 *)ip != GENEVE_IP_FIRST)
		udp = (void *)ip + ip->ihl * 4;
	return (void *)(udp + 1) <= hook_end(ctx) && udp->dest == bpf_htons(NATXDP_GENEVE_PORT);
}

/*
 * A packet that looks as nearly all do: its header has three options and nothing else, with IPv4
 * behind it, all lengths and the checksum right. Returns the length of the inner packet, or 0:
 * that is for geneve_read(). The header is not looked at: it is all right if it is that
 * of a tunnel.
 */
static __always_inline __u32 geneve_read_usual(hook_ctx *ctx, struct iphdr *ip)
{
	struct udphdr *udp = (void *)(ip + 1);
	struct iphdr *inner = (void *)ip + NATXDP_TUNNEL_OVERHEAD;
	__u32 len, inner_len;

	if ((void *)(inner + 1) > hook_end(ctx))
		return 0;
	len = bpf_ntohs(ip->tot_len);
	inner_len = bpf_ntohs(inner->tot_len);
	if (*(__u8 *)ip != GENEVE_IP_FIRST || ip->frag_off & bpf_htons(IP_MORE_FRAGMENTS) ||
	    len > hook_room(ctx) || udp->len != bpf_htons(len - sizeof(*ip)) ||
	    inner->version != 4 || inner_len + NATXDP_TUNNEL_OVERHEAD > len || !geneve_ip_right(ip))
		return 0;
	return inner_len;
}

/* Of such a packet, if the cookie is its last option. */
static __always_inline struct natxdp_label geneve_usual_label(const struct iphdr *ip)
{
	const struct udphdr *udp = (const void *)(ip + 1);
	struct natxdp_label label = { .sport = udp->source };

	label.cookie = *(const __be32 *)((const void *)(udp + 1) + GENEVE_COOKIE_LAST);
	return label;
}

/* The header of the tunnel, as the answers will have it: without the options. */
static __always_inline void geneve_keep(struct natxdp_tunnel *t, const struct geneve *geneve)
{
	struct geneve *kept = (void *)t->header;

	kept->version_len = (NATXDP_GENEVE_HEADER - NATXDP_GENEVE_FIXED) / 4;
	kept->flags = 0;
	kept->proto = bpf_htons(ETH_P_IP);
	kept->vni[0] = geneve->vni[0];
	kept->vni[1] = geneve->vni[1];
	kept->vni[2] = geneve->vni[2];
	kept->reserved = 0;
}

/* The headers before the options. Returns the bytes of these, or -EINVAL. */
static __always_inline int geneve_read_fixed(hook_ctx *ctx, struct geneve_packet *p)
{
	struct iphdr *ip = hook_data(ctx) + sizeof(struct ethhdr);
	struct udphdr *udp = (void *)(ip + 1);
	struct geneve *geneve = (void *)(udp + 1);
	__u32 len, options, before = GENEVE_OPTIONS - sizeof(struct ethhdr);

	if ((void *)(geneve + 1) > hook_end(ctx) || ip->version != 4 ||
	    ip->ihl != sizeof(*ip) / 4 || ip->frag_off & bpf_htons(IP_MORE_FRAGMENTS))
		return -EINVAL;
	/* it is thrown away: nobody after us would see that it was broken */
	if (!geneve_ip_right(ip))
		return -EINVAL;
	len = bpf_ntohs(ip->tot_len);
	options = (geneve->version_len & 0x3f) * 4;
	if (len > hook_len(ctx) - sizeof(struct ethhdr) || len < before + options ||
	    bpf_ntohs(udp->len) != len - sizeof(*ip))
		return -EINVAL;
	if (geneve->version_len >> 6 || geneve->flags & GENEVE_CONTROL)
		return -EINVAL;
	p->ipv6 = geneve->proto == bpf_htons(ETH_P_IPV6);
	if (!p->ipv6 && geneve->proto != bpf_htons(ETH_P_IP))
		return -EINVAL;
	p->outer = before + options;
	p->inner = len - p->outer;
	p->label.sport = udp->source;
	p->tunnel.lb = ip->saddr;
	p->tunnel.own = ip->daddr;
	geneve_keep(&p->tunnel, geneve);
	return options;
}

/* Bytes of the body of an option of AWS. */
static __always_inline __u32 geneve_body(__u8 type)
{
	return type == NATXDP_GENEVE_COOKIE ? 4 : 8;
}

/*
 * Note an option of AWS, with 8 bytes of its body that are in the frame, perhaps not all of them
 * its own. Returns 0 or a reason.
 */
static __always_inline int geneve_note(struct geneve_packet *p, const struct geneve_option *o)
{
	__u32 at = p->at & 63, size = geneve_body(o->type);
	__be32 *to;

	if ((o->len & 0x1f) * 4 != size || p->found & 1 << o->type ||
	    at + sizeof(*o) + size > NATXDP_GENEVE_HEADER)
		return NATXDP_DROP_GENEVE_OPTION;
	to = (void *)p->tunnel.header + at;
	to[0] = *(const __be32 *)o & ~bpf_htonl(0xe0); /* reserved bits are nobody's */
	if (o->type == NATXDP_GENEVE_COOKIE) {
		to[1] = 0;
		p->label.cookie = o->body[0];
		p->tunnel.cookie_at = at + 4;
	} else {
		to[1] = o->body[0];
		to[2] = o->body[1];
	}
	p->found |= 1 << o->type;
	p->at += 4 + size;
	return 0;
}

static __always_inline int geneve_is_aws(const struct geneve_option *o)
{
	return o->class == bpf_htons(NATXDP_GENEVE_CLASS) && o->type >= NATXDP_GENEVE_ENDPOINT &&
	       o->type <= NATXDP_GENEVE_COOKIE;
}

/*
 * The options: @left bytes of them. Others than AWS's are passed over, unless
 * they are critical (RFC 8926, section 3.5.1). Returns 0 or a reason.
 */
static __always_inline int geneve_read_options(hook_ctx *ctx, struct geneve_packet *p, __u32 left)
{
	void *at = hook_data(ctx) + GENEVE_OPTIONS, *next;
	__u32 i, size;
	int reason;

#pragma clang loop unroll(disable)
	for (i = 0; i < GENEVE_OPTIONS_MAX && left; i++) {
		const struct geneve_option *o = at;

		/* behind the last option there is an IP header, or this is not one packet */
		next = at + 12;
		barrier_var(next);
		if (next > hook_end(ctx) || left < sizeof(*o))
			return NATXDP_DROP_GENEVE;
		size = sizeof(*o) + (o->len & 0x1f) * 4;
		if (size > left)
			return NATXDP_DROP_GENEVE;
		reason = 0;
		if (geneve_is_aws(o))
			reason = geneve_note(p, o);
		else if (o->type & GENEVE_CRITICAL)
			reason = NATXDP_DROP_GENEVE_OPTION;
		if (reason)
			return reason;
		left -= size;
		at += size;
	}
	return !left && p->found == GENEVE_WANTED ? 0 : NATXDP_DROP_GENEVE_OPTION;
}

/* Read the outer headers into @p. Returns 0, or the reason why the packet ends here. */
static __always_inline int geneve_read(hook_ctx *ctx, struct geneve_packet *p)
{
	int options;

	p->at = NATXDP_GENEVE_FIXED;
	p->found = 0;
	options = geneve_read_fixed(ctx, p);
	if (options < 0)
		return NATXDP_DROP_GENEVE;
	return geneve_read_options(ctx, p, options);
}

/* IPv4 from this host to the load balancer, in words: what the compiler knows needs no sum. */
static __always_inline void geneve_write_ip(struct iphdr *ip, const struct natxdp_tunnel *t,
					    __u32 len)
{
	const __be32 fragment = bpf_htonl(IP_DONT_FRAGMENT),
		     hops = bpf_htonl(REPLY_TTL << 24 | IPPROTO_UDP << 16);
	__be32 *word = (void *)ip, first = bpf_htonl(0x45000000 | len);
	__u64 sum = (__u64)fragment + hops + first + t->own + t->lb;

	word[0] = first;
	word[1] = fragment;
	word[2] = hops;
	ip->check = ~csum_fold((sum & 0xffff) + (sum >> 16));
	ip->saddr = t->own;
	ip->daddr = t->lb;
}

/* The outer headers of an answer, NATXDP_TUNNEL_OVERHEAD bytes at @ip. */
static __always_inline void geneve_write(struct iphdr *ip, const struct natxdp_tunnel *t,
					 struct natxdp_label label, __u32 inner)
{
	struct udphdr *udp = (void *)(ip + 1);
	__u64 *header = (void *)(udp + 1);
	__be32 *cookie = (void *)header;
	int i;

	geneve_write_ip(ip, t, hook_length(inner + NATXDP_TUNNEL_OVERHEAD));
	udp->source = label.sport;
	udp->dest = bpf_htons(NATXDP_GENEVE_PORT);
	udp->len = bpf_htons(hook_length(inner + NATXDP_TUNNEL_OVERHEAD - sizeof(*ip)));
	udp->check = 0; /* which RFC 8926, section 3.3, allows over IPv4 */
#pragma unroll
	for (i = 0; i < NATXDP_GENEVE_HEADER / 8; i++)
		header[i] = t->word[i];
	switch (t->cookie_at) {
	case 12:
		cookie[3] = label.cookie;
		break;
	case 24:
		cookie[6] = label.cookie;
		break;
	default:
		cookie[9] = label.cookie;
	}
}

#endif
