/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The flow table: what the data plane writes and what user space mmaps.
 *
 * A flow is two entries, one for each direction, and each is found by what
 * the packets of its own direction carry. An entry is one cache line, eight
 * entries are a bucket, and the table is a BPF_MAP_TYPE_ARRAY of buckets.
 *
 * Sixteen buckets are a group. A key may stand anywhere in either of two
 * groups, so large that the table can be filled to 96 % (max_flows_fit in
 * selftests/unit/test_flow.c). Beside the table stands one byte an entry, its
 * tag: 0 if the entry is free, else 8 bits of the hash of its key. The tags of
 * a group are two cache lines, small enough for the CPU's caches to keep all of them,
 * and say where a key can stand: so of the table itself one line is read.
 *
 * Ownership: a packet writes only the entry of its own direction, so the two
 * directions never share a line for writing. Whoever sets a tag owns the entry
 * until its key is written, which happens under the lock of the key's stripe.
 * Readers take no lock: they copy an entry and look at its key again.
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
	NATXDP_WAYS = 8,	   /* entries in a bucket */
	NATXDP_GROUP_BUCKETS = 16, /* buckets in a group */
	NATXDP_GROUP_SLOTS = NATXDP_WAYS * NATXDP_GROUP_BUCKETS,
	NATXDP_CHOICES = 2,	   /* groups in which a key may stand */
	NATXDP_FIRST_CHOICE = 112, /* stay in the first while it has fewer, then take the emptier */
	NATXDP_STRIPES = 256,	   /* locks; a power of two */
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

enum { NATXDP_TUNNELS_MAX = 1024 }; /* and one less: 0 is the index of none */

/*
 * Of a flow through a tunnel (tunnel.h), the tenant of the outbound entry is
 * the index of the tunnel: the addresses behind two tunnels may be the same.
 */
enum natxdp_tenant {
	NATXDP_TENANT_NONE = 0,
	/* What comes from the outside to a flow through a tunnel does not say through which. */
	NATXDP_TENANT_OUTSIDE = 0xfffd,
	/*
	 * Not the key of packets, but a mapping that flows share: the remote port
	 * is 0, and the remote address too unless the entry says that this remote
	 * address may send (address-dependent filtering). Its packets are the
	 * number of flows that hold it. With a remote address and port it is what a
	 * packet leaves that another inside host's filtering has refused.
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
			__u16 tenant; /* NATXDP_TENANT_*, or the index of a tunnel */
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

/*
 * One direction of a flow. Of a flow through a tunnel the remote end is not
 * kept twice: in its place in the translated tuple stands the label of the
 * flow, see natxdp_label().
 */
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
	__u16 next_hop;	  /* index into next_hops; inbound, into a tunnel, of that */
	__u8 pool;	  /* index into the map ext_pool */
	__u8 flags;	  /* enum natxdp_flow_flags */
};

struct natxdp_bucket {
	struct natxdp_flow way[NATXDP_WAYS];
};

/* The tags of a group, one word a bucket, the tag of its first entry in the lowest byte. */
struct natxdp_tags {
	__u64 word[NATXDP_GROUP_BUCKETS];
};

/*
 * For each bucket of a group the tick at which the sweeper has to look at it
 * again, 0 for never. So a sweep reads 4 bytes a bucket and costs what is due.
 */
struct natxdp_due {
	__u32 tick[NATXDP_GROUP_BUCKETS];
};

_Static_assert(sizeof(struct natxdp_key) == 16, "a key is two words");
_Static_assert(sizeof(struct natxdp_flow) == 64, "an entry is one cache line");
_Static_assert(sizeof(struct natxdp_bucket) == 512, "a bucket is eight cache lines");
_Static_assert(sizeof(struct natxdp_tags) == 128, "the tags of a group are two cache lines");
_Static_assert(sizeof(struct natxdp_due) == 64, "the due times of a group are one cache line");
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
	__u32 groups;	   /* at least 2 */
	__u32 reserved;
};

struct natxdp_home {
	__u32 group[NATXDP_CHOICES]; /* two different ones */
	__u32 slot;		     /* of a group: where to look first */
	__u32 stripe;		     /* whose lock makes the key unique */
	__u32 tag;		     /* never 0 */
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
	__u32 hi = h >> 32, lo = h, away;

	/* the groups come of the high bits of the halves, the rest of the low ones */
	home->group[0] = (__u64)hi * g->groups >> 32;
	away = ((__u64)lo * (g->groups - 1) >> 32) + 1;
	home->group[1] = home->group[0] + away;
	if (home->group[1] >= g->groups)
		home->group[1] -= g->groups;
	home->slot = lo & (NATXDP_GROUP_SLOTS - 1);
	home->stripe = (lo >> 7) & (NATXDP_STRIPES - 1);
	home->tag = ((hi & 0xfff) * 255 >> 12) + 1;
}

/*
 * The bytes of a word of tags, 0x80 for a byte that is what is asked for, else
 * 0. A byte next above one that is right may be taken for right too, which
 * costs a look at an entry.
 */
#define NATXDP_TAG_ONES 0x0101010101010101ull
#define NATXDP_TAG_TOPS 0x8080808080808080ull

