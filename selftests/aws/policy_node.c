/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * policy_node CONF: the failover policy of an agent with its leases, moves and
 * weights against AWS, and nothing else: peers are what the tests say of them.
 *
 * Reads commands, one a line, and answers each with one line of JSON, the status:
 *   hear NODE BITS         from now on the node sends heartbeats, and hears those
 *   silent NODE            no more
 *   answered NODE          its kernel answers a probe
 *   healthy 0|1            our data path
 *   drain 0|1
 *   to ZONE NODE FORCE     an operator's wish
 *   hold ZONE 0|1
 *   status
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "awsclient.h"
#include "conf.h"
#include "err.h"
#include "ha/action.h"
#include "ha/weights.h"
#include "loop.h"

enum { TICKS = 4, QUEUE = 64 };

struct peer {
	bool heard;
	struct policy_beat beat;
};

struct node {
	struct loop *loop;
	struct conf conf;
	struct members members;
	struct awsclient *client;
	struct leases *leases;
	struct moves *moves;
	struct weights *weights;
	struct policy policy;
	struct policy_facts facts;
	struct peer peer[POLICY_NODES];
	uint64_t placed; /* bits by address */
	unsigned int failed;
	int64_t beat_due;
	bool stepping;
	unsigned int queued;
	struct policy_event queue[QUEUE];
	char line[256];
	size_t len;
};

static void die(const char *why)
{
	fprintf(stderr, "policy_node: %s\n", why);
	exit(1);
}

static void act(struct node *n, const struct policy_action *a)
{
	switch (a->kind) {
	case POLICY_DO_READ:
		lease_read(n->leases, a->zone);
		break;
	case POLICY_DO_CLAIM:
		lease_claim(n->leases, a->zone, &a->lease, a->reason);
		break;
	case POLICY_DO_WITNESS:
		lease_witness(n->leases, a->zone, a->epoch);
		break;
	case POLICY_DO_MOVE:
		move_begin(n->moves, a->zone, a->epoch,
			   n->policy.zone[a->zone].failures ? MOVE_CHECKED : MOVE_CLAIMED);
		weights_set(n->weights, a->zone, a->epoch);
		break;
	case POLICY_DO_AUDIT:
		move_begin(n->moves, a->zone, a->epoch, MOVE_AUDIT);
		weights_set(n->weights, a->zone, a->epoch);
		break;
	case POLICY_DO_STOP:
		move_stop(n->moves, a->zone);
		weights_stop(n->weights, a->zone);
		break;
	case POLICY_DO_BEAT:
	case POLICY_DO_PROBE:
	case POLICY_DO_ASK:
	case POLICY_DO_REST:
		break;
	}
}

static void post(void *ctx, const struct policy_event *event)
{
	struct policy_actions actions;
	struct node *n = ctx;
	struct policy_event next = *event;

	if (n->queued == QUEUE)
		die("too many events at a time");
	n->queue[n->queued++] = next;
	if (n->stepping)
		return;
	n->stepping = true;
	while (n->queued) {
		next = n->queue[0];
		memmove(n->queue, n->queue + 1, --n->queued * sizeof(next));
		policy_step(&n->policy, &next, loop_monotonic_ms(), &actions);
		for (unsigned int i = 0; i < actions.count; i++)
			act(n, &actions.item[i]);
	}
	n->stepping = false;
}

static void placed(void *ctx, unsigned int address)
{
	struct node *n = ctx;

	n->placed |= 1ull << address;
}

static void weights_are_wrong(void *ctx)
{
	struct node *n = ctx;

	n->failed++;
}

static void tick(void *ctx)
{
	struct node *n = ctx;
	struct policy_event facts = { .kind = POLICY_FACTS, .facts = n->facts };
	struct policy_event beat = { .kind = POLICY_HEARTBEAT };

	post(n, &facts);
	if (loop_monotonic_ms() < n->beat_due)
		return;
	n->beat_due = loop_monotonic_ms() + n->policy.conf.interval;
	for (unsigned int i = 0; i < n->members.nodes; i++) {
		beat.node = i;
		beat.beat = &n->peer[i].beat;
		if (n->peer[i].heard)
			post(n, &beat);
	}
}

static void tell(const struct node *n)
{
	printf("{\"failed\": %u, \"placed\": %" PRIu64 ", \"zones\": [", n->failed, n->placed);
	for (unsigned int i = 0; i < n->members.zones; i++) {
		const struct policy_zone *z = &n->policy.zone[i];

		printf("%s{\"state\": \"%s\", \"owner\": %d, \"epoch\": %" PRIu64
		       ", \"failures\": %u, \"held\": %s, \"offer\": %d}",
		       i ? ", " : "", policy_state_names[z->state], z->lease.owner, z->lease.epoch,
		       z->failures, z->lease.held ? "true" : "false", z->offer);
	}
	puts("]}");
	fflush(stdout);
}

