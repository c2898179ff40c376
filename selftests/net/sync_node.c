/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * sync_node: replication alone, with the owner of each slot set by hand.
 *
 *   sync_node PIN_DIR LISTEN KEY_FILE SLOT_ADDRESS,... PEER...
 *
 * Reads commands, one a line, and answers each with one line of JSON:
 *   own BITS      the slots that are ours
 *   standby BITS  the external addresses, by index, that give no new flows
 *   state PEER    what is known of a peer
 *   flush PEER    answers when it has all that has happened until now
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "ha/sync.h"
#include "sandbox.h"

struct node {
	struct loop *loop;
	struct source source;
	struct secrets secrets;
	struct channel *channel;
	struct sync *sync;
	char line[256];
	size_t len;
};

static void die(const struct err *err)
{
	fprintf(stderr, "sync_node: %s\n", err->text);
	exit(1);
}

static double cpu_seconds(void)
{
	struct timespec used;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return used.tv_sec + used.tv_nsec / 1e9;
}

static void tell_state(const struct node *node, int peer)
{
	const struct stream_counters *stream = sync_stream(node->sync, peer);
	const struct replica_counters *replica = sync_replica(node->sync, peer);
	const struct channel_counters *channel = channel_counters(node->channel, peer);
	struct sync_state state;

	sync_state(node->sync, peer, &state);
	printf("{\"connected\": %d, \"synced\": %d, \"known\": %u, \"behind\": %u, "
	       "\"lag_ms\": %" PRId64 ", \"cpu\": %.6f",
	       state.connected, state.synced, state.known, state.behind, state.lag_ms,
	       cpu_seconds());
#define COUNT(of, what) printf(", \"%s\": %" PRIu64, #what, of->what)
	COUNT(stream, records_sent);
	COUNT(stream, records_taken);
	COUNT(stream, datagrams_sent);
	COUNT(stream, sent_again);
	COUNT(stream, copies);
	COUNT(stream, bad);
	COUNT(replica, put);
	COUNT(replica, removed);
	COUNT(replica, evicted);
	COUNT(replica, not_here);
	COUNT(replica, expired);
	COUNT(replica, full);
	COUNT(replica, refused);
	COUNT(channel, sent_bytes);
	COUNT(channel, blocked);
	COUNT(channel, sessions);
	printf("}\n");
}

static void flushed(void *ctx, int peer, int result)
{
	(void)ctx;
	(void)peer;
	printf("{\"result\": %d}\n", result);
	fflush(stdout);
}

static void obey(struct node *node, const char *line)
{
	uint64_t number = 0;
	char command[16];
	int ret = 0;

	if (sscanf(line, "%15s %" SCNu64, command, &number) < 1)
		return;
	if (!strcmp(command, "state")) {
		tell_state(node, number);
		return;
	}
	if (!strcmp(command, "flush")) {
		ret = sync_flush(node->sync, number, flushed, node);
		if (!ret)
			return;
	} else if (!strcmp(command, "own")) {
		sync_set_owned(node->sync, number);
	} else if (!strcmp(command, "standby")) {
		ret = source_set_standby(&node->source, number);
	}
	printf("{\"result\": %d}\n", ret);
}

static void read_commands(void *ctx, int fd, uint32_t events)
{
	struct node *node = ctx;
	ssize_t len = read(fd, node->line + node->len, sizeof(node->line) - 1 - node->len);
	char *end;

	(void)events;
	if (len <= 0) {
		loop_stop(node->loop);
		return;
	}
	node->len += len;
	node->line[node->len] = '\0';
	while ((end = strchr(node->line, '\n'))) {
		*end = '\0';
		obey(node, node->line);
		fflush(stdout);
		node->len -= end + 1 - node->line;
		memmove(node->line, end + 1, node->len + 1);
	}
}

/* As the agent does it: external addresses may change with a reload. */
static void refresh(void *ctx)
{
	struct node *node = ctx;

	source_refresh(&node->source);
}

static void add_peer(struct node *node, const char *address)
{
	struct err err = { 0 };
	int peer = channel_add_peer(node->channel, address, &err);

	if (peer < 0 || sync_add_peer(node->sync, peer))
		die(&err);
}

int main(int argc, char **argv)
{
	static struct node node;
	__be32 slots[WIRE_SLOTS] = { 0 };
	struct source_files files;
	struct err err = { 0 };
	int slot = 0, timer;

	if (argc < 5)
		return 2;
	for (char *addr = strtok(argv[4], ","); addr; addr = strtok(NULL, ","))
		slots[slot++] = inet_addr(addr);
	node.loop = loop_new();
	source_open_files(&files, argv[1], false);
	if (source_open(&node.source, &files, &err) || secrets_read(&node.secrets, argv[3], &err))
		die(&err);
	node.channel = channel_open(node.loop, argv[2], &node.secrets, &err);
	if (node.channel)
		node.sync = sync_start(node.loop, node.channel, &node.source, slots, &err);
	if (!node.sync)
		die(&err);
	for (int i = 5; i < argc; i++)
		add_peer(&node, argv[i]);
	timer = loop_timer(node.loop, refresh, &node);
	loop_timer_every(timer, 1000);
	loop_watch(node.loop, STDIN_FILENO, EPOLLIN, read_commands, &node);
	if (sandbox_enter("nobody", &err))
		die(&err);
	printf("{\"result\": 0}\n");
	fflush(stdout);
	loop_run(node.loop);
	sync_stop(node.sync);
	channel_close(node.channel);
	source_close(&node.source);
	loop_timer_free(node.loop, timer);
	loop_free(node.loop);
	return 0;
}
