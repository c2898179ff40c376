/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "frame.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

uint32_t addr(const char *dotted)
{
	return ntohl(inet_addr(dotted));
}

/* The one's complement sum of RFC 1071, the plain way. */
static uint32_t sum_words(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *p = data;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += p[i] << 8 | p[i + 1];
	if (len & 1)
		sum += p[len - 1] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint32_t pseudo_header(const struct ip *ip, size_t l4_len)
{
	return sum_words(&ip->ip_src, 8, ip->ip_p + l4_len);
}

static size_t l4_header_len(uint8_t proto)
{
	return proto == IPPROTO_TCP ? 20 : proto == IPPROTO_UDP || proto == IPPROTO_ICMP ? 8 : 0;
}

static void build_l4(const struct frame *f, const struct ip *ip, uint8_t *l4, size_t len)
{
	struct tcphdr *tcp = (void *)l4;
	struct udphdr *udp = (void *)l4;
	struct icmphdr *icmp = (void *)l4;

	switch (f->proto) {
	case IPPROTO_TCP:
		tcp->source = htons(f->sport);
		tcp->dest = htons(f->dport);
		tcp->seq = htonl(f->seq);
		tcp->ack_seq = htonl(f->ack);
		tcp->doff = 5 + f->tcp_options_len / 4;
		memcpy(tcp + 1, f->tcp_options, f->tcp_options_len);
		l4[13] = f->tcp_flags;
		tcp->window = htons(1024);
		tcp->check = htons(~fold(sum_words(l4, len, pseudo_header(ip, len))));
		break;
	case IPPROTO_UDP:
		udp->source = htons(f->sport);
		udp->dest = htons(f->dport);
		udp->len = htons(len);
		if (f->no_udp_csum)
			break;
		udp->check = htons(~fold(sum_words(l4, len, pseudo_header(ip, len))));
		if (!udp->check)
			udp->check = 0xffff;
		break;
	case IPPROTO_ICMP:
		icmp->type = f->icmp_type;
		icmp->un.echo.id = htons(f->sport);
		icmp->un.echo.sequence = htons(1);
		icmp->checksum = htons(~fold(sum_words(l4, len, 0)));
		break;
	}
}

size_t frame_build(const struct frame *f, uint8_t *to)
{
	size_t head = l4_header_len(f->proto), l4_len = head + f->payload;
	struct ether_header *eth = (void *)to;
	struct ip *ip = (void *)(to + sizeof(*eth));
	size_t ip_len = sizeof(*ip) + f->ip_options;
	uint8_t *l4 = to + sizeof(*eth) + ip_len;
	int i;

	memset(to, 0, FRAME_MAX);
	memcpy(eth->ether_shost, f->src_mac, 6);
	memcpy(eth->ether_dhost, f->dst_mac, 6);
	eth->ether_type = htons(ETHERTYPE_IP);
	ip->ip_v = 4;
	ip->ip_hl = ip_len / 4;
	ip->ip_tos = f->tos;
	ip->ip_len = htons(ip_len + l4_len);
	ip->ip_id = htons(0x1234);
	ip->ip_off = htons(f->frag_off);
	ip->ip_ttl = f->ttl ? f->ttl : 64;
	ip->ip_p = f->proto;
	ip->ip_src.s_addr = htonl(f->saddr);
	ip->ip_dst.s_addr = htonl(f->daddr);
	memset(ip + 1, 1, f->ip_options); /* no operation */
	ip->ip_sum = htons(~fold(sum_words(ip, ip_len, 0)));
	for (i = 0; i < f->payload; i++)
		l4[head + i] = f->fill + i;
	if (f->word)
		memcpy(l4 + head, (uint8_t[]){ f->word >> 8, f->word }, 2);
	build_l4(f, ip, l4, l4_len);
	memset(l4 + l4_len, 0xee, f->padding);
	return sizeof(*eth) + ip_len + l4_len + f->padding;
}

size_t frame_build_error(const struct frame *f, uint8_t code, const uint8_t *quote, size_t quoted,
			 uint8_t *to)
{
	struct frame outer = *f;
	struct icmphdr *icmp;
	size_t len;

	outer.proto = IPPROTO_ICMP;
	outer.payload = quoted;
	len = frame_build(&outer, to);
	icmp = (void *)(to + len - outer.padding - quoted - sizeof(*icmp));
	memcpy(icmp + 1, quote, quoted);
	icmp->code = code;
	icmp->un.gateway = 0;
	icmp->checksum = 0;
	icmp->checksum = htons(~fold(sum_words(icmp, sizeof(*icmp) + quoted, 0)));
	return len;
}

static bool parse_l4(const struct ip *ip, const uint8_t *l4, size_t len, struct frame *f)
{
	const struct tcphdr *tcp = (const void *)l4;
	const struct udphdr *udp = (const void *)l4;
	const struct icmphdr *icmp = (const void *)l4;

	switch (f->proto) {
	case IPPROTO_TCP:
		f->sport = ntohs(tcp->source);
		f->dport = ntohs(tcp->dest);
		f->seq = ntohl(tcp->seq);
		f->ack = ntohl(tcp->ack_seq);
		f->tcp_flags = l4[13];
		return fold(sum_words(l4, len, pseudo_header(ip, len))) == 0xffff;
	case IPPROTO_UDP:
		f->sport = ntohs(udp->source);
		f->dport = ntohs(udp->dest);
		f->no_udp_csum = !udp->check;
		return ntohs(udp->len) == len &&
		       (!udp->check || fold(sum_words(l4, len, pseudo_header(ip, len))) == 0xffff);
	case IPPROTO_ICMP:
		f->icmp_type = icmp->type;
		f->sport = ntohs(icmp->un.echo.id);
		return fold(sum_words(l4, len, 0)) == 0xffff;
	}
	return true;
}

bool frame_parse(const uint8_t *from, size_t len, struct frame *f)
{
	const struct ether_header *eth = (const void *)from;
	const struct ip *ip = (const void *)(from + sizeof(*eth));
	size_t ip_len, total;

	memset(f, 0, sizeof(*f));
	if (len < sizeof(*eth) + sizeof(*ip) || eth->ether_type != htons(ETHERTYPE_IP))
		return false;
	ip_len = ip->ip_hl * 4;
	total = ntohs(ip->ip_len);
	f->proto = ip->ip_p;
	if (ip->ip_v != 4 || total > len - sizeof(*eth) || total < ip_len + l4_header_len(f->proto))
		return false;
	memcpy(f->src_mac, eth->ether_shost, 6);
	memcpy(f->dst_mac, eth->ether_dhost, 6);
	f->saddr = ntohl(ip->ip_src.s_addr);
	f->daddr = ntohl(ip->ip_dst.s_addr);
	f->ttl = ip->ip_ttl;
	f->tos = ip->ip_tos;
	f->frag_off = ntohs(ip->ip_off);
	f->ip_options = ip_len - sizeof(*ip);
	f->payload = total - ip_len - l4_header_len(f->proto);
	f->padding = len - sizeof(*eth) - total;
	if (fold(sum_words(ip, ip_len, 0)) != 0xffff)
		return false;
	return parse_l4(ip, (const uint8_t *)ip + ip_len, total - ip_len, f);
}

bool frame_same_payload(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	struct frame fa, fb;
	size_t head;

	if (!frame_parse(a, a_len, &fa) || !frame_parse(b, b_len, &fb) ||
	    fa.payload != fb.payload || fa.proto != fb.proto)
		return false;
	head = sizeof(struct ether_header) + sizeof(struct ip) + l4_header_len(fa.proto);
	return !memcmp(a + head + fa.ip_options, b + head + fb.ip_options, fa.payload);
}