static void hear(struct node *n, unsigned int node, uint32_t bits)
{
	struct policy_beat *beat = &n->peer[node].beat;

	*beat = (struct policy_beat){ .incarnation = 1, .healthy = true, .hears = bits };
	for (unsigned int i = 0; i < POLICY_ZONES; i++) {
		struct policy_claim *claim = &beat->zone[i];

		claim->owner = claim->offer = claim->ask = POLICY_NOBODY;
	}
	n->peer[node].heard = true;
	n->facts.synced |= 1u << node;
}

static void obey(struct node *n, const char *line)
{
	struct policy_event event = { .kind = POLICY_TICK };
	unsigned int a = 0, b = 0, c = 0;
	char command[16] = "";

	sscanf(line, "%15s %u %u %u", command, &a, &b, &c);
	if (a >= POLICY_NODES)
		die(line);
	if (!strcmp(command, "hear")) {
		hear(n, a, b);
	} else if (!strcmp(command, "silent")) {
		n->peer[a].heard = false;
		n->facts.synced &= ~(1u << a);
	} else if (!strcmp(command, "healthy")) {
		n->facts.healthy = a;
	} else if (!strcmp(command, "answered")) {
		event = (struct policy_event){ .kind = POLICY_ANSWERED, .node = a };
	} else if (!strcmp(command, "drain")) {
		event = (struct policy_event){ .kind = POLICY_DRAINING, .on = a };
	} else if (!strcmp(command, "to")) {
		event = (struct policy_event){ .kind = POLICY_TO, .zone = a, .node = b, .on = c };
	} else if (!strcmp(command, "hold")) {
		lease_hold(n->leases, a, b);
	} else if (strcmp(command, "status") != 0) {
		die(line);
	}
	post(n, &event);
	tell(n);
}

static void read_commands(void *ctx, int fd, uint32_t events)
{
	struct node *n = ctx;
	ssize_t len = read(fd, n->line + n->len, sizeof(n->line) - 1 - n->len);
	char *end;

	(void)events;
	if (len <= 0) {
		loop_stop(n->loop);
		return;
	}
	n->len += len;
	n->line[n->len] = '\0';
	while ((end = strchr(n->line, '\n'))) {
		*end = '\0';
		obey(n, n->line);
		n->len -= end + 1 - n->line;
		memmove(n->line, end + 1, n->len + 1);
	}
}

/* Times as the agent has them, but for those that a test would have to wait for. */
static void start_policy(struct node *n)
{
	const struct ha_conf *from = &n->conf.ha;
	struct policy_conf conf = {
		.self = n->members.self,
		.nodes = n->members.nodes,
		.zones = n->members.zones,
		.failback = from->failback,
		.interval = from->heartbeat,
		.silence = (int64_t)from->heartbeat * from->suspicion,
		.damping = from->damping,
		.poll = 500,
		.audit = 1500,
		.sync_patience = 2000,
	};

	memcpy(conf.home, n->members.home, sizeof(conf.home));
	n->facts.healthy = true;
	policy_init(&n->policy, &conf, getpid(), loop_monotonic_ms());
}

static void start(struct node *n, const char *path)
{
	const struct aws_options options = {
		.connect_ms = 1000, .attempt_ms = 1000, .in_flight = 16, .backoff_ms = 10
	};
	struct move_user user = { post, placed, n };
	struct err err = { 0 };

	conf_init(&n->conf);
	if (conf_read(&n->conf, path, &err) || conf_check(&n->conf, &err) ||
	    members_resolve(&n->members, &n->conf.ha, &err))
		die(err.text);
	n->loop = loop_new();
	n->client = awsclient_new(n->loop, &n->conf, &options, &err);
	if (!n->client)
		die(err.text);
	n->leases = leases_new(awsclient_get(n->client), &n->members, post, n);
	n->moves = moves_new(n->loop, awsclient_get(n->client), &n->members, n->leases, &user);
	n->weights = weights_new(n->loop, awsclient_get(n->client), &n->members, n->leases,
				 &n->policy, weights_are_wrong, n);
	if (!n->leases || !n->moves || !n->weights)
		die("out of memory");
	start_policy(n);
}

int main(int argc, char **argv)
{
	static struct node node;
	int timer;

	if (argc != 2)
		return 2;
	start(&node, argv[1]);
	timer = loop_timer(node.loop, tick, &node);
	loop_timer_every(timer, node.conf.ha.heartbeat / TICKS);
	loop_watch(node.loop, STDIN_FILENO, EPOLLIN, read_commands, &node);
	tell(&node);
	loop_run(node.loop);
	loop_timer_free(node.loop, timer);
	weights_free(node.weights);
	moves_free(node.moves);
	leases_free(node.leases);
	awsclient_free(node.client);
	loop_free(node.loop);
	return 0;
}
