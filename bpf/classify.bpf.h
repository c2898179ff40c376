/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What to do with a packet that has no flow. Pure decision: nothing is
 * changed here. What comes from the outside is dropped unless it is the
 * host's own; what comes from the inside and leaves is to be translated.
 */
#ifndef NATXDP_CLASSIFY_BPF_H
#define NATXDP_CLASSIFY_BPF_H

#include "parse.bpf.h"
#include "ports.bpf.h"
#include "tcp.bpf.h"

/* What classify() returns beside reasons. */
enum {
	CLASSIFY_LEAVING = -1,	/* to be translated: open a flow */
	CLASSIFY_INVITED = -2,	/* from the outside, to an endpoint-independent mapping perhaps */
	CLASSIFY_HAIRPIN = -3,	/* from the inside to another inside host's mapping perhaps */
	CLASSIFY_UNWANTED = -4, /* from the outside: dropped, if no socket of the host hears it */
};

static __always_inline int class_of(__u8 proto)
{
	return proto == IPPROTO_TCP  ? NATXDP_CLASS_TCP :
	       proto == IPPROTO_ICMP ? NATXDP_CLASS_ICMP :
				       NATXDP_CLASS_UDP;
}

/* Addresses that no packet on the wire may have (RFC 1122, 3.2.1.3; RFC 6890). */
static __always_inline int is_martian(__be32 addr)
{
	__u8 first = bpf_ntohl(addr) >> 24;

	return first == 0 || first == 127 || first >= 240;
}

/*
 * A source that cannot be: multicast, ourselves, or the destination itself (land). Behind a
 * tunnel another host may have our address.
 */
static __always_inline int is_forged(const struct natxdp_key *key)
{
	return is_martian(key->saddr) || is_martian(key->daddr) || key->saddr == key->daddr ||
	       (key->saddr & IP_MULTICAST_MASK) == IP_MULTICAST_NET ||
	       (!(TUNNEL_FLOWS && natxdp_is_tunnel(key->tenant)) &&
		bpf_map_lookup_elem(&own_addrs, &key->saddr));
}

/* From the outside to an address of this host: default deny. */
static __always_inline int classify_own(const struct natxdp_key *key, enum packet_kind kind,
					__u8 tcp_flags, const struct natxdp_config *cfg)
{
	int class = class_of(key->proto);

	if (kind != PACKET_PORTS)
		return kind == PACKET_FRAGMENT ? NATXDP_DROP_FRAGMENT : NATXDP_DROP_PROTOCOL;
	if (key->proto == IPPROTO_ICMP) /* the answer to a ping of the host itself */
		return tcp_flags & TCP_ACK ? NATXDP_PASS_HOST : NATXDP_DROP_UNSOLICITED;
	if (port_is_host(bpf_ntohs(key->dport)))
		return NATXDP_PASS_HOST;
	if (cfg->active && cfg->mapping[class] &&
	    cfg->filtering[class] != NATXDP_FILTERING_ENDPOINT_DEPENDENT &&
	    (key->proto != IPPROTO_TCP || tcp_is_opening(tcp_flags)))
		return CLASSIFY_INVITED;
	return CLASSIFY_UNWANTED;
}

/* From the inside to an address of this host. */
static __always_inline int classify_turning(const struct natxdp_key *key, enum packet_kind kind,
					    const struct natxdp_config *cfg, __u32 pool)
{
	if (cfg->active && cfg->features & NATXDP_HAIRPIN && pool != NATXDP_OWN_ADDR &&
	    kind == PACKET_PORTS && key->proto != IPPROTO_ICMP &&
	    cfg->mapping[class_of(key->proto)] && !port_is_host(bpf_ntohs(key->dport)))
		return CLASSIFY_HAIRPIN;
	return NATXDP_PASS_HOST;
}

