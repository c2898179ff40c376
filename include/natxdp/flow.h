/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The flow table: what the data plane writes and what user space mmaps.
 *
 * A flow is two entries, one for each direction, and each is found by what
 * the packets of its own direction carry. An entry is one cache line, eight
 * entries are a bucket, and the table is a BPF_MAP_TYPE_ARRAY of buckets.
 *
 * Ownership: a packet writes only the entry of its own direction, so the two
 * directions never share a line for writing. Inserting and deleting happens
 * under the stripe lock of the bucket. Readers take no lock: they copy an
 * entry and look at its key again.
 *
 * Byte order: addresses and ports are as on the wire, everything else is in
 * host order.
 */
#ifndef NATXDP_FLOW_H
#define NATXDP_FLOW_H

#include <linux/types.h>
#include <stddef.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

enum natxdp_table {
	NATXDP_WAYS = 8,	 /* entries in a bucket */
	NATXDP_CHOICES = 2,	 /* buckets in which a key may stand */
	NATXDP_FIRST_BUCKET = 4, /* stay in the first while it has fewer, then take the emptier */
	NATXDP_STRIPES_MAX = 256,
	NATXDP_DUE_GROUP = 16, /* buckets whose due times share a cache line */
};

/* No such slot. Slots are numbered bucket * NATXDP_WAYS + way. */
#define NATXDP_SLOT_NONE 0xffffffffu

/*
 * A tick is 2^24 ns = 16.8 ms of CLOCK_MONOTONIC: a shift in BPF, and 32 bits
 * of it last 834 days. Ages are differences, so wrapping does no harm.
 */
#define NATXDP_TICK_SHIFT 24

/*
 * An entry that is deleted stays unfindable, but unchanged, for this long
 * before its slot may be used again: a packet that found it just before is
 * then certainly done with it. A program run lasts microseconds.
 */
#define NATXDP_GRACE_TICKS 2

enum natxdp_proto_mark {
	NATXDP_PROTO_FREE = 0,	 /* the slot is empty */
	NATXDP_PROTO_DEAD = 255, /* deleted, within its grace (255 is reserved by IANA) */
};

enum natxdp_tenant {
	NATXDP_TENANT_NONE = 0,
	/*
	 * Not the key of packets, but a mapping that flows share: the remote port
	 * is 0, and the remote address too unless the entry says that this remote
	 * address may send (address-dependent filtering). Its packets are the
	 * number of flows that hold it.
	 */
	NATXDP_TENANT_MAPPING = 0xffff,
	/*
	 * A flow that user space has ended: no packet finds the entry, and the
	 * sweeper gives back what it held.
	 */
	NATXDP_TENANT_ENDED = 0xfffe,
};

/* On which side of the NAT a packet of this entry comes in. */
enum natxdp_side {
	NATXDP_SIDE_SINGLE = 0, /* one-armed: one interface is both sides */
	NATXDP_SIDE_INSIDE = 1,
	NATXDP_SIDE_OUTSIDE = 2,
};

/*
 * What a packet carries. An echo request has its identifier in sport and 0 in
 * dport, a reply the other way round, so that the reverse of a key is always
 * the key with both ends swapped.
 */
struct natxdp_key {
	union {
		struct {
			__be32 saddr;
			__be32 daddr;
			__be16 sport;
			__be16 dport;
			__u8 proto;   /* IPPROTO_*, or natxdp_proto_mark */
			__u8 side;    /* enum natxdp_side */
			__u16 tenant; /* NATXDP_TENANT_*; reserved for GWLB endpoints */
		};
		__u64 word[2];
	};
};

enum natxdp_flow_flags {
	/* TCP segments that this direction has sent since its last SYN */
	NATXDP_SEEN_SYN = 1 << 0,
	NATXDP_SEEN_ACK = 1 << 1, /* a segment with ACK and without SYN */
	NATXDP_SEEN_FIN = 1 << 2,
	NATXDP_SEEN_RST = 1 << 3,
	NATXDP_SEEN_MASK = 0x0f,
	NATXDP_FLOW_COUNTED = 1 << 4, /* counts against the limit of its inside address */
	NATXDP_FLOW_HAIRPIN = 1 << 5, /* both ends are inside */
	NATXDP_FLOW_MAPPED = 1 << 6,  /* holds an endpoint-independent mapping */
	NATXDP_FLOW_INBOUND = 1 << 7, /* entry of the direction outside -> inside */
};

/* One direction of a flow. */
struct natxdp_flow {
	struct natxdp_key key;
	/* the translated tuple: what the packet carries when it leaves */
	__be32 new_saddr;
	__be32 new_daddr;
	__be16 new_sport;
	__be16 new_dport;
	/* one's complement sums to add to the complemented checksums (RFC 1624) */
	__u16 l3_delta;
	__u16 l4_delta;
	__u64 packets;
	__u64 bytes;	  /* IP bytes: sum of the IPv4 total length fields */
	__u32 last_seen;  /* ticks; refreshes only, see natxdp_flow_state() */
	__u32 first_seen; /* ticks */
	__u32 peer;	  /* slot of the other direction */
	__u16 next_hop;	  /* index into the map next_hops */
	__u8 pool;	  /* index into the map ext_pool */
	__u8 flags;	  /* enum natxdp_flow_flags */
};