static __always_inline __u64 natxdp_tags_equal(__u64 word, __u64 tag_in_all_bytes)
{
	word ^= tag_in_all_bytes;
	return (word - NATXDP_TAG_ONES) & ~word & NATXDP_TAG_TOPS;
}

/* This one is exact. */
static __always_inline __u64 natxdp_tags_free(__u64 word)
{
	return ~(((word & ~NATXDP_TAG_TOPS) + ~NATXDP_TAG_TOPS) | word) & NATXDP_TAG_TOPS;
}

/* Turns a word so that the byte @first becomes the lowest. */
static __always_inline __u64 natxdp_tags_turn(__u64 word, __u32 first)
{
	return word >> first * 8 | word << ((64 - first * 8) & 63);
}

/* The number of the lowest byte of a mask that is not 0: its position looked up in a constant. */
static __always_inline __u32 natxdp_tags_first(__u64 mask)
{
	return (((mask & -mask) >> 7) * 0x0001020304050607ull >> 56) & (NATXDP_WAYS - 1);
}

/* How many entries of a group are in use. */
static __always_inline __u32 natxdp_tags_used(const struct natxdp_tags *tags)
{
	__u64 free = 0;
	int i;

	for (i = 0; i < NATXDP_GROUP_BUCKETS; i++) /* 16 at most in each byte */
		free += natxdp_tags_free(tags->word[i]) >> 7;
	return NATXDP_GROUP_SLOTS - (free * NATXDP_TAG_ONES >> 56);
}

static __always_inline int natxdp_is_tunnel(__u16 tenant)
{
	return tenant && tenant < NATXDP_TUNNELS_MAX;
}

/* Does the flow of this entry go through a tunnel? Not to be asked of one that has ended. */
static __always_inline int natxdp_in_tunnel(const struct natxdp_flow *f)
{
	return natxdp_is_tunnel(f->key.tenant) || f->key.tenant == NATXDP_TENANT_OUTSIDE;
}

/* The translated tuple. @tunnel: what natxdp_in_tunnel() says, for who knows it without asking. */
static __always_inline __be32 natxdp_new_saddr(const struct natxdp_flow *f, int tunnel)
{
	return tunnel && f->flags & NATXDP_FLOW_INBOUND ? f->key.saddr : f->new_saddr;
}

static __always_inline __be32 natxdp_new_daddr(const struct natxdp_flow *f, int tunnel)
{
	return tunnel && !(f->flags & NATXDP_FLOW_INBOUND) ? f->key.daddr : f->new_daddr;
}

static __always_inline __be16 natxdp_new_sport(const struct natxdp_flow *f, int tunnel)
{
	return tunnel && f->flags & NATXDP_FLOW_INBOUND ? f->key.sport : f->new_sport;
}

static __always_inline __be16 natxdp_new_dport(const struct natxdp_flow *f, int tunnel)
{
	return tunnel && !(f->flags & NATXDP_FLOW_INBOUND) ? f->key.dport : f->new_dport;
}

/* What a load balancer wants back with each packet of a flow, of an entry in a tunnel. */
struct natxdp_label {
	__be32 cookie;
	__be16 sport; /* the source port of the outer UDP header, as it came */
};

static __always_inline struct natxdp_label natxdp_label(const struct natxdp_flow *f)
{
	struct natxdp_label label;
	int inbound = f->flags & NATXDP_FLOW_INBOUND;

	label.cookie = inbound ? f->new_saddr : f->new_daddr;
	label.sport = inbound ? f->new_sport : f->new_dport;
	return label;
}

static __always_inline void natxdp_set_label(struct natxdp_flow *f, struct natxdp_label label)
{
	if (f->flags & NATXDP_FLOW_INBOUND) {
		f->new_saddr = label.cookie;
		f->new_sport = label.sport;
	} else {
		f->new_daddr = label.cookie;
		f->new_dport = label.sport;
	}
}

/* As natxdp_reverse_key(), for who knows whether it is a @tunnel. */
static __always_inline void natxdp_reverse_key_of(const struct natxdp_flow *f,
						  struct natxdp_key *reverse, int tunnel)
{
	reverse->saddr = natxdp_new_daddr(f, tunnel);
	reverse->daddr = natxdp_new_saddr(f, tunnel);
	reverse->sport = natxdp_new_dport(f, tunnel);
	reverse->dport = natxdp_new_sport(f, tunnel);
	reverse->proto = f->key.proto;
	/* single stays single, inside and outside change places */
	reverse->side = f->key.side && !(f->flags & NATXDP_FLOW_HAIRPIN) ? f->key.side ^ 3 :
									   f->key.side;
	reverse->tenant = f->key.tenant;
	if (tunnel && f->flags & NATXDP_FLOW_INBOUND)
		reverse->tenant = f->next_hop;
	else if (tunnel && natxdp_is_tunnel(f->key.tenant))
		reverse->tenant = NATXDP_TENANT_OUTSIDE;
}

/* The key of the packets that answer the translated packets of an entry. */
static __always_inline void natxdp_reverse_key(const struct natxdp_flow *f,
					       struct natxdp_key *reverse)
{
	natxdp_reverse_key_of(f, reverse, natxdp_in_tunnel(f));
}

#endif
