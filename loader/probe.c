/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "probe.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <linux/bpf.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <natxdp/tunnel.h>

#include "contents.h"
#include "instance.h"

enum { PROBE_TTL = 64, ROOM = 2048 };

/* On the wire from eth on. */
struct frame {
	char align[2]; /* so that the IP header is */
	struct ether_header eth;
	struct iphdr ip;
	struct udphdr udp;
	char text[20];
};

enum {
	FRAME_LEN = sizeof(struct frame) - offsetof(struct frame, eth),
	UDP_LEN = sizeof(struct frame) - offsetof(struct frame, udp),
};

/* Nobody answers there: documentation (RFC 5737) and benchmarks (RFC 2544). */
static const char *const destinations[] = { "192.0.2.1", "198.51.100.1", "203.0.113.1",
					    "198.18.0.1" };

static bool prefix_covers(const struct natxdp_prefix *prefix, __be32 addr)
{
	__u32 mask = prefix->bits ? ~0u << (32 - prefix->bits) : 0;

	return !((ntohl(addr) ^ ntohl(prefix->addr)) & mask);
}

static bool covers(const struct prefix_list *list, __be32 addr)
{
	for (unsigned int i = 0; i < list->count; i++) {
		if (prefix_covers(&list->item[i], addr))
			return true;
	}
	return false;
}

/* The group of an inside host: that of the longest prefix. */
static __u32 group_of(const struct contents *contents, __be32 addr)
{
	const struct prefix_list *nets = &contents->inside_nets;
	__u32 group = 0, longest = 0;

	for (unsigned int i = 0; i < nets->count; i++) {
		if (nets->item[i].bits < longest || !prefix_covers(&nets->item[i], addr))
			continue;
		longest = nets->item[i].bits;
		group = contents->inside_group[i];
	}
	return group;
}

/* A node whose addresses are all at its peers gives no ports, and that is as it should be. */
static bool has_address(const struct contents *contents, __be32 inside)
{
	__u32 group = group_of(contents, inside);

	for (unsigned int i = 0; i < contents->pool.count; i++) {
		const struct natxdp_pool *pool = &contents->pool.item[i];

		if (pool->addr && (!pool->group || pool->group == group) &&
		    !(pool->flags & (NATXDP_POOL_DRAINING | NATXDP_POOL_STANDBY)))
			return true;
	}
	return false;
}

static bool choose_inside(struct probe *probe, const struct contents *contents)
{
	for (unsigned int i = 0; i < contents->inside_nets.count; i++) {
		const struct natxdp_prefix *prefix = &contents->inside_nets.item[i];
		__u32 size = prefix->bits < 32 ? 1u << (32 - (prefix->bits ? prefix->bits : 1)) : 1;

		/* the end of a net is the place least likely taken */
		for (__u32 back = size > 2 ? 2 : 1; back <= size && back < 256; back++) {
			probe->inside = htonl(ntohl(prefix->addr) + size - back);
			if (!own_addrs_find(&contents->own, probe->inside) &&
			    has_address(contents, probe->inside))
				return true;
		}
	}
	return false;
}

/* An address of a load balancer, and one of ours. */
static void choose_tunnel(struct probe *probe, const struct contents *contents)
{
	const struct natxdp_config *config = &contents->config;
	bool second = config->two_armed;

	probe->lb = contents->tunnel.source[0].addr;
	if (contents->tunnel.source[0].mask != htonl(~0u))
		probe->lb |= htonl(1);
	probe->own = config->dev_addr[second ? NATXDP_DEV_INSIDE : NATXDP_DEV_OUTSIDE];
}

bool probe_choose(struct probe *probe, const struct contents *contents)
{
	memset(probe, 0, sizeof(*probe));
	if (contents->config.features & NATXDP_TUNNELS)
		choose_tunnel(probe, contents);
	for (size_t i = 0; i < sizeof(destinations) / sizeof(*destinations); i++) {
		inet_pton(AF_INET, destinations[i], &probe->outside);
		if (!covers(&contents->no_nat_nets, probe->outside) &&
		    !covers(&contents->inside_nets, probe->outside) &&
		    !own_addrs_find(&contents->own, probe->outside))
			return choose_inside(probe, contents);
	}
	return false;
}

