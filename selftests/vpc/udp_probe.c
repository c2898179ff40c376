/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * udp_probe: how long does nothing come back? Sends a datagram every interval
 * to an echo server (udp_echo of selftests/net), from one socket, so that it
 * is one flow, or with --fresh from a new socket each time.
 *
 * Each line on the standard input is answered by a line of JSON: sent,
 * answered, and the outage, which is the longest time between the sending of
 * two datagrams that were answered with none in between. `mark` begins anew.
 */
#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SOCKETS = 4096, EVENTS = 64 }; /* a fresh socket is reused so many probes later */

struct probe {
	uint64_t number;
	double sent_at;
};

struct run {
	struct sockaddr_in to;
	double interval;
	bool fresh;
	int ready, input;
	int socket[SOCKETS];
	uint64_t sent, answered;
	double latest; /* sending time of the latest probe that was answered */
	double outage, outage_from;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "udp_probe: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_socket(struct run *run)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (fd < 0 || connect(fd, (struct sockaddr *)&run->to, sizeof(run->to)) ||
	    epoll_ctl(run->ready, EPOLL_CTL_ADD, fd, &event))
		die("cannot open a socket");
	return fd;
}

static void send_probe(struct run *run)
{
	struct probe probe = { run->sent++, now() };
	int *fd = &run->socket[run->fresh ? probe.number % SOCKETS : 0];

	if (run->fresh && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
	if (*fd < 0)
		*fd = open_socket(run);
	/* an ICMP error of an earlier one comes as an error of this one */
	if (send(*fd, &probe, sizeof(probe), 0) < 0)
		send(*fd, &probe, sizeof(probe), 0);
}

static void receive(struct run *run, int fd)
{
	struct probe probe;

	while (recv(fd, &probe, sizeof(probe), 0) == sizeof(probe)) {
		run->answered++;
		if (probe.sent_at <= run->latest)
			continue; /* late */
		if (run->latest > 0 && probe.sent_at - run->latest > run->outage) {
			run->outage = probe.sent_at - run->latest;
			run->outage_from = run->latest;
		}
		run->latest = probe.sent_at;
	}
}

static bool take_order(struct run *run)
{
	double silent = run->latest > 0 ? now() - run->latest : 0;
	char text[64];
	ssize_t got = read(STDIN_FILENO, text, sizeof(text) - 1);

	if (got <= 0)
		return false;
	printf("{\"sent\": %lu, \"answered\": %lu, \"outage_ms\": %.1f, \"outage_from\": %.4f, "
	       "\"silent_ms\": %.1f}\n",
	       run->sent, run->answered, run->outage * 1e3, run->outage_from, silent * 1e3);
	fflush(stdout);
	text[got] = '\0';
	if (!strcmp(text, "mark\n"))
		run->outage = run->outage_from = 0;
	return true;
}

static void go(struct run *run)
{
	struct epoll_event events[EVENTS];
	double due = now(), left;
	int count;

	for (;;) {
		left = due - now();
		/* the interval is a pace; what a busy machine makes late is not hurried after */
		count = epoll_wait(run->ready, events, EVENTS, left > 0 ? left * 1e3 + 1 : 0);
		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == STDIN_FILENO && !take_order(run))
				return;
			if (events[i].data.fd != STDIN_FILENO)
				receive(run, events[i].data.fd);
		}
		if (now() < due)
			continue;
		send_probe(run);
		due = due + run->interval > now() ? due + run->interval : now();
	}
}

static const struct argp_option options[] = {
	{ "to", 't', "ADDR:PORT", 0, "where the echo is", 0 },
	{ "interval", 'i', "MS", 0, "between two probes (5)", 0 },
	{ "fresh", 'f', 0, 0, "each from a new port", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run *run = state->input;
	char *colon;

	switch (key) {
	case 't':
		colon = strchr(arg, ':');
		if (!colon)
			return EINVAL;
		*colon = '\0';
		run->to.sin_family = AF_INET;
		run->to.sin_port = htons(atoi(colon + 1));
		return inet_pton(AF_INET, arg, &run->to.sin_addr) == 1 ? 0 : EINVAL;
	case 'i':
		run->interval = atof(arg) / 1e3;
		return run->interval > 0 ? 0 : EINVAL;
	case 'f':
		run->fresh = true;
		return 0;
	case ARGP_KEY_END:
		if (!run->to.sin_port)
			argp_error(state, "--to is needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	const struct argp argp = { options, parse, NULL, NULL, NULL, NULL, NULL };
	const struct rlimit limit = { 2 * SOCKETS, 2 * SOCKETS };
	struct epoll_event input = { .events = EPOLLIN, .data.fd = STDIN_FILENO };
	static struct run run = { .interval = 0.005 };

	if (argp_parse(&argp, argc, argv, 0, NULL, &run)) {
		fprintf(stderr, "udp_probe: bad option value\n");
		return 2;
	}
	for (int i = 0; i < SOCKETS; i++)
		run.socket[i] = -1;
	setrlimit(RLIMIT_NOFILE, &limit);
	run.ready = epoll_create1(0);
	if (run.ready < 0 || epoll_ctl(run.ready, EPOLL_CTL_ADD, STDIN_FILENO, &input))
		die("epoll");
	go(&run);
	return 0;
}
