/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "wire.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <natxdp/tunnel.h>

#include "instance.h"
#include "nat.h"
#include "plan.h"
#include "probe.h"
#include "rtnl.h"
#include "table.h"

enum { PATIENCE_MS = 3000, POLL_MS = 10, FIRST_PORT = 1024 };

struct wire_frame {
	char align[2]; /* so that the IP header is */
	struct ether_header eth;
	struct iphdr ip;
	union {
		struct tcphdr tcp;
		struct icmphdr icmp;
	};
};

static int fail(struct wire *wire, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct wire *wire, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(wire->why, sizeof(wire->why), fmt, args);
	va_end(args);
	return -EIO;
}

bool wire_parse(struct wire *wire, const char *text)
{
	char addr[INET_ADDRSTRLEN], *end = NULL;
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);
	long port = 0;

	memset(wire, 0, sizeof(*wire));
	if (len >= sizeof(addr))
		return false;
	memcpy(addr, text, len);
	addr[len] = '\0';
	if (inet_pton(AF_INET, addr, &wire->target) != 1)
		return false;
	if (!colon)
		return true;
	port = strtol(colon + 1, &end, 10);
	wire->port = htons(port);
	return end != colon + 1 && !*end && port > 0 && port < 65536;
}

static uint16_t checksum(const void *data, size_t len, uint32_t start)
{
	const uint8_t *byte = data;

	for (size_t i = 0; i < len; i++)
		start += i % 2 ? byte[i] : byte[i] << 8;
	while (start >> 16)
		start = (start & 0xffff) + (start >> 16);
	return htons(~start);
}

static uint32_t pseudo_sum(const struct iphdr *ip)
{
	const uint16_t *word = (const void *)&ip->saddr;
	uint32_t sum = ip->protocol + sizeof(struct tcphdr);

	for (int i = 0; i < 4; i++)
		sum += ntohs(word[i]);
	return sum;
}

/* Returns the bytes from eth on. */
static size_t make(const struct wire *wire, uint16_t port, bool reset, struct wire_frame *frame)
{
	size_t l4 = wire->port ? sizeof(frame->tcp) : sizeof(frame->icmp);

	frame->eth.ether_type = htons(ETHERTYPE_IP);
	memset(&frame->ip, 0, sizeof(*frame) - ((char *)&frame->ip - (char *)frame));
	frame->ip.version = 4;
	frame->ip.ihl = 5;
	frame->ip.tot_len = htons(sizeof(frame->ip) + l4);
	frame->ip.ttl = IPDEFTTL;
	frame->ip.protocol = wire->port ? IPPROTO_TCP : IPPROTO_ICMP;
	frame->ip.saddr = wire->inside;
	frame->ip.daddr = wire->target;
	frame->ip.check = checksum(&frame->ip, sizeof(frame->ip), 0);
	if (wire->port) {
		frame->tcp.source = htons(port);
		frame->tcp.dest = wire->port;
		frame->tcp.seq = htonl(reset);
		frame->tcp.doff = sizeof(frame->tcp) / 4;
		frame->tcp.syn = !reset;
		frame->tcp.rst = reset;
		frame->tcp.window = htons(1024);
		frame->tcp.check = checksum(&frame->tcp, l4, pseudo_sum(&frame->ip));
	} else {
		frame->icmp.type = ICMP_ECHO;
		frame->icmp.un.echo.id = htons(port);
		frame->icmp.checksum = checksum(&frame->icmp, l4, 0);
	}
	return sizeof(frame->eth) + sizeof(frame->ip) + l4;
}

/* One-armed, the frame goes back to where it came from: it has to come from the gateway. */
static int gateway_mac(struct wire *wire, const char *iface, uint8_t mac[ETH_ALEN])
{
	struct arpreq request = { 0 };
	struct sockaddr_in *at = (struct sockaddr_in *)&request.arp_pa;
	uint32_t ifindex;
	__be32 gateway;
	int fd, ret;

	if (rtnl_way_out(&ifindex, &gateway) || !gateway)
		return fail(wire, "there is no gateway to send by: 'ip route' shows the routes");
	at->sin_family = AF_INET;
	at->sin_addr.s_addr = gateway;
	snprintf(request.arp_dev, sizeof(request.arp_dev), "%s", iface);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ret = fd < 0 ? -1 : ioctl(fd, SIOCGARP, &request);
	if (fd >= 0)
		close(fd);
	if (ret || !(request.arp_flags & ATF_COM))
		return fail(wire,
			    "the hardware address of the gateway is not known: ping it first");
	memcpy(mac, request.arp_ha.sa_data, ETH_ALEN);
	return 0;
}