_Static_assert(FRAME_LEN - sizeof(struct ether_header) == NATXDP_PROBE_BYTES, "what is counted");

static uint32_t sum(const void *data, size_t len, uint32_t start)
{
	const uint8_t *byte = data;

	for (size_t i = 0; i < len; i++)
		start += i % 2 ? byte[i] : byte[i] << 8;
	return start;
}

static uint16_t fold(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return ~total;
}

static uint32_t pseudo_header(const struct iphdr *ip)
{
	return sum(&ip->saddr, 8, IPPROTO_UDP + ntohs(ip->tot_len) - sizeof(*ip));
}

static void make(struct frame *frame, __be32 saddr, __be32 daddr, __be16 sport, __be16 dport)
{
	static const uint8_t from[ETH_ALEN] = { 2, 0, 0, 0, 0, 1 },
			     to[ETH_ALEN] = { 2, 0, 0, 0, 0, 2 };
	uint16_t check;

	memset(frame, 0, sizeof(*frame));
	memcpy(frame->eth.ether_shost, from, sizeof(from));
	memcpy(frame->eth.ether_dhost, to, sizeof(to));
	frame->eth.ether_type = htons(ETHERTYPE_IP);
	frame->ip.version = 4;
	frame->ip.ihl = 5;
	frame->ip.tot_len = htons(sizeof(frame->ip) + UDP_LEN);
	frame->ip.ttl = PROBE_TTL;
	frame->ip.protocol = IPPROTO_UDP;
	frame->ip.saddr = saddr;
	frame->ip.daddr = daddr;
	frame->ip.check = htons(fold(sum(&frame->ip, sizeof(frame->ip), 0)));
	frame->udp.uh_sport = sport;
	frame->udp.uh_dport = dport;
	frame->udp.uh_ulen = htons(UDP_LEN);
	memcpy(frame->text, "natxdp verify", 14);
	check = fold(sum(&frame->udp, UDP_LEN, pseudo_header(&frame->ip)));
	frame->udp.uh_sum = htons(check ? check : 0xffff);
}

/* What a load balancer puts between the Ethernet header and the packet, and gets back. */
struct outer {
	struct iphdr ip;
	struct udphdr udp;
	uint8_t geneve[NATXDP_GENEVE_HEADER];
};

_Static_assert(sizeof(struct outer) == NATXDP_TUNNEL_OVERHEAD, "no padding");

static void make_outer(const struct probe *probe, bool back, size_t inner, struct outer *outer)
{
	static const uint8_t geneve[NATXDP_GENEVE_HEADER] = {
		8, 0, 8,
		0, 0, 0,
		0, 0, /* options of 8 words, IPv4 inside, VNI 0 */
		1, 8, NATXDP_GENEVE_ENDPOINT,
		2, 0, 0,
		0, 0, 0,
		0, 0, 0, /* all of them 0 */
		1, 8, NATXDP_GENEVE_ATTACHMENT,
		2, 0, 0,
		0, 0, 0,
		0, 0, 0, /* */
		1, 8, NATXDP_GENEVE_COOKIE,
		1, 0, 0,
		0, 0,
	};

	memset(outer, 0, sizeof(*outer));
	outer->ip.version = 4;
	outer->ip.ihl = 5;
	outer->ip.tot_len = htons(sizeof(*outer) + inner);
	outer->ip.frag_off = htons(IP_DF);
	outer->ip.ttl = IPDEFTTL;
	outer->ip.protocol = IPPROTO_UDP;
	outer->ip.saddr = back ? probe->own : probe->lb;
	outer->ip.daddr = back ? probe->lb : probe->own;
	outer->ip.check = htons(fold(sum(&outer->ip, sizeof(outer->ip), 0)));
	outer->udp.uh_sport = htons(PROBE_PORT);
	outer->udp.uh_dport = htons(NATXDP_GENEVE_PORT);
	outer->udp.uh_ulen = htons(ntohs(outer->ip.tot_len) - sizeof(outer->ip));
	memcpy(outer->geneve, geneve, sizeof(geneve));
}

void probe_wrap(const struct probe *probe, size_t inner, uint8_t *to)
{
	struct outer outer;

	make_outer(probe, false, inner, &outer);
	memcpy(to, &outer, sizeof(outer));
}

