/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "flows.h"

#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum { HOSTS = 64, DESTINATIONS = 1024, PORT_MIN = 1024, PORTS = 64512, PORT_STEP = 1009 };

struct tuple flow_tuple(uint32_t flow, enum spread spread)
{
	uint32_t group = flow % (HOSTS * DESTINATIONS), n = flow / (HOSTS * DESTINATIONS);
	uint32_t host = flow / DESTINATIONS % HOSTS;
	/* the start is mixed, the steps keep flows of the same two ends apart */
	uint32_t port = PORT_MIN + ((group * 2654435761u >> 8) + n * PORT_STEP) % PORTS;

	if (spread == SPREAD_ONE_HOST) {
		host = 0;
		port = PORT_MIN + flow / DESTINATIONS;
	}
	return (struct tuple){
		.saddr = htonl(BENCH_INSIDE + host),
		.daddr = htonl(BENCH_DESTINATIONS + flow % DESTINATIONS),
		.sport = htons(port),
		.dport = htons(443),
		.flow = flow,
	};
}

static uint64_t next_random(void)
{
	static uint64_t x = 88172645463325252ull; /* xorshift64: the same flows every time */

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* The chances of 1/n, summed up, and in them the place of a random number. */
static double *zipf_sums(uint32_t count)
{
	double *sums = malloc(count * sizeof(*sums)), sum = 0;

	if (!sums)
		die("memory");
	for (uint32_t i = 0; i < count; i++) {
		sum += 1.0 / (i + 1);
		sums[i] = sum;
	}
	return sums;
}

static uint32_t zipf_find(const double *sums, uint32_t count)
{
	double wanted = (next_random() >> 11) * 0x1p-53 * sums[count - 1];
	uint32_t low = 0, high = count - 1;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (sums[middle] < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void draw(struct tuple *draws, uint32_t draw_count, const struct tuple *flows, uint32_t count,
	  enum order order)
{
	double *sums = order == ORDER_ZIPF ? zipf_sums(count) : NULL;

	for (uint32_t i = 0; i < draw_count; i++) {
		uint32_t flow = i % count;

		if (order == ORDER_UNIFORM)
			flow = (next_random() >> 32) * count >> 32;
		else if (order == ORDER_ZIPF)
			flow = zipf_find(sums, count);
		draws[i] = flows[flow];
	}
	free(sums);
}

void make_frame(uint8_t frame[FRAME_SIZE], const struct tuple *tuple, uint8_t proto,
		uint8_t tcp_flags)
{
	struct ether_header *eth = (struct ether_header *)frame;
	struct iphdr *ip = (struct iphdr *)(eth + 1);
	struct tcphdr *tcp = (struct tcphdr *)(ip + 1);
	struct udphdr *udp = (struct udphdr *)(ip + 1);

	memset(frame, 0, FRAME_SIZE);
	eth->ether_type = htons(ETHERTYPE_IP);
	ip->version = 4;
	ip->ihl = 5;
	ip->ttl = 64;
	ip->tot_len = htons(FRAME_SIZE - sizeof(*eth));
	ip->protocol = proto;
	ip->saddr = tuple->saddr;
	ip->daddr = tuple->daddr;
	udp->source = tuple->sport;
	udp->dest = tuple->dport;
	if (proto == IPPROTO_UDP) {
		udp->len = htons(FRAME_SIZE - sizeof(*eth) - sizeof(*ip));
		udp->check = htons(0x1234);
	} else {
		tcp->doff = 5;
		tcp->th_flags = tcp_flags;
		tcp->check = htons(0x1234);
	}
}

struct tuple answer_tuple(const uint8_t frame[FRAME_SIZE])
{
	const struct iphdr *ip = (const struct iphdr *)(frame + sizeof(struct ether_header));
	const struct udphdr *udp = (const struct udphdr *)(ip + 1);

	return (struct tuple){
		.saddr = ip->daddr,
		.daddr = ip->saddr,
		.sport = udp->dest,
		.dport = udp->source,
	};
}