static __always_inline int classify_tcp(__u8 tcp_flags, __u32 midstream)
{
	if (tcp_is_opening(tcp_flags))
		return CLASSIFY_LEAVING;
	if (tcp_flags & TCP_RST || midstream == NATXDP_MIDSTREAM_DROP)
		return NATXDP_DROP_MIDSTREAM;
	if (midstream == NATXDP_MIDSTREAM_ADOPT)
		return CLASSIFY_LEAVING;
	return NATXDP_REPLY_RST;
}

/* Protocols without ports whose checksums, if they have any, do not cover addresses. */
static __always_inline int is_bare(__u8 proto)
{
	switch (proto) {
	case IPPROTO_IPIP:
	case IPPROTO_IPV6:
	case IPPROTO_GRE:
	case IPPROTO_ESP:
	case IPPROTO_L2TP:
	case IPPROTO_SCTP:
		return 1;
	}
	return 0;
}

/* From the inside to the outside. */
static __always_inline int classify_leaving(const struct natxdp_key *key, enum packet_kind kind,
					    __u8 tcp_flags, const struct natxdp_config *cfg)
{
	if (!cfg->active)
		return NATXDP_DROP_INACTIVE;
	if (bpf_map_lookup_elem(&blocked, &key->saddr))
		return NATXDP_DROP_BLOCKED;
	if (kind == PACKET_FRAGMENT)
		return NATXDP_DROP_FRAGMENT;
	if (kind == PACKET_BARE && cfg->features & NATXDP_OTHER_PROTOCOLS && is_bare(key->proto))
		return CLASSIFY_LEAVING;
	if (kind != PACKET_PORTS)
		return NATXDP_DROP_PROTOCOL;
	if (key->proto == IPPROTO_TCP)
		return classify_tcp(tcp_flags, cfg->tcp_midstream);
	if (key->proto == IPPROTO_ICMP && tcp_flags & TCP_ACK)
		return NATXDP_DROP_MIDSTREAM; /* an echo reply that nobody asked for */
	return CLASSIFY_LEAVING;
}

/* Returns one of CLASSIFY_*, or the reason with which the packet ends. */
static __always_inline int classify(const struct natxdp_key *key, enum packet_kind kind,
				    __u8 tcp_flags, const struct natxdp_config *cfg)
{
	int from_inside;
	__u32 *own;

	if ((key->daddr & IP_MULTICAST_MASK) == IP_MULTICAST_NET || key->daddr == IP_BROADCAST)
		return NATXDP_PASS_NOT_UNICAST;
	if (is_forged(key))
		return NATXDP_DROP_MARTIAN;
	/* a DHCP server may answer to an address that the host does not have yet */
	from_inside = key->side != NATXDP_SIDE_OUTSIDE && in_prefixes(&inside_nets, key->saddr);
	if (key->proto == IPPROTO_UDP && key->dport == UDP_BOOTPC && key->sport == bpf_htons(67) &&
	    kind == PACKET_PORTS && key->side != NATXDP_SIDE_INSIDE && !from_inside &&
	    !in_prefixes(&inside_nets, key->daddr))
		return NATXDP_PASS_HOST;

	if (TUNNEL_FLOWS && natxdp_is_tunnel(key->tenant) && from_inside &&
	    in_prefixes(&no_nat_nets, key->daddr))
		return NATXDP_PASS_NO_NAT;
	own = bpf_map_lookup_elem(&own_addrs, &key->daddr);
	if (own) {
		if (from_inside || key->side == NATXDP_SIDE_INSIDE)
			return classify_turning(key, kind, cfg,
						from_inside ? *own : NATXDP_OWN_ADDR);
		return classify_own(key, kind, tcp_flags, cfg);
	}
	if (key->side == NATXDP_SIDE_OUTSIDE)
		return NATXDP_DROP_UNSOLICITED;
	if (!from_inside) {
		if (key->side == NATXDP_SIDE_SINGLE && in_prefixes(&inside_nets, key->daddr))
			return NATXDP_DROP_UNSOLICITED;
		return NATXDP_DROP_SOURCE;
	}
	if (in_prefixes(&no_nat_nets, key->daddr))
		return NATXDP_PASS_NO_NAT;
	return classify_leaving(key, kind, tcp_flags, cfg);
}

#endif
