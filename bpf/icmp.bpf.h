/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * ICMP errors about flows. An error quotes a packet that went the other way,
 * so the reverse of the quoted tuple is the key of the entry that tells how
 * to translate the error, and the quote with it (RFC 5508, section 4). Errors
 * refresh nothing and end nothing (RFC 4787, REQ-12; RFC 5382, REQ-10).
 */
#ifndef NATXDP_ICMP_BPF_H
#define NATXDP_ICMP_BPF_H

#include "bring.bpf.h"
#include "bytes.bpf.h"
#include "classify.bpf.h"
#include "open.bpf.h"
#include "table.bpf.h"

/* Where the parts of an error are in the frame, as the verifier has seen them. */
struct icmp_error {
	struct iphdr *ip;
	struct icmphdr *icmp;
	struct iphdr *quoted;
	void *quoted_l4; /* 8 bytes of it */
	void *end;
	__u32 icmp_offset;
	__u32 quoted_offset;
	__u32 len; /* of the ICMP message */
};

/* Returns 0, or -EINVAL if something is missing or no IPv4. */
static __always_inline int icmp_error_parse(hook_ctx *ctx, struct icmp_error *e)
{
	void *data = hook_data(ctx);
	__u32 ihl, quoted_ihl;

	e->end = hook_end(ctx);
	e->ip = data + sizeof(struct ethhdr);
	if ((void *)(e->ip + 1) > e->end)
		return -EINVAL;
	ihl = e->ip->ihl * 4;
	e->icmp_offset = sizeof(struct ethhdr) + ihl;
	e->icmp = (void *)e->ip + ihl;
	e->quoted = (void *)(e->icmp + 1);
	if ((void *)(e->quoted + 1) > e->end)
		return -EINVAL;
	quoted_ihl = e->quoted->ihl * 4;
	e->quoted_offset = e->icmp_offset + sizeof(*e->icmp);
	e->quoted_l4 = (void *)e->quoted + quoted_ihl;
	e->len = bpf_ntohs(e->ip->tot_len) - ihl;
	if (e->quoted->version != 4 || quoted_ihl < sizeof(*e->quoted) ||
	    e->quoted_l4 + 8 > e->end || e->len < sizeof(*e->icmp) + quoted_ihl + 8)
		return -EINVAL;
	return 0;
}

/* RFC 5508, REQ-3: the message and the quoted header, not the quoted transport. */
static __always_inline int icmp_error_sound(hook_ctx *ctx, const struct icmp_error *e)
{
	return sum_bytes(ctx, e->icmp_offset, e->len) == 0xffff &&
	       sum_bytes(ctx, e->quoted_offset, e->quoted->ihl * 4) == 0xffff;
}

/* The key of the packets that go where the error goes. Returns 0, or -EINVAL. */
static __always_inline int icmp_error_key(const struct icmp_error *e, struct natxdp_key *key)
{
	const struct icmphdr *echo = e->quoted_l4;
	const __be16 *ports = e->quoted_l4;

	/*
	 * An error goes to who sent the packet that it quotes. Only of a first
	 * fragment the ports are there, and about no other errors are sent.
	 */
	if (e->ip->daddr != e->quoted->saddr || e->quoted->frag_off & bpf_htons(IP_OFFSET_MASK))
		return -EINVAL;
	key->saddr = e->quoted->daddr;
	key->daddr = e->quoted->saddr;
	key->sport = 0;
	key->dport = 0;
	key->proto = e->quoted->protocol;
	switch (key->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		key->sport = ports[1];
		key->dport = ports[0];
		return 0;
	case IPPROTO_ICMP:
		/* what answers a request is a reply, see struct natxdp_key */
		if (echo->type == ICMP_ECHO)
			key->dport = echo->id;
		else if (echo->type == ICMP_ECHOREPLY)
			key->sport = echo->id;
		else
			return -EINVAL;
		return 0;
	}
	return 0; /* no ports */
}

enum { TCP_CHECK_END = offsetof(struct tcphdr, check) + sizeof(__sum16) };

/* Replace a checksum field. Returns what that adds to a sum over it. */
static __always_inline __u32 icmp_fix_check(__u16 *check, __u32 delta)
{
	__u16 old = *check;

	*check = csum_add(old, delta);
	return csum_swap16(old, *check);
}

/*
 * Translate the ports and the checksum of the quoted transport header, as far
 * as it is there: the checksum of TCP ends with the 18th byte. Returns what the change
 * adds to the sum of the ICMP message.
 */
