/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The inside is behind Gateway Load Balancers. A packet that comes in GENEVE
 * is stripped before the NAT sees it, as one of the inside, with the index of
 * its tunnel as tenant; what goes to the inside is wrapped after the NAT is done with it.
 */
#ifndef NATXDP_TUNNEL_BPF_H
#define NATXDP_TUNNEL_BPF_H

#include <natxdp/event.h>

enum { TUNNEL_FLOWS = 1 };

#include "clock.bpf.h"
#include "geneve.bpf.h"
#include "nexthop.bpf.h"

enum { TUNNEL_TRIES = 16 }; /* places in which a tunnel may be found */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct natxdp_tunnel_conf);
} tunnel_conf SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NATXDP_TUNNELS_MAX);
	__type(key, __u32);
	__type(value, struct natxdp_tunnel);
} tunnels SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NATXDP_TUNNELS_MAX);
	__type(key, __u32);
	__type(value, struct natxdp_tunnel_counters);
} tunnel_counters SEC(".maps");

/* The key of the map frags: behind two tunnels the addresses may be the same. */
struct frag_key {
	struct natxdp_frag_key of;
	__u16 tenant;
	__u16 pad;
};

static __always_inline void frag_set_tenant(struct frag_key *fk, __u16 tenant)
{
	fk->tenant = tenant;
}

static __always_inline struct natxdp_tunnel *tunnel_at(__u32 index)
{
	return bpf_map_lookup_elem(&tunnels, &index);
}

/*
 * Where to look first: an index. @ends: both addresses, @header: that of GENEVE. The products are
 * made side by side; the last option is not in them.
 */
static __always_inline __u32 tunnel_home(const __u64 *ends, const __u64 *header)
{
	const struct natxdp_geometry *g = (const void *)&geometry;
	__u64 h;

	barrier_var(g);
	h = (*ends + header[0] + g->hash_key[0]) * (header[1] + g->hash_key[1]);
	h += (header[2] + g->hash_key[2]) * (header[3] + g->hash_key[3]);
	return ((h >> 32) * (NATXDP_TUNNELS_MAX - 1) >> 32) + 1;
}

static __always_inline int tunnel_is(const struct natxdp_tunnel *t, const __u64 *ends,
				     const __u64 *header, __u64 last)
{
	return t->ends == *ends && t->word[0] == header[0] && t->word[1] == header[1] &&
	       t->word[2] == header[2] && t->word[3] == header[3] && t->word[4] == last;
}

static __always_inline int tunnel_equal(const struct natxdp_tunnel *a,
					const struct natxdp_tunnel *b)
{
	return tunnel_is(a, &b->ends, b->word, b->word[NATXDP_GENEVE_HEADER / 8 - 1]);
}

static __always_inline struct natxdp_tunnel_conf *tunnel_conf_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tunnel_conf, &zero);
}

/* May this load balancer send to this address? */
static __always_inline int tunnel_allowed(const struct natxdp_tunnel *t)
{
	const struct natxdp_tunnel_conf *conf = tunnel_conf_get();
	__be32 own = t->own;
	__u32 i;

	if (!conf || !bpf_map_lookup_elem(&own_addrs, &own))
		return 0;
#pragma clang loop unroll(disable)
	for (i = 0; i < NATXDP_TUNNEL_SOURCES; i++) {
		if (i >= conf->sources)
			break;
		if ((t->lb & conf->source[i].mask) == conf->source[i].addr)
			return 1;
	}
	return 0;
}

/* Take the free place @at for the tunnel of a packet. Returns 0 or a reason. */
static __always_inline int tunnel_add(struct natxdp_tunnel *at, const struct natxdp_tunnel *t)
{
	__u32 state;
	int i;

	if (!tunnel_allowed(t))
		return NATXDP_DROP_GENEVE_SOURCE;
	if (__sync_val_compare_and_swap(&at->state, NATXDP_TUNNEL_EMPTY, NATXDP_TUNNEL_BUSY))
		return NATXDP_DROP_RACE;
	at->ends = t->ends;
#pragma unroll
	for (i = 0; i < NATXDP_GENEVE_HEADER / 8; i++)
		at->word[i] = t->word[i];
	at->cookie_at = t->cookie_at;
	at->next_hop = 0;
	at->first_seen = ticks_now();
	state = __sync_val_compare_and_swap(&at->state, NATXDP_TUNNEL_BUSY, NATXDP_TUNNEL_VALID);
	atomic_fetched(state);
	return 0;
}

