/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * connect server: takes connections on ports 5000 to 5015 until it is killed;
 * prints {} when it listens.
 *
 * connect client --to ADDRESS [--seconds N] [--threads N]: opens connections,
 * lets the other side see that they are there, closes them. Prints how many
 * there were, and in which time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

enum { PORT = 5000, PORTS = 16, BACKLOG = 4096, THREADS_MAX = 64 };

struct client {
	pthread_t thread;
	struct sockaddr_in to;
	double until;
	uint64_t connections;
	uint64_t failed;
};

static int listen_on(uint16_t port)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)) || listen(fd, BACKLOG))
		die("port %u", port);
	return fd;
}

static void serve(void)
{
	struct pollfd polls[PORTS];
	char byte;
	int fd;

	for (int i = 0; i < PORTS; i++)
		polls[i] = (struct pollfd){ .fd = listen_on(PORT + i), .events = POLLIN };
	print_json(cJSON_CreateObject());
	for (;;) {
		if (poll(polls, PORTS, -1) < 0)
			die("poll");
		for (int i = 0; i < PORTS; i++) {
			while ((fd = accept(polls[i].fd, NULL, NULL)) >= 0) {
				/* the byte is with the connection, or comes soon: its end too */
				while (read(fd, &byte, 1) > 0)
					;
				close(fd);
			}
		}
	}
}

static void *run_client(void *data)
{
	struct client *c = data;
	struct timeval patience = { .tv_sec = 2 };
	uint16_t next = 0;
	int fd;

	while (now_ns() < c->until) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		if (fd < 0)
			die("socket");
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		c->to.sin_port = htons(PORT + next++ % PORTS);
		if (connect(fd, (struct sockaddr *)&c->to, sizeof(c->to)) || write(fd, "x", 1) != 1)
			c->failed++;
		else
			c->connections++;
		close(fd);
	}
	return NULL;
}

static void run_clients(int argc, char **argv)
{
	unsigned int threads = option_number(argc, argv, "--threads", 8);
	double seconds = option_number(argc, argv, "--seconds", 1), start = now_ns();
	static struct client clients[THREADS_MAX];
	cJSON *root = cJSON_CreateObject();
	uint64_t connections = 0, failed = 0;

	for (unsigned int i = 0; i < threads && i < THREADS_MAX; i++) {
		clients[i].to.sin_family = AF_INET;
		clients[i].to.sin_addr.s_addr = inet_addr(option_text(argc, argv, "--to", ""));
		clients[i].until = start + seconds * 1e9;
		errno = pthread_create(&clients[i].thread, NULL, run_client, &clients[i]);
		if (errno)
			die("thread");
	}
	for (unsigned int i = 0; i < threads && i < THREADS_MAX; i++) {
		pthread_join(clients[i].thread, NULL);
		connections += clients[i].connections;
		failed += clients[i].failed;
	}
	cJSON_AddNumberToObject(root, "connections", connections);
	cJSON_AddNumberToObject(root, "failed", failed);
	cJSON_AddNumberToObject(root, "seconds", (now_ns() - start) / 1e9);
	print_json(root);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "server"))
		serve();
	else if (!strcmp(what, "client"))
		run_clients(argc, argv);
	return 2 * (strcmp(what, "client") != 0);
}