static __always_inline __u32 icmp_translate_l4(const struct icmp_error *e,
					       const struct natxdp_flow *f, __u32 addrs)
{
	__be16 *ports = e->quoted_l4;
	struct icmphdr *echo = e->quoted_l4;
	struct udphdr *udp = e->quoted_l4;
	struct tcphdr *tcp = e->quoted_l4;
	__u32 delta;

	if (e->quoted->protocol == IPPROTO_ICMP) {
		delta = csum_swap16(echo->id, new_sport(f) | new_dport(f));
		echo->id = new_sport(f) | new_dport(f);
		return delta + icmp_fix_check(&echo->checksum, delta);
	}
	if (e->quoted->protocol != IPPROTO_TCP && e->quoted->protocol != IPPROTO_UDP)
		return 0;
	delta = csum_swap16(ports[0], new_dport(f)) + csum_swap16(ports[1], new_sport(f));
	ports[0] = new_dport(f);
	ports[1] = new_sport(f);
	if (e->quoted->protocol == IPPROTO_UDP) {
		if (!udp->check) /* the sender made none */
			return delta;
		delta += icmp_fix_check(&udp->check, csum_fold(addrs + delta));
		if (!udp->check) /* the other zero: it adds nothing to a sum */
			udp->check = 0xffff;
		return delta;
	}
	if ((void *)tcp + TCP_CHECK_END <= e->end &&
	    e->len >= sizeof(struct icmphdr) + e->quoted->ihl * 4 + TCP_CHECK_END)
		delta += icmp_fix_check(&tcp->check, csum_fold(addrs + delta));
	return delta;
}

static __always_inline void icmp_translate(struct icmp_error *e, const struct natxdp_flow *f)
{
	struct iphdr *quoted = e->quoted;
	__be32 source = e->ip->saddr;
	__u32 addrs, delta;

	addrs = csum_swap32(quoted->saddr, new_daddr(f)) + csum_swap32(quoted->daddr, new_saddr(f));
	quoted->saddr = new_daddr(f);
	quoted->daddr = new_saddr(f);
	delta = csum_fold(addrs) + icmp_fix_check(&quoted->check, csum_fold(addrs));
	delta += icmp_translate_l4(e, f, csum_fold(addrs));
	icmp_fix_check(&e->icmp->checksum, csum_fold(delta));

	/* a router on the outside keeps its address, one on the inside is hidden */
	if (!(f->flags & NATXDP_FLOW_INBOUND) || f->flags & NATXDP_FLOW_HAIRPIN)
		source = new_saddr(f);
	addrs = csum_swap32(e->ip->saddr, source) + csum_swap32(e->ip->daddr, new_daddr(f));
	e->ip->saddr = source;
	e->ip->daddr = new_daddr(f);
	icmp_fix_check(&e->ip->check, csum_fold(addrs));
}

/*
 * An error about no flow of ours: the host's own business, or nobody's. The
 * host's own are those about packets that came from a port or a socket of the
 * host.
 */
static __always_inline int icmp_error_unknown(hook_ctx *ctx, const struct natxdp_key *key)
{
	if (!bpf_map_lookup_elem(&own_addrs, &key->daddr))
		return NATXDP_DROP_ICMP;
	if (key->proto != IPPROTO_ICMP && !port_is_host(bpf_ntohs(key->dport)) &&
	    !host_owns(ctx, key))
		return NATXDP_DROP_ICMP;
	return NATXDP_PASS_HOST;
}

/*
 * Translate an ICMP error in place, all but TTL and Ethernet. Returns the slot
 * of the entry by which it goes on, or a reason as not_opened().
 */
__noinline int icmp_error(hook_ctx *ctx, __u32 side, __u32 tenant)
{
	struct natxdp_key key = { .side = side, .tenant = tenant };
	struct icmp_error e = {};
	struct natxdp_flow *f;
	__u32 slot;

	if (icmp_error_parse(ctx, &e))
		return not_opened(NATXDP_DROP_MALFORMED);
	key.saddr = e.ip->saddr;
	key.daddr = e.ip->daddr;
	/* no error is sent to many (RFC 1122, section 3.2.2) */
	if (is_forged(&key) || (key.daddr & IP_MULTICAST_MASK) == IP_MULTICAST_NET)
		return not_opened(NATXDP_DROP_MARTIAN);
	if (!icmp_error_sound(ctx, &e))
		return not_opened(NATXDP_DROP_CHECKSUM);
	if (icmp_error_key(&e, &key))
		return not_opened(NATXDP_DROP_ICMP);
	slot = flow_find(&key);
	f = slot == NATXDP_SLOT_NONE ? NULL : flow_at(slot);
	if (!f) {
		bring_later(&key);
		return not_opened(icmp_error_unknown(ctx, &key));
	}
	icmp_translate(&e, f);
	return slot;
}

#endif
