/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * tcp_echo PORT...: sends the messages of tcp_load back, with the address that
 * it sees them come from. A connection with a message that is not whole, not
 * the next one, or of another connection is reset and counted as wrong.
 *
 * Prints one line of JSON when it listens, one for each line on its standard
 * input, and ends with that.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "message.h"

enum { EVENTS = 256, BACKLOG = 4096, DESCRIPTORS = 262144 };

struct connection {
	int fd;
	bool listens;
	struct sockaddr_in peer;
	bool known; /* the fields below are */
	uint32_t number, sequence;
	uint64_t seed;
	uint32_t have, sent; /* bytes of the message in hand */
	uint8_t bytes[MESSAGE_MAX];
};

static struct {
	uint64_t accepted, closed, wrong, messages;
} total;

static int ready; /* the epoll descriptor */

static void watch(struct connection *conn, int op, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = conn };

	if (epoll_ctl(ready, op, conn->fd, &event)) {
		perror("tcp_echo: epoll");
		exit(1);
	}
}

static void finish(struct connection *conn, bool wrong)
{
	const struct linger reset = { .l_onoff = 1 };

	if (wrong) {
		setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		total.wrong++;
	}
	close(conn->fd);
	free(conn);
	total.closed++;
}

static bool check(struct connection *conn, struct message *message)
{
	if (!message_is_whole(conn->bytes, message))
		return false;
	if (conn->known)
		return message->connection == conn->number && message->seed == conn->seed &&
		       message->sequence == ++conn->sequence;
	conn->known = true;
	conn->number = message->connection;
	conn->seed = message->seed;
	conn->sequence = message->sequence;
	return true;
}

/* Reads what is missing of a message: 1 whole, 0 not yet, -1 end, -2 wrong. */
static int take(struct connection *conn)
{
	struct message message;
	uint32_t want = sizeof(message);
	ssize_t got;

	for (;;) {
		if (conn->have >= sizeof(message)) {
			memcpy(&message, conn->bytes, sizeof(message));
			if (message.magic != MESSAGE_MAGIC || message.size > MESSAGE_MAX ||
			    message.size < sizeof(message))
				return -2;
			want = message.size;
		}
		if (conn->have == want)
			break;
		got = recv(conn->fd, conn->bytes + conn->have, want - conn->have, 0);
		if (got < 0)
			return errno == EAGAIN ? 0 : -1;
		if (got == 0)
			return -1;
		conn->have += got;
	}
	if (!check(conn, &message))
		return -2;
	message.peer_address = conn->peer.sin_addr.s_addr;
	message.peer_port = conn->peer.sin_port;
	memcpy(conn->bytes, &message, sizeof(message));
	total.messages++;
	return 1;
}

/* Sends what is left of it: 1 all, 0 not yet, -1 end. */
static int give(struct connection *conn)
{
	ssize_t put;

	while (conn->sent < conn->have) {
		put = send(conn->fd, conn->bytes + conn->sent, conn->have - conn->sent,
			   MSG_NOSIGNAL);
		if (put < 0)
			return errno == EAGAIN ? 0 : -1;
		conn->sent += put;
	}
	conn->have = conn->sent = 0;
	return 1;
}

static void serve(struct connection *conn, uint32_t events)
{
	int ret;

	if (events & EPOLLOUT) {
		ret = give(conn);
		if (ret < 0)
			return finish(conn, false);
		if (ret)
			watch(conn, EPOLL_CTL_MOD, EPOLLIN);
		return;
	}
	ret = take(conn);
	if (ret < 0)
		return finish(conn, ret == -2);
	if (!ret)
		return;
	ret = give(conn);
	if (ret < 0)
		return finish(conn, false);
	if (!ret)
		watch(conn, EPOLL_CTL_MOD, EPOLLOUT);
}

static struct connection *new_connection(int fd, bool listens)
{
	struct connection *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		perror("tcp_echo");
		exit(1);
	}
	conn->fd = fd;
	conn->listens = listens;
	watch(conn, EPOLL_CTL_ADD, EPOLLIN);
	return conn;
}

static void welcome(struct connection *listener)
{
	struct sockaddr_in peer;
	socklen_t size = sizeof(peer);
	int fd;

	while ((fd = accept4(listener->fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK)) >= 0) {
		new_connection(fd, false)->peer = peer;
		total.accepted++;
	}
}

static void listen_at(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(atoi(port)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, BACKLOG)) {
		fprintf(stderr, "tcp_echo: port %s: %s\n", port, strerror(errno));
		exit(1);
	}
	new_connection(fd, true);
}

static void report(const char *event)
{
	printf("{\"event\": \"%s\", \"accepted\": %lu, \"open\": %lu, \"wrong\": %lu, "
	       "\"messages\": %lu}\n",
	       event, total.accepted, total.accepted - total.closed, total.wrong, total.messages);
	fflush(stdout);
}

/* Is there more to come on the standard input? */
static bool answer_input(void)
{
	char text[64];

	if (read(STDIN_FILENO, text, sizeof(text)) <= 0)
		return false;
	report("report");
	return true;
}

int main(int argc, char **argv)
{
	struct epoll_event input = { .events = EPOLLIN }, events[EVENTS];

	if (argc < 2) {
		fprintf(stderr, "usage: tcp_echo PORT...\n");
		return 2;
	}
	descriptors_max(DESCRIPTORS);
	ready = epoll_create1(0);
	if (ready < 0 || epoll_ctl(ready, EPOLL_CTL_ADD, STDIN_FILENO, &input)) {
		perror("tcp_echo: epoll");
		return 1;
	}
	for (int i = 1; i < argc; i++)
		listen_at(argv[i]);
	report("listens");
	for (;;) {
		int count = epoll_wait(ready, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			struct connection *conn = events[i].data.ptr;

			if (!conn && !answer_input())
				return 0;
			else if (conn && conn->listens)
				welcome(conn);
			else if (conn)
				serve(conn, events[i].events);
		}
	}
}