/*
 * The index of the tunnel of a packet, which is made if it is new, or a reason as
 * not_opened(). Nothing is ever taken out, so that a tunnel stands before the first
 * free one of its places: whoever adds the same at the same time wants that place, too.
 */
static __always_inline int tunnel_find(const struct natxdp_tunnel *t)
{
	__u32 i, index, nothing = 0, home = tunnel_home(&t->ends, t->word), state;
	struct natxdp_tunnel *at;
	int reason;

#pragma clang loop unroll(disable)
	for (i = 0; i < TUNNEL_TRIES; i++) {
		index = (home - 1 + i) % (NATXDP_TUNNELS_MAX - 1) + 1;
		at = tunnel_at(index);
		if (!at)
			break;
		if (READ_ONCE(at->state) == NATXDP_TUNNEL_VALID && tunnel_equal(at, t))
			return index;
		/* another one, or one that comes to be just now: nothing is read before */
		barrier_var(nothing);
		state = __sync_fetch_and_add(&at->state, nothing);
		if (state == NATXDP_TUNNEL_BUSY)
			return not_opened(NATXDP_DROP_RACE);
		if (state == NATXDP_TUNNEL_EMPTY) {
			reason = tunnel_add(at, t);
			return reason ? not_opened(reason) : (int)index;
		}
		if (tunnel_equal(at, t))
			return index;
	}
	return not_opened(NATXDP_DROP_TUNNELS);
}

static __always_inline void tunnel_count(__u32 index, int in, __u32 packets, __u32 bytes)
{
	struct natxdp_tunnel_counters *c = bpf_map_lookup_elem(&tunnel_counters, &index);

	if (!c)
		return;
	if (in) {
		c->in_packets += packets;
		c->in_bytes += bytes;
	} else {
		c->out_packets += packets;
		c->out_bytes += bytes;
	}
}

static __always_inline void tunnel_opened(__u32 index)
{
	struct natxdp_tunnel_counters *c = bpf_map_lookup_elem(&tunnel_counters, &index);

	if (c)
		c->flows++;
}

/* The packet goes back as it came: only the outer addresses change places. */
static __always_inline int tunnel_return_whole(hook_ctx *ctx)
{
	struct ethhdr *eth = hook_data(ctx);
	struct iphdr *ip = (void *)(eth + 1);
	__be32 addr;

	if ((void *)(ip + 1) > hook_end(ctx))
		return -EINVAL;
	addr = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = addr;
	eth_swap(eth);
	return 0;
}

/* The total length of the IP packet of a frame, 0 if it is none, or not all of it is there. */
static __always_inline __u32 tunnel_inner_len(hook_ctx *ctx, __u32 offset, __u32 most)
{
	struct iphdr *ip = hook_data(ctx) + offset;
	__u32 len;

	if ((void *)(ip + 1) > hook_end(ctx) || ip->version != 4)
		return 0;
	len = bpf_ntohs(ip->tot_len);
	return len <= most ? len : 0;
}

/*
 * The same as tunnel_strip() for nearly all packets: those of a tunnel that stands where it is
 * looked for first. Returns its index, 0: it is another one, untouched, or a reason as not_opened().
 */
