/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * tcp_load: many long-lived TCP connections to tcp_echo. Each sends a message
 * every interval and wants the same bytes back before it sends the next one.
 *
 * Orders come on the standard input, a line each; each is answered by a line
 * of JSON. `open N` opens N more, `report` tells about all connections, and the
 * end of the input ends it. A gap is the time from sending a message to having
 * it back; one that is still waited for counts as long as it lasts. A
 * connection is answered if a message that was sent after the mark is back.
 * `mark` is that mark, and forgets the gaps so far; `check` keeps them.
 */
#include "tcp_load.h"

#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 512, TICK_MS = 5, DESCRIPTORS_OWN = 16 };

double load_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void lose(struct load *load, struct connection *conn, int why)
{
	if (conn->state == CONNECTING)
		load->connecting--;
	conn->state = conn->state == CONNECTING ? FAILED : LOST;
	conn->why = why;
	conn->lost_at = load_now();
	close(conn->fd);
}

static void watch(struct load *load, struct connection *conn, int op, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = conn };

	if (epoll_ctl(load->ready, op, conn->fd, &event)) {
		perror("tcp_load: epoll");
		exit(1);
	}
}

static void open_one(struct load *load)
{
	struct connection *conn = &load->connections[load->count];
	const struct sockaddr_in *to = &load->to[load->count % load->destinations];
	const int yes = 1;
	int ret;

	*conn = (struct connection){ .number = load->count++, .state = CONNECTING };
	load->connecting++;
	conn->began_at = load_now();
	conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (conn->fd < 0) {
		perror("tcp_load: socket");
		exit(1);
	}
	setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	if (load->sources) {
		const struct sockaddr_in *from =
			&load->from[conn->number / load->destinations % load->sources];

		setsockopt(conn->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
		if (bind(conn->fd, (const struct sockaddr *)from, sizeof(*from)))
			return lose(load, conn, errno);
	}
	ret = connect(conn->fd, (const struct sockaddr *)to, sizeof(*to));
	if (ret && errno != EINPROGRESS)
		return lose(load, conn, errno);
	watch(load, conn, EPOLL_CTL_ADD, EPOLLOUT);
}

/* A message is small beside the socket's buffer, so it goes whole or the connection is stuck. */
static void send_next(struct load *load, struct connection *conn)
{
	uint8_t bytes[MESSAGE_MAX];
	uint32_t size = message_make(bytes, load->seed, conn->number, conn->sequence, load->size);

	if (send(conn->fd, bytes, size, MSG_NOSIGNAL) != (ssize_t)size)
		return lose(load, conn, errno);
	conn->sent_at = load_now();
	conn->waits = true;
	conn->have = 0;
}

static void answered(struct load *load, struct connection *conn, const struct message *message)
{
	double now = load_now(), gap = now - conn->sent_at;

	if (conn->peer && conn->peer != message->peer_address)
		return lose(load, conn, LOAD_PEER);
	conn->peer = message->peer_address;
	conn->gap = gap > conn->gap ? gap : conn->gap;
	conn->answered |= conn->sent_at >= load->marked_at;
	conn->waits = false;
	conn->sequence++;
	load->messages++;
}

/* The bytes must be those that were sent, but for the peer in the header. */
static bool same(struct load *load, struct connection *conn, struct message *message)
{
	uint8_t wanted[MESSAGE_MAX];
	uint32_t size = message_make(wanted, load->seed, conn->number, conn->sequence, load->size);

	memcpy(message, conn->bytes, sizeof(*message));
	memset(conn->bytes + offsetof(struct message, peer_address), 0, 8);
	return size == message->size && !memcmp(conn->bytes, wanted, size);
}

static void receive(struct load *load, struct connection *conn)
{
	struct message message;
	uint32_t want;
	ssize_t got;

	for (;;) {
		want = sizeof(message);
		if (conn->have >= want) {
			memcpy(&message, conn->bytes, sizeof(message));
			if (message.magic != MESSAGE_MAGIC || message.size > MESSAGE_MAX ||
			    message.size < sizeof(message) || !conn->waits)
				return lose(load, conn, LOAD_CORRUPT);
			want = message.size;
		}
		if (conn->have == want)
			break;
		got = recv(conn->fd, conn->bytes + conn->have, want - conn->have, 0);
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0)
			return lose(load, conn, got ? errno : LOAD_EOF);
		conn->have += got;
	}
	conn->have = 0;
	if (!same(load, conn, &message))
		return lose(load, conn, LOAD_CORRUPT);
	answered(load, conn, &message);
}

static void connected(struct load *load, struct connection *conn)
{
	int error = 0;
	socklen_t size = sizeof(error);

	getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error)
		return lose(load, conn, error);
	load->connecting--;
	conn->state = OPEN;
	conn->opened_at = load_now();
	watch(load, conn, EPOLL_CTL_MOD, EPOLLIN);
	send_next(load, conn);
}

static void open_more(struct load *load, double now)
{
	if (load->open_from == load->wanted)
		return;
	while (load->count < load->wanted && load->connecting < load->window &&
	       load->count - load->open_from < (now - load->open_since) * load->rate)
		open_one(load);
	if (load->count == load->wanted)
		load->open_from = load->wanted;
}

