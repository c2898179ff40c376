/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Behind a Gateway Load Balancer: the packets of the inside come and go in GENEVE
 * (RFC 8926), outer IPv4 and UDP to port 6081, an IP packet without Ethernet inside.
 * AWS's header has three options of class 0x0108: 1 is the endpoint (8 bytes), 2 the
 * attachment (8 bytes), 3 the cookie of the flow (4 bytes). All of them go back
 * unchanged, between the same outer ports; the outer addresses change places
 * (AWS, "Getting started with Gateway Load Balancers", and its sample appliance gwlbtun).
 *
 * A tunnel is all of this but what is of one flow: that is the flow's label
 * (natxdp_label() in flow.h). The data plane adds a tunnel when a packet comes through it for
 * the first time; it never takes one away, so an index keeps its meaning while the map lives.
 */
#ifndef NATXDP_TUNNEL_H
#define NATXDP_TUNNEL_H

#include <natxdp/flow.h>

enum natxdp_geneve {
	NATXDP_GENEVE_PORT = 6081,
	NATXDP_GENEVE_CLASS = 0x0108, /* AWS */
	NATXDP_GENEVE_ENDPOINT = 1,   /* types of this class */
	NATXDP_GENEVE_ATTACHMENT = 2,
	NATXDP_GENEVE_COOKIE = 3,
	NATXDP_GENEVE_FIXED = 8,   /* bytes of the header without options */
	NATXDP_GENEVE_HEADER = 40, /* and with these */
	NATXDP_TUNNEL_OVERHEAD = 20 + 8 + NATXDP_GENEVE_HEADER,
	NATXDP_TUNNEL_MTU = 8500, /* of the inner packet: what the load balancer takes */
};

enum natxdp_tunnel_state {
	NATXDP_TUNNEL_EMPTY,
	NATXDP_TUNNEL_BUSY, /* in the making */
	NATXDP_TUNNEL_VALID,
};

/*
 * Map tunnels: ARRAY of NATXDP_TUNNELS_MAX, there in mode gwlb only; index 0 is not used.
 * Found by a hash of what it is; where that place is taken, in one of the next.
 */
struct natxdp_tunnel {
	union {
		struct {
			__be32 lb;  /* address of the load balancer */
			__be32 own; /* address of this host to which it sends */
		};
		__u64 ends;
	};
	union {
		/* as it came, the options in their order, with 0 for the cookie */
		__u8 header[NATXDP_GENEVE_HEADER];
		__u64 word[NATXDP_GENEVE_HEADER / 8];
	};
	__u16 cookie_at;  /* offset of the cookie in the header: 12, 24 or 36 */
	__u16 next_hop;	  /* index into the map next_hops; 0: not known yet */
	__u32 state;	  /* enum natxdp_tunnel_state */
	__u32 first_seen; /* ticks */
	__u32 reserved;
};

/* Map tunnel_counters: PERCPU_ARRAY of the same size. IP bytes of the inner packets. */
struct natxdp_tunnel_counters {
	__u64 out_packets; /* that came through the tunnel */
	__u64 out_bytes;
	__u64 in_packets; /* that were sent into it */
	__u64 in_bytes;
	__u64 flows; /* opened */
};

enum natxdp_tunnel_ipv6 {
	NATXDP_TUNNEL_IPV6_DROP,
	NATXDP_TUNNEL_IPV6_RETURN, /* back into the tunnel as it came */
};

enum { NATXDP_TUNNEL_SOURCES = 32 };

/* Map tunnel_conf: ARRAY, one element. */
struct natxdp_tunnel_conf {
	__u32 mtu;  /* of the inner packet on the way into a tunnel; 0: no limit */
	__u32 ipv6; /* enum natxdp_tunnel_ipv6 */
	__u32 sources;
	struct {
		__be32 addr;
		__be32 mask;
	} source[NATXDP_TUNNEL_SOURCES]; /* from which load balancers may send */
};

_Static_assert(sizeof(struct natxdp_tunnel) == 64, "a tunnel is one cache line");

#endif
