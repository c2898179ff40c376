/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Both ends of the NAT tests in a guest, where there is no Python.
 *
 * talk serve PORT LOG        echoes TCP and UDP at PORT until it is killed;
 *                            appends "PROTOCOL ADDRESS PORT" to LOG for each
 *                            connection and datagram, and "icmp ADDRESS ID"
 *                            for each echo request that arrives
 * talk tcp ADDR PORT BYTES   sends so many bytes over one connection and
 *                            compares each that comes back
 * talk udp ADDR PORT COUNT   as many datagrams, of growing size, one socket each
 *
 * The last two print "PROTOCOL PORT" of the own end and exit with 0 only if
 * every byte came back as it was.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 16, CHUNK = 16384, DATAGRAM_MAX = 1400, PATIENCE_MS = 30000 };

static void die(const char *what)
{
	fprintf(stderr, "talk: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sockaddr_in address(const char *addr, const char *port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(atoi(port)),
		.sin_addr.s_addr = addr ? inet_addr(addr) : INADDR_ANY,
	};
}

static int open_socket(int type, int protocol)
{
	int fd = socket(AF_INET, type, protocol);

	if (fd < 0)
		die("socket");
	return fd;
}

static int bound(int type, const char *port)
{
	struct sockaddr_in own = address(NULL, port);
	int fd = open_socket(type, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&own, sizeof(own)))
		die("bind");
	if (type == SOCK_STREAM && listen(fd, CONNECTIONS))
		die("listen");
	return fd;
}

static void note(FILE *log, const char *protocol, const struct sockaddr_in *peer, unsigned int port)
{
	fprintf(log, "%s %s %u\n", protocol, inet_ntoa(peer->sin_addr), port);
	fflush(log);
}

static void echo_datagram(int fd, FILE *log)
{
	unsigned char data[DATAGRAM_MAX * 2];
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);
	ssize_t len = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&peer, &size);

	if (len < 0)
		return;
	note(log, "udp", &peer, ntohs(peer.sin_port));
	sendto(fd, data, len, 0, (struct sockaddr *)&peer, size);
}

static void see_icmp(int fd, FILE *log)
{
	unsigned char data[2048];
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);
	ssize_t len = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&peer, &size);
	const struct iphdr *ip = (const struct iphdr *)data;
	const struct icmphdr *icmp = (const struct icmphdr *)(data + ip->ihl * 4);

	if (len >= ip->ihl * 4 + (ssize_t)sizeof(*icmp) && icmp->type == ICMP_ECHO)
		note(log, "icmp", &peer, ntohs(icmp->un.echo.id));
}

static void take(struct pollfd *fds, unsigned int first, FILE *log)
{
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);
	int fd = accept(fds[0].fd, (struct sockaddr *)&peer, &size);

	for (unsigned int i = first; fd >= 0 && i < first + CONNECTIONS; i++) {
		if (fds[i].fd >= 0)
			continue;
		fds[i].fd = fd;
		note(log, "tcp", &peer, ntohs(peer.sin_port));
		return;
	}
	close(fd);
}

static void echo_stream(struct pollfd *client)
{
	unsigned char data[CHUNK];
	ssize_t len = read(client->fd, data, sizeof(data));

	if (len > 0 && write(client->fd, data, len) == len)
		return;
	close(client->fd);
	client->fd = -1;
}

static void serve(const char *port, const char *path)
{
	enum { STREAM, DATAGRAM, ICMP, FIRST };
	struct pollfd fds[FIRST + CONNECTIONS];
	FILE *log = fopen(path, "a");

	if (!log)
		die(path);
	for (unsigned int i = 0; i < FIRST + CONNECTIONS; i++)
		fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	fds[DATAGRAM].fd = bound(SOCK_DGRAM, port);
	fds[ICMP].fd = open_socket(SOCK_RAW, IPPROTO_ICMP);
	fds[STREAM].fd = bound(SOCK_STREAM, port);
	note(log, "ready", &(struct sockaddr_in){ 0 }, 0);
	while (poll(fds, FIRST + CONNECTIONS, -1) > 0) {
		if (fds[DATAGRAM].revents)
			echo_datagram(fds[DATAGRAM].fd, log);
		if (fds[ICMP].revents)
			see_icmp(fds[ICMP].fd, log);
		for (unsigned int i = FIRST; i < FIRST + CONNECTIONS; i++) {
			if (fds[i].revents)
				echo_stream(&fds[i]);
		}
		if (fds[STREAM].revents)
			take(fds, FIRST, log);
	}
}

/* No two places of a stream or datagram close together are alike. */
static unsigned char pattern(size_t at)
{
	return at * 2654435761u >> 13;
}

static int connected(int type, const char *addr, const char *port, unsigned int *own_port)
{
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	struct sockaddr_in peer = address(addr, port), own;
	int fd = open_socket(type, 0);
	socklen_t size = sizeof(own);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&peer, sizeof(peer)) ||
	    getsockname(fd, (struct sockaddr *)&own, &size))
		die("connect");
	*own_port = ntohs(own.sin_port);
	return fd;
}

/* Sends @len bytes of the pattern from @at on, and wants the same back. */
static void exchange(int fd, size_t at, size_t len)
{
	unsigned char data[CHUNK];
	size_t done = 0;
	ssize_t got;

	for (size_t i = 0; i < len; i++)
		data[i] = pattern(at + i);
	if (write(fd, data, len) != (ssize_t)len)
		die("write");
	while (done < len) {
		got = read(fd, data, len - done);
		if (got <= 0)
			die("read");
		for (ssize_t i = 0; i < got; i++) {
			if (data[i] != pattern(at + done + i)) {
				errno = EBADMSG;
				die("what came back");
			}
		}
		done += got;
	}
}

static void stream(const char *addr, const char *port, size_t bytes)
{
	unsigned int own;
	int fd = connected(SOCK_STREAM, addr, port, &own);

	for (size_t at = 0; at < bytes; at += CHUNK)
		exchange(fd, at, bytes - at < CHUNK ? bytes - at : CHUNK);
	printf("tcp %u\n", own);
	close(fd);
}

static void datagrams(const char *addr, const char *port, size_t count)
{
	unsigned int own;
	int fd;

	for (size_t i = 1; i <= count; i++) {
		fd = connected(SOCK_DGRAM, addr, port, &own);
		exchange(fd, i, i * DATAGRAM_MAX / count);
		printf("udp %u\n", own);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "serve"))
		serve(argv[2], argv[3]);
	else if (argc == 5 && !strcmp(argv[1], "tcp"))
		stream(argv[2], argv[3], strtoul(argv[4], NULL, 10));
	else if (argc == 5 && !strcmp(argv[1], "udp"))
		datagrams(argv[2], argv[3], strtoul(argv[4], NULL, 10));
	else
		return 2;
	return 0;
}
