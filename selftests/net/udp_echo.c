/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* udp_echo PORT...: sends every datagram back to where it came from. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { PORTS_MAX = 64, BATCH = 64, SIZE = 2048, BUFFER = 64 << 20 };

struct batch {
	struct mmsghdr message[BATCH];
	struct iovec vector[BATCH];
	struct sockaddr_in peer[BATCH];
	char data[BATCH][SIZE];
};

static int open_port(const char *text)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atoi(text)) };
	const int buffer = BUFFER;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer, sizeof(buffer)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		fprintf(stderr, "udp_echo: port %s: %s\n", text, strerror(errno));
		exit(1);
	}
	return fd;
}

static void echo(int fd, struct batch *batch)
{
	int got, sent, ret;

	for (int i = 0; i < BATCH; i++) {
		batch->vector[i].iov_base = batch->data[i];
		batch->vector[i].iov_len = SIZE;
		batch->message[i].msg_hdr.msg_iov = &batch->vector[i];
		batch->message[i].msg_hdr.msg_iovlen = 1;
		batch->message[i].msg_hdr.msg_name = &batch->peer[i];
		batch->message[i].msg_hdr.msg_namelen = sizeof(batch->peer[i]);
	}
	got = recvmmsg(fd, batch->message, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < got; i++)
		batch->vector[i].iov_len = batch->message[i].msg_len;
	for (sent = 0; sent < got; sent += ret) {
		ret = sendmmsg(fd, batch->message + sent, got - sent, 0);
		if (ret < 0) {
			fprintf(stderr, "udp_echo: cannot send: %s\n", strerror(errno));
			ret = 1; /* the client misses this one */
		}
	}
}

int main(int argc, char **argv)
{
	static struct batch batch;
	struct pollfd port[PORTS_MAX];
	int count = argc - 1;

	if (count < 1 || count > PORTS_MAX) {
		fprintf(stderr, "usage: udp_echo PORT...\n");
		return 2;
	}
	for (int i = 0; i < count; i++)
		port[i] = (struct pollfd){ .fd = open_port(argv[i + 1]), .events = POLLIN };
	for (;;) {
		if (poll(port, count, -1) < 0)
			return 1;
		for (int i = 0; i < count; i++) {
			if (port[i].revents)
				echo(port[i].fd, &batch);
		}
	}
}
