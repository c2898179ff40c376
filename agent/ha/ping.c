/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "ping.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"
#include "err.h"
#include "loop.h"

enum { FAMILIES = 2, PACKET_MAX = 1500, AT_ONCE = 16 };

/* The first 8 bytes are alike in both families. */
struct echo {
	uint8_t type, code;
	uint16_t checksum;
	uint16_t id, sequence; /* of the node */
	uint64_t secret;       /* who does not see our packets cannot answer for others */
};

struct target {
	int family; /* index; -1: this node */
	struct sockaddr_storage addr;
	socklen_t len;
};

struct ping {
	struct loop *loop;
	int fd[FAMILIES]; /* IPv4, IPv6; -1: not needed */
	uint64_t secret;
	unsigned int nodes;
	struct target target[POLICY_NODES];
	ping_answered answered;
	void *ctx;
};

static uint16_t checksum(const void *data, size_t len)
{
	const uint16_t *words = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < len / 2; i++)
		sum += words[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

void ping_send(struct ping *ping, unsigned int node)
{
	const struct target *target = &ping->target[node];
	struct echo echo = { 0 };

	if (target->family < 0)
		return;
	echo.type = target->family ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
	echo.id = htons(ping->secret);
	echo.sequence = htons(node);
	echo.secret = ping->secret;
	if (!target->family) /* of ICMPv6 the kernel does that */
		echo.checksum = checksum(&echo, sizeof(echo));
	/* what cannot be sent is as good as not answered */
	(void)!sendto(ping->fd[target->family], &echo, sizeof(echo), MSG_DONTWAIT,
		      (const struct sockaddr *)&target->addr, target->len);
}

static bool is_from(const struct target *target, const struct sockaddr_storage *from)
{
	const struct sockaddr_in6 *a6 = (const void *)&target->addr, *b6 = (const void *)from;
	const struct sockaddr_in *a = (const void *)&target->addr, *b = (const void *)from;

	if (target->family)
		return !memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr));
	return a->sin_addr.s_addr == b->sin_addr.s_addr;
}

static void take(struct ping *ping, int family, const uint8_t *packet, size_t len,
		 const struct sockaddr_storage *from)
{
	size_t head = family || !len ? 0 : (packet[0] & 15) * 4u; /* IPv4 comes with its header */
	struct echo echo;
	unsigned int node;

	if (len < head + sizeof(echo))
		return;
	memcpy(&echo, packet + head, sizeof(echo));
	node = ntohs(echo.sequence);
	if (echo.type != (family ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) ||
	    echo.secret != ping->secret || node >= ping->nodes ||
	    ping->target[node].family != family || !is_from(&ping->target[node], from))
		return;
	ping->answered(ping->ctx, node);
}

static void ready(void *ctx, int fd, uint32_t events)
{
	struct sockaddr_storage from;
	uint8_t packet[PACKET_MAX];
	struct ping *ping = ctx;
	socklen_t from_len;
	ssize_t len;

	(void)events;
	for (int i = 0; i < AT_ONCE; i++) {
		from_len = sizeof(from);
		len = recvfrom(fd, packet, sizeof(packet), MSG_DONTWAIT, (struct sockaddr *)&from,
			       &from_len);
		if (len < 0)
			return;
		take(ping, fd == ping->fd[1], packet, len, &from);
	}
}

/* Only echo replies wake the agent: a raw socket would else see all ICMP of the host. */
static int filter(int fd, int family)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), /* the IPv4 header */
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_ECHOREPLY, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };
	struct icmp6_filter types;

	if (!family)
		return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
	ICMP6_FILTER_SETBLOCKALL(&types);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &types);
	return setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &types, sizeof(types));
}

static int open_family(struct ping *ping, int family, struct err *err)
{
	int fd;

	if (ping->fd[family] >= 0)
		return 0;
	fd = socket(family ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    family ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	ping->fd[family] = fd;
	if (fd < 0 || filter(fd, family) || loop_watch(ping->loop, fd, EPOLLIN, ready, ping))
		return err_set(err, STATUS_PERMISSION, errno,
			       "a socket to probe peers with: %s: it needs CAP_NET_RAW",
			       strerror(errno));
	return 0;
}

static int add_target(struct ping *ping, const struct members *m, unsigned int node,
		      struct err *err)
{
	struct target *target = &ping->target[node];
	struct sockaddr_in6 *in6 = (void *)&target->addr;
	struct sockaddr_in *in = (void *)&target->addr;
	char host[CONF_TEXT_MAX];
	uint16_t port;

	target->family = -1;
	if (node == m->self)
		return 0;
	if (conf_split_address(m->conf->nodes.item[node].address, host, &port))
		return err_set(err, STATUS_CONFIG, EINVAL, "ha_nodes: %s: no address",
			       m->conf->nodes.item[node].id);
	if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		target->len = sizeof(*in);
		target->family = 0;
	} else if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
		in6->sin6_family = AF_INET6;
		target->len = sizeof(*in6);
		target->family = 1;
	}
	return open_family(ping, target->family, err);
}

struct ping *ping_open(struct loop *loop, const struct members *m, ping_answered answered,
		       void *ctx, struct err *err)
{
	struct ping *ping = calloc(1, sizeof(*ping));

	if (!ping || getrandom(&ping->secret, sizeof(ping->secret), 0) < 0) {
		free(ping);
		err_set(err, STATUS_SYSTEM, ENOMEM, "out of memory");
		return NULL;
	}
	ping->loop = loop;
	ping->answered = answered;
	ping->ctx = ctx;
	ping->nodes = m->nodes;
	ping->fd[0] = ping->fd[1] = -1;
	for (unsigned int i = 0; i < m->nodes; i++) {
		if (add_target(ping, m, i, err)) {
			ping_close(ping);
			return NULL;
		}
	}
	return ping;
}

void ping_close(struct ping *ping)
{
	if (!ping)
		return;
	for (int i = 0; i < FAMILIES; i++) {
		if (ping->fd[i] < 0)
			continue;
		loop_watch(ping->loop, ping->fd[i], 0, NULL, NULL);
		close(ping->fd[i]);
	}
	free(ping);
}