struct natxdp_bucket {
	struct natxdp_flow way[NATXDP_WAYS];
};

/*
 * For each bucket the tick at which the sweeper has to look at it again, 0
 * for never. So a sweep reads 4 bytes a bucket and costs what is due.
 */
struct natxdp_due {
	__u32 tick[NATXDP_DUE_GROUP];
};

_Static_assert(sizeof(struct natxdp_key) == 16, "a key is two words");
_Static_assert(sizeof(struct natxdp_flow) == 64, "an entry is one cache line");
_Static_assert(sizeof(struct natxdp_bucket) == 512, "a bucket is eight cache lines");
_Static_assert(sizeof(struct natxdp_due) == 64, "a due group is one cache line");
_Static_assert(offsetof(struct natxdp_flow, key) == 0, "entry layout");
_Static_assert(offsetof(struct natxdp_flow, new_saddr) == 16, "entry layout");
_Static_assert(offsetof(struct natxdp_flow, new_daddr) == 20, "entry layout");
_Static_assert(offsetof(struct natxdp_flow, new_sport) == 24, "entry layout");
_Static_assert(offsetof(struct natxdp_flow, new_dport) == 26, "entry layout");
_Static_assert(offsetof(struct natxdp_flow, l3_delta) == 28, "entry layout");
_Static_assert(offsetof(struct natxdp_flow, l4_delta) == 30, "entry layout");
_Static_assert(offsetof(struct natxdp_flow, packets) == 32, "entry layout");
_Static_assert(offsetof(struct natxdp_flow, bytes) == 40, "entry layout");
_Static_assert(offsetof(struct natxdp_flow, last_seen) == 48, "entry layout");
_Static_assert(offsetof(struct natxdp_flow, first_seen) == 52, "entry layout");
_Static_assert(offsetof(struct natxdp_flow, peer) == 56, "entry layout");
_Static_assert(offsetof(struct natxdp_flow, next_hop) == 60, "entry layout");
_Static_assert(offsetof(struct natxdp_flow, pool) == 62, "entry layout");
_Static_assert(offsetof(struct natxdp_flow, flags) == 63, "entry layout");

/* Where the table keeps its keys. Chosen at the first load, then fixed. */
struct natxdp_geometry {
	__u64 hash_key[5]; /* secret */
	__u32 stripes;	   /* power of two, <= NATXDP_STRIPES_MAX */
	__u32 rows;	   /* buckets of one stripe; stripes * rows = buckets */
};

struct natxdp_home {
	__u32 bucket[NATXDP_CHOICES]; /* both in the same stripe */
	__u32 stripe;		      /* whose lock covers both buckets */
	__u32 way;		      /* where in a bucket to look first */
};

/*
 * Multilinear hashing (Lemire and Kaser, "Strongly universal string hashing
 * is fast") under a secret key: without the key nobody can make keys collide
 * better than by chance. The mixing after it is a bijection; it spreads what
 * is left of the structure of consecutive addresses and ports over all bits.
 */
static __always_inline __u64 natxdp_hash(const __u64 *hash_key, const struct natxdp_key *key)
{
	__u64 h;

	h = hash_key[0] + (__u32)key->word[0] * hash_key[1] + (key->word[0] >> 32) * hash_key[2];
	h += ((__u32)key->word[1] + hash_key[3]) * ((key->word[1] >> 32) + hash_key[4]);
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ull;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ull;
	return h ^ (h >> 32);
}

static __always_inline void natxdp_home(const struct natxdp_geometry *g,
					const struct natxdp_key *key, struct natxdp_home *home)
{
	__u64 h = natxdp_hash(g->hash_key, key);
	__u32 hi = h >> 32, lo = h;

	home->stripe = hi & (g->stripes - 1);
	home->way = lo & (NATXDP_WAYS - 1);
	home->bucket[0] = (__u32)(((__u64)hi * g->rows) >> 32) * g->stripes + home->stripe;
	home->bucket[1] = (__u32)(((__u64)lo * g->rows) >> 32) * g->stripes + home->stripe;
}

/* The key of the packets that answer the translated packets of an entry. */
static __always_inline void natxdp_reverse_key(const struct natxdp_flow *f,
					       struct natxdp_key *reverse)
{
	reverse->saddr = f->new_daddr;
	reverse->daddr = f->new_saddr;
	reverse->sport = f->new_dport;
	reverse->dport = f->new_sport;
	reverse->proto = f->key.proto;
	/* single stays single, inside and outside change places */
	reverse->side = f->key.side && !(f->flags & NATXDP_FLOW_HAIRPIN) ? f->key.side ^ 3 :
									   f->key.side;
	reverse->tenant = f->key.tenant;
}

#endif