/* Connection n sends in the n-th part of each interval. */
static void send_due(struct load *load, double now)
{
	double per_turn = load->interval / 1e3 / (load->count ? load->count : 1);
	uint32_t due = (now - load->sent_until) / per_turn;

	if (due > load->count)
		due = load->count;
	for (uint32_t i = 0; i < due; i++) {
		struct connection *conn = &load->connections[load->turn++ % load->count];

		if (conn->state == OPEN && !conn->waits)
			send_next(load, conn);
	}
	if (due)
		load->sent_until = now;
}

static void want_more(struct load *load, uint32_t more)
{
	if (more > load->room - load->wanted)
		more = load->room - load->wanted;
	load->open_from = load->count;
	load->open_since = load_now();
	load->wanted += more;
}

static void mark(struct load *load, bool forget_gaps)
{
	load->marked_at = load_now();
	for (uint32_t i = 0; i < load->count; i++) {
		load->connections[i].answered = false;
		if (forget_gaps)
			load->connections[i].gap = 0;
	}
}

/* Is there more to come on the standard input? */
static bool take_orders(struct load *load)
{
	char text[256], *rest = text, *line;
	ssize_t got = read(STDIN_FILENO, text, sizeof(text) - 1);
	unsigned int number;

	if (got <= 0)
		return false;
	text[got] = '\0';
	while ((line = strsep(&rest, "\n")) && *line) {
		if (sscanf(line, "open %u", &number) == 1)
			want_more(load, number);
		else if (!strcmp(line, "mark") || !strcmp(line, "check"))
			mark(load, line[0] == 'm');
		load_report(load, line);
	}
	return true;
}

static void run(struct load *load)
{
	struct epoll_event input = { .events = EPOLLIN }, events[EVENTS];
	double now;
	int count;

	load->ready = epoll_create1(0);
	if (load->ready < 0 || epoll_ctl(load->ready, EPOLL_CTL_ADD, STDIN_FILENO, &input)) {
		perror("tcp_load: epoll");
		exit(1);
	}
	for (;;) {
		count = epoll_wait(load->ready, events, EVENTS, TICK_MS);
		for (int i = 0; i < count; i++) {
			struct connection *conn = events[i].data.ptr;

			if (!conn && !take_orders(load))
				return;
			else if (conn && conn->state == CONNECTING)
				connected(load, conn);
			else if (conn && conn->state == OPEN)
				receive(load, conn);
		}
		now = load_now();
		open_more(load, now);
		send_due(load, now);
	}
}

/* "ADDR[:PORT],..." */
static int parse_addresses(struct sockaddr_in list[LOAD_ADDRESSES], char *text)
{
	int count = 0;

	for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
		char *colon = strchr(word, ':');

		if (count == LOAD_ADDRESSES)
			return 0;
		if (colon)
			*colon = '\0';
		list[count].sin_family = AF_INET;
		list[count].sin_port = colon ? htons(atoi(colon + 1)) : 0;
		if (inet_pton(AF_INET, word, &list[count++].sin_addr) != 1)
			return 0;
	}
	return count;
}

static const struct argp_option options[] = {
	{ "to", 't', "ADDR:PORT,...", 0, "where tcp_echo listens", 0 },
	{ "from", 'f', "ADDR,...", 0, "own addresses (that of the route)", 0 },
	{ "room", 'n', "N", 0, "connections at most (100000, if so many descriptors are allowed)",
	  0 },
	{ "rate", 'r', "N", 0, "connections to open a second (2000)", 0 },
	{ "window", 'w', "N", 0, "connections being opened at a time (200)", 0 },
	{ "interval", 'i', "MS", 0, "between two messages of a connection (1000)", 0 },
	{ "size", 's', "BYTES", 0, "of the largest message (512)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct load *load = state->input;

	switch (key) {
	case 't':
		load->destinations = parse_addresses(load->to, arg);
		return load->destinations ? 0 : EINVAL;
	case 'f':
		load->sources = parse_addresses(load->from, arg);
		return load->sources ? 0 : EINVAL;
	case 'n':
		load->room = atoi(arg);
		return 0;
	case 'r':
		load->rate = atoi(arg);
		return load->rate ? 0 : EINVAL;
	case 'w':
		load->window = atoi(arg);
		return load->window ? 0 : EINVAL;
	case 'i':
		load->interval = atoi(arg);
		return load->interval ? 0 : EINVAL;
	case 's':
		load->size = atoi(arg);
		return load->size >= sizeof(struct message) && load->size <= MESSAGE_MAX ? 0 :
											   EINVAL;
	case ARGP_KEY_END:
		if (!load->destinations)
			argp_error(state, "--to is needed");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	const struct argp argp = { options, parse, NULL, NULL, NULL, NULL, NULL };
	static struct load load = {
		.room = 100000, .rate = 2000, .window = 200, .interval = 1000, .size = 512
	};
	uint32_t limit;

	if (argp_parse(&argp, argc, argv, 0, NULL, &load)) {
		fprintf(stderr, "tcp_load: bad option value\n");
		return 2;
	}
	limit = descriptors_max(load.room + DESCRIPTORS_OWN);
	if (load.room + DESCRIPTORS_OWN > limit)
		load.room = limit - DESCRIPTORS_OWN;
	load.connections = calloc(load.room, sizeof(*load.connections));
	if (!load.connections) {
		perror("tcp_load");
		return 1;
	}
	load.seed = message_mix(load_now() * 1e6) ^ getpid();
	run(&load);
	return 0;
}