static int fail(struct probe *probe, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct probe *probe, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(probe->why, sizeof(probe->why), fmt, args);
	va_end(args);
	return -EIO;
}

static __u32 verdict_of_xdp(__u32 tc)
{
	switch ((int)tc) {
	case TC_ACT_UNSPEC:
		return XDP_PASS;
	case TC_ACT_SHOT:
		return XDP_DROP;
	case TC_ACT_REDIRECT:
		return XDP_REDIRECT;
	}
	return XDP_ABORTED;
}

/* The bytes of a frame, with the outer headers if @outer. Returns how many. */
static size_t put_frame(const struct frame *frame, const struct outer *outer, uint8_t *data)
{
	size_t at = sizeof(frame->eth);

	memcpy(data, &frame->eth, at);
	if (outer) {
		memcpy(data + at, outer, sizeof(*outer));
		at += sizeof(*outer);
	}
	memcpy(data + at, &frame->ip, FRAME_LEN - sizeof(frame->eth));
	return at + FRAME_LEN - sizeof(frame->eth);
}

/* The other way round; with other outer headers than @outer it fails. */
static int get_frame(struct probe *probe, const char *way, const uint8_t *data, size_t len,
		     const struct outer *outer, struct frame *frame)
{
	size_t at = sizeof(frame->eth), want = FRAME_LEN + (outer ? sizeof(*outer) : 0);

	if (len != want)
		return fail(probe, "the packet %s came out with %zu bytes, not %zu", way, len,
			    want);
	memcpy(&frame->eth, data, at);
	if (outer) {
		if (memcmp(data + at, outer, sizeof(*outer)))
			return fail(probe,
				    "the packet %s came out in other GENEVE than it "
				    "had come in",
				    way);
		at += sizeof(*outer);
	}
	memcpy(&frame->ip, data + at, FRAME_LEN - sizeof(frame->eth));
	return 0;
}

/* Through the program of a link, as if it had come in there. @frame becomes what comes out. */
static int run(struct probe *probe, const struct instance_link *link, int program, bool back,
	       struct frame *frame, __u32 *verdict)
{
	static const char *const names[] = { "aborted", "dropped", "passed", "sent", "redirected" };
	struct xdp_md md = { .ingress_ifindex = link->ifindex };
	struct __sk_buff skb = { .ifindex = link->ifindex };
	const char *way = back ? "back" : "out";
	bool tc = link->hook == HOOK_TC;
	uint8_t in[ROOM], out[ROOM];
	struct outer outer;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_out = out,
		    .data_size_out = sizeof(out), .ctx_in = tc ? (void *)&skb : (void *)&md,
		    .ctx_size_in = tc ? sizeof(skb) : sizeof(md), .repeat = 1);
	int ret;

	if (program < 0)
		return fail(probe, "%s: it has no program that can be run", link->name);
	make_outer(probe, back, FRAME_LEN - sizeof(frame->eth), &outer);
	opts.data_size_in = put_frame(frame, probe->lb && !back ? &outer : NULL, in);
	md.data_end = opts.data_size_in;
	ret = bpf_prog_test_run_opts(program, &opts);
	if (ret)
		return fail(probe, "%s: its program cannot be run: %s", link->name, strerror(-ret));
	*verdict = opts.retval = tc ? verdict_of_xdp(opts.retval) : opts.retval;
	if (opts.retval != XDP_TX && opts.retval != XDP_REDIRECT && opts.retval != XDP_PASS)
		return fail(probe, "the packet %s was %s on %s: 'natxdp stats' counts why", way,
			    opts.retval < 5 ? names[opts.retval] : "lost", link->name);
	return get_frame(probe, way, out, opts.data_size_out, probe->lb && back ? &outer : NULL,
			 frame);
}

