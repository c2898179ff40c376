/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the data plane hands to user space as it happens. */
#ifndef NATXDP_EVENT_H
#define NATXDP_EVENT_H

#include <linux/types.h>

/*
 * A fragment that came before the first one of its datagram, through the map
 * held_frags (BPF_MAP_TYPE_PERF_EVENT_ARRAY); the frame follows, whole. Who
 * reads it sends it through the program again once the map frags knows the
 * datagram, or forgets it.
 */
struct natxdp_held {
	__u32 ifindex; /* where the frame came in */
	__u32 len;     /* of the frame */
	__be32 saddr;  /* the key of the map frags */
	__be32 daddr;
	__be16 id;
	__u8 proto;
	__u8 side; /* enum natxdp_side */
};

/* Map frags: LRU_HASH from this to struct natxdp_frag. */
struct natxdp_frag_key {
	__be32 saddr;
	__be32 daddr;
	__be16 id;
	__u8 proto;
	__u8 side;
};

struct natxdp_frag {
	__be16 sport;
	__be16 dport;
	__u32 tick;
	__u32 end;    /* bytes that have come without a gap */
	__u8 refused; /* fragments overlapped: nothing more of this datagram */
	__u8 host;    /* the first one went to the host */
	__u8 pad[2];
};

_Static_assert(sizeof(struct natxdp_held) == 20, "event layout");
_Static_assert(sizeof(struct natxdp_frag_key) == 12, "key layout");
_Static_assert(sizeof(struct natxdp_frag) == 16, "value layout");

#endif