static __always_inline int tunnel_strip_usual(hook_ctx *ctx)
{
	struct iphdr *ip = hook_data(ctx) + ETH_HLEN;
	const __u64 *ends = (const void *)&ip->saddr;
	const __u64 *header = (const void *)ip + sizeof(*ip) + sizeof(struct udphdr);
	__u32 len = geneve_read_usual(ctx, ip), index;
	struct geneve_packet *p;
	struct natxdp_tunnel *t;

	if (!len)
		return 0;
	index = tunnel_home(ends, header);
	t = tunnel_at(index);
	if (!t || READ_ONCE(t->state) != NATXDP_TUNNEL_VALID ||
	    t->cookie_at != GENEVE_COOKIE_LAST ||
	    !tunnel_is(t, ends, header, header[4] & GENEVE_NOT_COOKIE))
		return 0;
	p = geneve_get();
	if (!p)
		return 0;
	p->index = index;
	p->label = geneve_usual_label(ip);
	if (hook_pop(ctx, NATXDP_TUNNEL_OVERHEAD))
		return not_opened(NATXDP_DROP_INTERNAL);
	tunnel_count(index, 0, 1, len);
	return index;
}

/*
 * Take the outer headers off a packet in GENEVE. Returns the index of its
 * tunnel, or a reason as not_opened(). Inner IPv6 ends here.
 */
__noinline int tunnel_strip(hook_ctx *ctx)
{
	struct geneve_packet *p = geneve_get();
	struct natxdp_tunnel_conf *conf;
	int reason, index;
	__u32 len;

	if (!p)
		return not_opened(NATXDP_DROP_INTERNAL);
	hook_pull_to(ctx, GENEVE_MAX);
	reason = geneve_read(ctx, p);
	if (reason)
		return not_opened(reason);
	index = tunnel_find(&p->tunnel);
	if (index < 0)
		return index;
	p->index = index;
	if (p->ipv6) {
		conf = tunnel_conf_get();
		if (!conf || conf->ipv6 != NATXDP_TUNNEL_IPV6_RETURN || tunnel_return_whole(ctx))
			return not_opened(NATXDP_DROP_INNER_IPV6);
		return not_opened(NATXDP_RETURNED);
	}
	/* options were looked at to their end, 252 bytes of them at most */
	len = tunnel_inner_len(ctx, sizeof(struct ethhdr) + (p->outer & 511), p->inner);
	if (!len)
		return not_opened(NATXDP_DROP_MALFORMED);
	if (hook_pop(ctx, p->outer & 511))
		return not_opened(NATXDP_DROP_INTERNAL);
	tunnel_count(index, 0, 1, len);
	return index;
}

/*
 * Put the packet of @len bytes behind the headers of the tunnel @index, and behind @eth. Returns 0
 * or a reason.
 */
static __always_inline int tunnel_push(hook_ctx *ctx, __u32 index, struct natxdp_label label,
				       __u32 len, const struct hook_eth *eth)
{
	struct natxdp_tunnel *t = tunnel_at(index);
	void *data;

	if (!t)
		return NATXDP_DROP_INTERNAL;
	if (hook_encap(ctx, NATXDP_TUNNEL_OVERHEAD))
		return hook_is_merged(ctx) ? NATXDP_DROP_MERGED : NATXDP_DROP_INTERNAL;
	data = hook_data(ctx);
	if (data + ETH_HLEN + NATXDP_TUNNEL_OVERHEAD > hook_end(ctx))
		return NATXDP_DROP_INTERNAL;
	hook_eth_copy(data, eth);
	geneve_write(data + ETH_HLEN, t, label, len);
	/* an IPv4 header with its checksum adds nothing to a sum */
	if (hook_sum(ctx) == HOOK_SUM_COMPLETE)
		hook_sum_add(ctx, csum_header(data + ETH_HLEN + sizeof(struct iphdr),
					      NATXDP_TUNNEL_OVERHEAD - sizeof(struct iphdr)));
	return 0;
}

/*
 * The Ethernet header is made of @nh, if there is one, and not read from the frame: what has
 * just been written in other pieces than it is read, the CPU waits for.
 */
