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

#define IP_MULTICAST_NET bpf_htonl(0xe0000000)
#define IP_MULTICAST_MASK bpf_htonl(0xf0000000)
#define IP_BROADCAST bpf_htonl(0xffffffff)
#define UDP_BOOTPC bpf_htons(68)

enum { CLASSIFY_OPEN = -1 };

static __always_inline int in_prefixes(void *lpm, __be32 addr)
{
	struct natxdp_prefix key = { .bits = 32, .addr = addr };

	return !!bpf_map_lookup_elem(lpm, &key);
}

/* From the outside to an address of this host: default deny. */
static __always_inline int classify_own(const struct natxdp_key *key, enum packet_kind kind)
{
	if (kind != PACKET_PORTS)
		return kind == PACKET_FRAGMENT ? NATXDP_DROP_FRAGMENT : NATXDP_DROP_PROTOCOL;
	if (key->proto == IPPROTO_ICMP) /* the answer to a ping of the host itself */
		return key->sport ? NATXDP_DROP_UNSOLICITED : NATXDP_PASS_HOST;
	return port_is_host(bpf_ntohs(key->dport)) ? NATXDP_PASS_HOST : NATXDP_DROP_UNSOLICITED;
}

static __always_inline int classify_tcp(__u8 tcp_flags, __u32 midstream)
{
	if (tcp_is_opening(tcp_flags))
		return CLASSIFY_OPEN;
	if (tcp_flags & TCP_RST || midstream == NATXDP_MIDSTREAM_DROP)
		return NATXDP_DROP_MIDSTREAM;
	if (midstream == NATXDP_MIDSTREAM_ADOPT)
		return CLASSIFY_OPEN;
	return NATXDP_REPLY_RST;
}

/* From the inside to the outside. */
static __always_inline int classify_leaving(const struct natxdp_key *key, enum packet_kind kind,
					    __u8 tcp_flags, const struct natxdp_config *cfg)
{
	if (!cfg->active)
		return NATXDP_DROP_INACTIVE;
	if (kind != PACKET_PORTS)
		return kind == PACKET_FRAGMENT ? NATXDP_DROP_FRAGMENT : NATXDP_DROP_PROTOCOL;
	if (key->proto == IPPROTO_TCP)
		return classify_tcp(tcp_flags, cfg->tcp_midstream);
	if (key->proto == IPPROTO_ICMP && !key->sport)
		return NATXDP_DROP_MIDSTREAM; /* an echo reply that nobody asked for */
	return CLASSIFY_OPEN;
}

/* Returns CLASSIFY_OPEN, or the reason with which the packet ends. */
static __always_inline int classify(const struct natxdp_key *key, enum packet_kind kind,
				    __u8 tcp_flags, const struct natxdp_config *cfg)
{
	int from_inside;

	if ((key->daddr & IP_MULTICAST_MASK) == IP_MULTICAST_NET || key->daddr == IP_BROADCAST)
		return NATXDP_PASS_NOT_UNICAST;
	/* a DHCP server may answer to an address that the host does not have yet */
	if (key->proto == IPPROTO_UDP && key->dport == UDP_BOOTPC && kind == PACKET_PORTS &&
	    key->side != NATXDP_SIDE_INSIDE)
		return NATXDP_PASS_HOST;

	from_inside = key->side != NATXDP_SIDE_OUTSIDE && in_prefixes(&inside_nets, key->saddr);
	if (bpf_map_lookup_elem(&own_addrs, &key->daddr)) {
		if (from_inside || key->side == NATXDP_SIDE_INSIDE)
			return NATXDP_PASS_HOST;
		return classify_own(key, kind);
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