static int check_bytes(struct probe *probe, const char *way, const struct frame *frame,
		       __u32 verdict)
{
	const struct iphdr *ip = &frame->ip;
	/* the kernel takes one off where it forwards, but in a tunnel it would not see it */
	bool kernel = verdict == XDP_PASS && !(probe->lb && !strcmp(way, "back"));
	int ttl = kernel ? PROBE_TTL : PROBE_TTL - 1;

	if (fold(sum(ip, sizeof(*ip), 0)))
		return fail(probe, "the packet %s has a wrong IP checksum", way);
	if (fold(sum(&frame->udp, UDP_LEN, pseudo_header(ip))))
		return fail(probe, "the packet %s has a wrong UDP checksum", way);
	if (ip->ttl != ttl)
		return fail(probe, "the packet %s has TTL %u, not %d", way, ip->ttl, ttl);
	if (strcmp(frame->text, "natxdp verify"))
		return fail(probe, "the packet %s has lost its contents", way);
	return 0;
}

void probe_key(const struct probe *probe, const struct instance *instance, struct natxdp_key *key)
{
	memset(key, 0, sizeof(*key));
	key->saddr = probe->inside;
	key->daddr = probe->outside;
	key->sport = key->dport = htons(PROBE_PORT);
	key->proto = IPPROTO_UDP;
	key->side = instance->link_count > 1 || probe->lb ? NATXDP_SIDE_INSIDE : NATXDP_SIDE_SINGLE;
}

static int check_out(struct probe *probe, const struct pool *pool, const struct frame *frame,
		     __u32 verdict)
{
	int index = pool_find(pool, frame->ip.saddr);
	const struct natxdp_pool *range;

	if (index < 0)
		return fail(probe, "the packet out was not translated: its source is not external");
	range = &pool->item[index];
	if (ntohs(frame->udp.uh_sport) < range->port_min ||
	    ntohs(frame->udp.uh_sport) > range->port_max)
		return fail(probe, "the packet out got port %u, which is not of the pool",
			    ntohs(frame->udp.uh_sport));
	if (frame->ip.daddr != probe->outside || ntohs(frame->udp.uh_dport) != PROBE_PORT)
		return fail(probe, "the packet out has another destination than before");
	return check_bytes(probe, "out", frame, verdict);
}

static int run_out(struct probe *probe, const struct instance_link *link, int program,
		   const struct pool *pool)
{
	struct frame frame;
	__u32 verdict;
	int ret;

	make(&frame, probe->inside, probe->outside, htons(PROBE_PORT), htons(PROBE_PORT));
	ret = run(probe, link, program, false, &frame, &verdict);
	if (!ret)
		ret = check_out(probe, pool, &frame, verdict);
	if (ret)
		return ret;
	probe->external = frame.ip.saddr;
	probe->external_port = frame.udp.uh_sport;
	probe->via_kernel = verdict == XDP_PASS;
	probe->sent.packets[probe->via_kernel ? NATXDP_PROBE_OUT_VIA_KERNEL :
						NATXDP_PROBE_OUT_FORWARDED]++;
	return 0;
}

static int run_back(struct probe *probe, const struct instance_link *link, int program)
{
	struct frame frame;
	__u32 verdict;
	int ret;

	make(&frame, probe->outside, probe->external, htons(PROBE_PORT), probe->external_port);
	ret = run(probe, link, program, true, &frame, &verdict);
	if (ret)
		return ret;
	if (frame.ip.daddr != probe->inside || ntohs(frame.udp.uh_dport) != PROBE_PORT)
		return fail(probe, "the packet back was not translated to the inside host");
	if (frame.ip.saddr != probe->outside || ntohs(frame.udp.uh_sport) != PROBE_PORT)
		return fail(probe, "the packet back has another source than before");
	ret = check_bytes(probe, "back", &frame, verdict);
	if (!ret)
		probe->sent.packets[verdict == XDP_PASS ? NATXDP_PROBE_IN_VIA_KERNEL :
							  NATXDP_PROBE_IN_FORWARDED]++;
	return ret;
}

int probe_run(struct probe *probe, const struct instance *instance, const int *program,
	      const struct pool *pool)
{
	unsigned int links = instance->link_count;
	int ret = links ? 0 : fail(probe, "there is no interface to send it through");

	memset(&probe->sent, 0, sizeof(probe->sent));
	for (unsigned int i = links > 1; !ret && i < links; i++)
		ret = run_out(probe, &instance->link[i], program[i], pool);
	/* the outside comes first; a single interface is both sides */
	if (!ret)
		ret = run_back(probe, &instance->link[0], program[0]);
	if (!ret)
		*probe->why = '\0';
	return ret;
}