/* The kernel takes what the program passes only if it is addressed to the interface. */
static int own_mac(struct wire *wire, const char *iface, uint8_t mac[ETH_ALEN])
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", iface);
	ret = fd < 0 ? -1 : ioctl(fd, SIOCGIFHWADDR, &request);
	if (fd >= 0)
		close(fd);
	if (ret)
		return fail(wire, "%s: its hardware address cannot be read", iface);
	memcpy(mac, request.ifr_hwaddr.sa_data, ETH_ALEN);
	return 0;
}

/* The bytes of a frame as it comes, behind load balancers in GENEVE. Returns how many. */
static size_t put_frame(const struct probe *probe, const struct wire_frame *frame, size_t len,
			uint8_t *data)
{
	size_t at = sizeof(frame->eth), inner = len - at;

	memcpy(data, &frame->eth, at);
	if (probe->lb) {
		probe_wrap(probe, inner, data + at);
		at += NATXDP_TUNNEL_OVERHEAD;
	}
	memcpy(data + at, &frame->ip, inner);
	return at + inner;
}

/* The kernel runs the program on it as on a frame that came in, and does what that says. */
static int send_frame(struct wire *wire, const struct probe *probe,
		      const struct instance_link *link, const struct wire_frame *frame, size_t len)
{
	uint8_t data[sizeof(*frame) + NATXDP_TUNNEL_OVERHEAD];
	struct xdp_md md = { .ingress_ifindex = link->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .ctx_in = &md,
		    .ctx_size_in = sizeof(md), .repeat = 1, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	int fd = bpf_prog_get_fd_by_id(link->entry), ret;

	md.data_end = opts.data_size_in = put_frame(probe, frame, len, data);
	ret = fd < 0 || bpf_prog_test_run_opts(fd, &opts) ? -errno : 0;
	if (fd >= 0)
		close(fd);
	return ret ? fail(wire, "%s: a frame cannot be sent through its program: %s", link->name,
			  strerror(-ret)) :
		     0;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/* Until the entry of the answers has seen one. */
static int wait_answer(struct wire *wire, const struct nat *nat, const struct natxdp_key *key)
{
	uint64_t start = now_ms();
	struct flow_view view;
	bool left = false;
	int ret = -EIO;
	struct table table;

	if (table_open(&table, nat, TABLE_READ))
		return fail(wire, "the flow table cannot be read");
	while (ret && now_ms() - start < PATIENCE_MS) {
		if (table_find(&table, &nat->config.geometry, key, &view)) {
			left = true;
			wire->external = view.out.new_saddr;
			wire->external_port = view.out.new_sport;
			wire->ms = now_ms() - start;
			ret = view.in.packets ? 0 : -EIO;
		}
		if (ret)
			nanosleep(&(struct timespec){ .tv_nsec = POLL_MS * 1000000 }, NULL);
	}
	table_close(&table);
	if (ret)
		fail(wire,
		     left ? "no answer in %d ms: is the target there, and does its answer "
			    "find the way to the external address?" :
			    "no flow was opened in %d ms: 'natxdp stats' counts why",
		     PATIENCE_MS);
	return ret;
}

int wire_run(struct wire *wire, const struct probe *probe, const struct instance *instance,
	     const struct nat *nat, const struct plan *plan)
{
	/* the outside comes first; a single interface is both sides */
	const struct instance_link *link = &instance->link[instance->link_count > 1];
	struct wire_frame frame = { .eth = { .ether_shost = { 2, 0, 0, 0, 0, 1 } } };
	struct natxdp_key key;
	uint16_t port;
	size_t len;
	int ret;

	*wire->why = '\0';
	wire->inside = probe->inside;
	/* another one each time, so that no answer of before counts */
	if (getrandom(&port, sizeof(port), 0) != sizeof(port))
		return fail(wire, "no random numbers");
	port |= FIRST_PORT;
	ret = own_mac(wire, link->name, frame.eth.ether_dhost);
	if (!ret && !plan->two_armed)
		ret = gateway_mac(wire, link->name, frame.eth.ether_shost);
	if (ret)
		return ret;
	probe_key(probe, instance, &key);
	key.daddr = wire->target;
	key.sport = htons(port);
	key.dport = wire->port;
	key.proto = wire->port ? IPPROTO_TCP : IPPROTO_ICMP;
	len = make(wire, port, false, &frame);
	ret = send_frame(wire, probe, link, &frame, len);
	key.tenant = prove_tenant(probe, nat); /* that frame has made its tunnel, if none before */
	if (!ret)
		ret = wait_answer(wire, nat, &key);
	if (!ret && wire->port) /* the target need not wait for more */
		ret = send_frame(wire, probe, link, &frame, make(wire, port, true, &frame));
	return ret;
}
