/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Everything that user space tells the data plane, and the small tables that
 * they share. All of it can be changed while traffic runs, except what is
 * marked fixed: that is decided by the first load and survives every upgrade.
 */
#ifndef NATXDP_CONFIG_H
#define NATXDP_CONFIG_H

#include <natxdp/flow.h>
#include <natxdp/state.h>

/* Raised whenever a map's layout or meaning changes. */
#define NATXDP_ABI 3

enum natxdp_limits {
	NATXDP_POOL_MAX = 64,	     /* external addresses; an ENI takes 50 at most */
	NATXDP_OWN_ADDRS_MAX = 1024, /* addresses of this host */
	NATXDP_PREFIXES_MAX = 1024,  /* in each prefix list */
	NATXDP_NEXT_HOPS_MAX = 16384,
	NATXDP_HOSTS_MAX = 65536, /* inside addresses with a limit */
	NATXDP_BLOCKED_MAX = 4096,
	NATXDP_DEVS_MAX = 16, /* outside and inside interfaces together */
	NATXDP_FLOWS_MIN = 1024,
	NATXDP_FLOWS_MAX = 16777216,
};

/* What to do with a TCP segment from the inside that is no SYN and has no flow. */
enum natxdp_midstream {
	NATXDP_MIDSTREAM_RESET, /* answer with RST, as the AWS NAT gateway does */
	NATXDP_MIDSTREAM_ADOPT, /* open a flow for it */
	NATXDP_MIDSTREAM_DROP,
};

/* RFC 4787, section 4.1: does the external port depend on the destination? */
enum natxdp_mapping {
	NATXDP_MAPPING_ENDPOINT_DEPENDENT,
	NATXDP_MAPPING_ENDPOINT_INDEPENDENT,
};

/* RFC 4787, section 5: who may send to a mapped port? Beyond ENDPOINT_DEPENDENT only
 * with endpoint-independent mapping. */
enum natxdp_filtering {
	NATXDP_FILTERING_ENDPOINT_DEPENDENT,
	NATXDP_FILTERING_ADDRESS_DEPENDENT,
	NATXDP_FILTERING_ENDPOINT_INDEPENDENT,
};

/* Index of what is configured by protocol. */
enum natxdp_class {
	NATXDP_CLASS_UDP,
	NATXDP_CLASS_TCP,
	NATXDP_CLASS_ICMP,
	NATXDP_CLASSES,
};

enum natxdp_features {
	NATXDP_HAIRPIN = 1 << 0,	   /* inside hosts reach each other's mapped ports */
	NATXDP_POOLING_ARBITRARY = 1 << 1, /* an inside host may have several addresses */
	NATXDP_INBOUND_REFRESH = 1 << 2,   /* packets from the outside keep a flow alive */
	NATXDP_OTHER_PROTOCOLS = 1 << 3,   /* GRE, ESP, ...: translated by address alone */
	NATXDP_POOL_GROUPS = 1 << 4,	   /* not all inside hosts use the same addresses */
	NATXDP_TUNNELS = 1 << 5, /* fixed: the inside is behind load balancers, see tunnel.h */
};

/* Map config: BPF_MAP_TYPE_ARRAY, one element. */
struct natxdp_config {
	__u32 abi;			/* fixed: NATXDP_ABI of the loader that made the maps */
	__u32 active;			/* 0: every packet passes untouched (loading, unloading) */
	__u32 two_armed;		/* fixed */
	__u32 max_flows;		/* fixed */
	__u32 pool_count;		/* elements of ext_pool in use */
	__u32 tcp_midstream;		/* enum natxdp_midstream */
	__u32 timeout[NATXDP_TIMEOUTS]; /* ticks */
	__u32 outside_ifindex;
	__u32 features;			    /* enum natxdp_features */
	__u8 mapping[NATXDP_CLASSES + 1];   /* enum natxdp_mapping */
	__u8 filtering[NATXDP_CLASSES + 1]; /* enum natxdp_filtering */
	__u32 mss_clamp;	    /* largest TCP MSS that a SYN may ask for; 0: leave it */
	__u32 limit_flows;	    /* of one inside address; 0: no limit */
	__u32 limit_rate;	    /* new flows a second of one inside address; 0: no limit */
	__u32 egress_mtu;	    /* of IP packets on the way out; 0: no limit */
	__u32 record_bytes;	    /* fixed: size of the map records */
	__u32 dev[NATXDP_DEVS_MAX]; /* ifindex of each egress_devs entry; 0: none */
	__be32 dev_addr[NATXDP_DEVS_MAX]; /* its address: source of ICMP errors */
	struct natxdp_geometry geometry;  /* fixed */
};