static __always_inline int tunnel_wrap(hook_ctx *ctx, const struct natxdp_flow *f,
				       const struct packet *pkt, const struct natxdp_next_hop *nh)
{
	void *data = hook_data(ctx), *next = data + ETH_HLEN;
	struct hook_eth eth;
	int reason;

	barrier_var(next);
	if (next > hook_end(ctx))
		return NATXDP_DROP_INTERNAL;
	if (nh)
		hook_eth_set(&eth, nh);
	else
		hook_eth_copy(&eth, data);
	reason = tunnel_push(ctx, f->next_hop, natxdp_label(f), pkt->len, &eth);
	if (!reason)
		tunnel_count(f->next_hop, 1, packet_count(pkt), packet_bytes(pkt));
	return reason;
}

/* Returns 0 or a reason. */
__noinline int tunnel_wrap_answer(hook_ctx *ctx)
{
	void *data = hook_data(ctx), *next = data + ETH_HLEN;
	struct geneve_packet *p = geneve_get();
	struct hook_eth eth;
	int reason;
	__u32 len;

	barrier_var(next);
	if (!p || next > hook_end(ctx))
		return NATXDP_DROP_INTERNAL;
	hook_eth_copy(&eth, data);
	len = tunnel_inner_len(ctx, ETH_HLEN, hook_len(ctx) - ETH_HLEN);
	reason = len ? tunnel_push(ctx, p->index, p->label, len, &eth) : NATXDP_DROP_INTERNAL;
	if (!reason)
		tunnel_count(p->index, 1, 1, len);
	return reason;
}

static __always_inline void tunnel_label(struct natxdp_flow *f)
{
	struct geneve_packet *p = geneve_get();

	if (p)
		natxdp_set_label(f, p->label);
}

/* Global: it seldom happens. */
__noinline int tunnel_relabel_flow(struct natxdp_flow *f)
{
	struct natxdp_flow *in = f ? flow_peer(f) : NULL;

	if (!in)
		return -ENOENT;
	tunnel_label(f);
	tunnel_label(in);
	return 0;
}

static __always_inline void tunnel_relabel(struct natxdp_flow *f)
{
	struct natxdp_label label = natxdp_label(f);
	struct geneve_packet *p = geneve_get();

	if (p && (p->label.cookie != label.cookie || p->label.sport != label.sport))
		tunnel_relabel_flow(f);
}

/* Look the way to the load balancer up. Returns 0. */
__noinline int tunnel_resolve(hook_ctx *ctx, __u32 index)
{
	struct natxdp_tunnel *t = tunnel_at(index);
	struct next_hop_answer answer = {};
	struct next_hop_query q = {};

	if (!t)
		return -EINVAL;
	q.saddr = t->own;
	q.daddr = t->lb;
	q.ifindex = hook_ifindex(ctx);
	next_hop_find(ctx, &q, &answer);
	if (answer.index > 0)
		t->next_hop = answer.index;
	return 0;
}

static __always_inline int tunnel_route(hook_ctx *ctx, __u32 index)
{
	struct natxdp_tunnel *t = tunnel_at(index);

	/* its source may have been taken out of the configuration since it was made */
	if (!t || !tunnel_allowed(t))
		return not_opened(NATXDP_DROP_GENEVE_SOURCE);
	tunnel_resolve(ctx, index);
	return index;
}

static __always_inline struct natxdp_next_hop *tunnel_next_hop(hook_ctx *ctx, __u32 index)
{
	struct natxdp_tunnel *t = tunnel_at(index);
	struct natxdp_next_hop *nh = t ? next_hop_at(t->next_hop) : NULL;

	if (!nh || nh->state == NATXDP_NEXT_HOP_VALID)
		return nh;
	tunnel_resolve(ctx, index);
	return next_hop_at(t->next_hop);
}

static __always_inline void tunnel_seen(const struct natxdp_flow *in, __u32 now)
{
	struct natxdp_tunnel *t = tunnel_at(in->next_hop);

	if (t)
		next_hop_seen(t->next_hop, now);
}

static __always_inline __u32 tunnel_mtu(void)
{
	const struct natxdp_tunnel_conf *conf = tunnel_conf_get();

	return conf ? conf->mtu : 0;
}

#endif
