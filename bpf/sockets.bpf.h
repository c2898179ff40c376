/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The host's own sockets. What belongs to one is left to the kernel, and no
 * flow gets its external end. host_ports says where the host may open sockets
 * while the NAT runs; this sees those that are open, wherever they are. Only
 * packets without a flow come here.
 */
#ifndef NATXDP_SOCKETS_BPF_H
#define NATXDP_SOCKETS_BPF_H

#include "maps.bpf.h"
#include "parse.bpf.h"

_Static_assert(offsetof(struct natxdp_key, saddr) == 0 && offsetof(struct natxdp_key, daddr) == 4 &&
		       offsetof(struct natxdp_key, sport) == 8 &&
		       offsetof(struct natxdp_key, dport) == 10,
	       "a key begins as the IPv4 part of struct bpf_sock_tuple does");

static __always_inline int port_is_host(__u32 port)
{
	struct natxdp_host_ports *ports;
	__u32 zero = 0;

	ports = bpf_map_lookup_elem(&host_ports, &zero);
	return ports && (ports->word[(port >> 6) & 1023] >> (port & 63) & 1);
}

/*
 * Would the kernel give a packet with this key to a socket? With no remote end
 * only sockets that hear everybody count. TCP by the lookup that also finds
 * connections in the making and in TIME_WAIT. It looks in the namespace of the
 * interface, and for sockets that are bound to no other one.
 */
__noinline int host_owns(hook_ctx *ctx, const struct natxdp_key *key)
{
	const __u32 size = sizeof(((struct bpf_sock_tuple *)0)->ipv4);
	struct bpf_sock *sk;

	if (!key)
		return 0;
	if (key->proto == IPPROTO_TCP)
		sk = bpf_skc_lookup_tcp(ctx, (void *)key, size, BPF_F_CURRENT_NETNS, 0);
	else if (key->proto == IPPROTO_UDP)
		sk = bpf_sk_lookup_udp(ctx, (void *)key, size, BPF_F_CURRENT_NETNS, 0);
	else
		return 0;
	if (!sk)
		return 0;
	bpf_sk_release(sk);
	return 1;
}

#endif