enum natxdp_pool_flags {
	NATXDP_POOL_DRAINING = 1 << 0, /* no new flows */
	/*
	 * Another node has this address now: no new flows, and those that stand in the
	 * table are copies, which close without a record. The agent sets and clears it; a
	 * reload keeps it.
	 */
	NATXDP_POOL_STANDBY = 1 << 1,
};

/* Map ext_pool: ARRAY of NATXDP_POOL_MAX. Ports in host order, inclusive. */
struct natxdp_pool {
	__be32 addr;
	__u16 port_min;
	__u16 port_max;
	__u32 flags; /* enum natxdp_pool_flags */
	__u32 group; /* of the inside hosts that use it, see inside_nets */
};

/*
 * Map own_addrs: HASH, key __be32, value __u32. Every address for which this
 * host answers: the index into ext_pool, or NATXDP_OWN_ADDR where the address
 * is not external.
 */
#define NATXDP_OWN_ADDR 0xffffffffu

/*
 * Maps inside_nets and no_nat_nets: LPM_TRIE, value __u32. In inside_nets that is the group of
 * the hosts: 0 are those of this node's own zone, the others use addresses that are
 * mostly another node's, so that who moves here and back keeps the same. In no_nat_nets it
 * means nothing.
 */
struct natxdp_prefix {
	__u32 bits;
	__be32 addr;
};

/*
 * Map host_ports: ARRAY, one element. Bit p set: port p belongs to this host.
 * Such a port is never given to a flow, and packets from the outside to it
 * that match no flow go to the kernel.
 */
struct natxdp_host_ports {
	__u64 word[65536 / 64];
};

/*
 * Map hosts: HASH, key __be32 inside address; used while there are limits.
 * A bucket of tokens, one a new flow, that fills with limit_rate a second.
 */
struct natxdp_host {
	__u32 flows;  /* live flows that count */
	__u32 tokens; /* in 1/256 of a flow */
	__u32 tick;   /* when tokens was right */
	__u32 reserved;
};

/* Map blocked: HASH, key __be32 inside address, value __u64 time of the block (UNIX seconds). */

enum natxdp_next_hop_state {
	NATXDP_NEXT_HOP_EMPTY,
	NATXDP_NEXT_HOP_VALID,
	NATXDP_NEXT_HOP_STALE, /* look the route up again (set by user space) */
};

/*
 * Map next_hops: ARRAY of NATXDP_NEXT_HOPS_MAX. Index 0 is "back where it
 * came from": swap the MAC addresses and transmit. The data plane adds
 * entries, and when all are given out, takes those that no flow uses; user space only sets the state to STALE when a route or a
 * neighbour changes, and the next packet of each flow looks up its own route.
 */
struct natxdp_next_hop {
	__u8 dst_mac[6];
	__u8 src_mac[6];
	__u32 ifindex;
	__be32 addr; /* neighbour; 0: not known, dst_mac learned from a frame */
	__u16 dev;   /* index into egress_devs */
	__u8 state;  /* enum natxdp_next_hop_state */
	__u8 pad;
	__u32 used; /* in entry 0 only: entries given out so far, without entry 0 */
	/*
	 * Tick at which a flow was last known to use it, 0 while it changes hands.
	 * In entry 0: who was not seen since then is used by no flow; 0: not known.
	 */
	__u32 seen;
};

/* Map next_hop_index: HASH from this to the __u32 index into next_hops. */
struct natxdp_next_hop_key {
	__u32 ifindex;
	__be32 addr; /* 0 where mac is the identity */
	__u8 mac[6]; /* 0 where addr is the identity */
	__u16 pad;
};

/* Map egress_devs: DEVMAP of NATXDP_DEVS_MAX; this is its directory. */
enum natxdp_dev {
	NATXDP_DEV_OUTSIDE = 0,
	NATXDP_DEV_INSIDE = 1, /* and upwards */
};

/*
 * Map port_hints: ARRAY. For a destination whose ports are nearly all taken, and
 * that has none of the maps of ports (bpf/portmap.bpf.h): where the search goes
 * on, and until when it is not worth it.
 */
enum { NATXDP_PORT_HINTS = 4096 };

struct natxdp_port_hint {
	__u64 destination; /* hash of address, port, protocol, pool slot */
	__u16 cursor;	   /* next step of the permutation of the port range */
	__u16 seen;	   /* steps since a port was free */
	__u32 full_until;  /* tick */
};

_Static_assert(sizeof(struct natxdp_pool) == 16, "pool layout");
_Static_assert(sizeof(struct natxdp_next_hop) == 32, "next hop layout");
_Static_assert(sizeof(struct natxdp_next_hop_key) == 16, "next hop key layout");
_Static_assert(sizeof(struct natxdp_port_hint) == 16, "port hint layout");
_Static_assert(sizeof(struct natxdp_prefix) == 8, "prefix layout");

#endif
