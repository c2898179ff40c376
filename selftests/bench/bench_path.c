/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * path --flows N [--packets N] [--rounds N] [--open N] NAME=NETNS...:
 * the whole path of packets of established flows through each of the named
 * NATs, all on one core: made, sent by veth, translated, sent by veth, counted.
 * The NATs take turns. With --open instead: of new flows, N in each round,
 * after --flows.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "peer.h"

enum { DRAWS = 2097152, CPU = 1 };

struct plan {
	struct peer peers[PEERS_MAX];
	unsigned int count;
	struct tuple *flows;
	struct tuple *answers[PEERS_MAX];
	uint32_t flow_count;
	uint32_t packets;
	uint32_t rounds;
	uint32_t open;
};

static void open_peers(struct plan *plan, int argc, char **argv)
{
	uint32_t flows = plan->flow_count + plan->open * plan->rounds;

	for (int i = 1; i < argc; i++) {
		char *equals = strchr(argv[i], '=');
		char name[16];

		if (!equals)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(equals - argv[i]), argv[i]);
		if (plan->count == PEERS_MAX) {
			errno = E2BIG;
			die("%s", name);
		}
		peer_open(&plan->peers[plan->count++], name, equals + 1, flows,
			  plan->open && flows > DRAWS ? flows : DRAWS);
	}
}

/* Returns the nanoseconds a packet; adds to @lost. */
static double one_round(struct peer *p, uint32_t packets, uint64_t *lost)
{
	uint64_t arrived;
	double ns = peer_send(p, packets, &arrived);

	*lost += packets - arrived;
	if (!arrived) {
		errno = ENETUNREACH;
		die("%s: nothing comes through", p->name);
	}
	return ns;
}

static cJSON *measure(struct plan *plan)
{
	double ns[PEERS_MAX][BENCH_ROUNDS_MAX];
	uint64_t lost[PEERS_MAX] = { 0 };
	cJSON *result = cJSON_CreateObject();

	for (unsigned int round = 0; round < plan->rounds; round++) {
		for (unsigned int i = 0; i < plan->count; i++)
			ns[i][round] = one_round(&plan->peers[i], plan->packets, &lost[i]);
	}
	for (unsigned int i = 0; i < plan->count; i++) {
		cJSON *peer = cJSON_AddObjectToObject(result, plan->peers[i].name);

		cJSON_AddItemToObject(peer, "ns", cJSON_CreateDoubleArray(ns[i], plan->rounds));
		cJSON_AddNumberToObject(peer, "lost",
					(double)lost[i] / plan->packets / plan->rounds);
	}
	return result;
}

static void set_draws(struct plan *plan, int inbound, enum order order)
{
	struct tuple *first = plan->peers[0].draws;

	draw(first, DRAWS, plan->flows, plan->flow_count, order);
	for (unsigned int i = plan->count; i-- > 0;) {
		struct peer *p = &plan->peers[i];

		for (uint32_t n = 0; n < DRAWS; n++)
			p->draws[n] = inbound ? plan->answers[i][first[n].flow] : first[n];
		peer_direction(p, inbound);
		peer_range(p, 0, DRAWS);
	}
}

static void prime(struct plan *plan)
{
	for (unsigned int i = 0; i < plan->count; i++) {
		uint32_t missing = peer_prime(&plan->peers[i], plan->flows, plan->answers[i],
					      plan->flow_count);

		if (missing)
			fprintf(stderr, "bench: %s: %u of %u flows do not come through\n",
				plan->peers[i].name, missing, plan->flow_count);
	}
}

static void add_row(cJSON *rows, const struct plan *plan, const char *direction, const char *order,
		    cJSON *peers)
{
	cJSON *row = cJSON_CreateObject();

	cJSON_AddNumberToObject(row, "flows", plan->flow_count);
	cJSON_AddStringToObject(row, "direction", direction);
	cJSON_AddStringToObject(row, "order", order);
	cJSON_AddItemToObject(row, "peers", peers);
	cJSON_AddItemToArray(rows, row);
}

static void measure_established(struct plan *plan, cJSON *rows)
{
	for (int inbound = 0; inbound <= 1; inbound++) {
		for (enum order order = ORDER_UNIFORM; order <= ORDER_ZIPF; order++) {
			set_draws(plan, inbound, order);
			add_row(rows, plan, inbound ? "in" : "out",
				order == ORDER_ZIPF ? "zipf" : "uniform", measure(plan));
		}
	}
}

/* Flows that no NAT has seen, each once. */
static void measure_open(struct plan *plan, cJSON *rows)
{
	uint32_t count = plan->open * plan->rounds;

	for (unsigned int i = 0; i < plan->count; i++) {
		for (uint32_t n = 0; n < count; n++)
			plan->peers[i].draws[n] = flow_tuple(plan->flow_count + n, SPREAD_HOSTS);
		peer_direction(&plan->peers[i], 0);
		peer_range(&plan->peers[i], 0, count);
	}
	plan->packets = plan->open;
	add_row(rows, plan, "out", "new", measure(plan));
}

int main(int argc, char **argv)
{
	struct plan plan = {
		.flow_count = option_number(argc, argv, "--flows", 64),
		.packets = option_number(argc, argv, "--packets", 300000),
		.rounds = option_number(argc, argv, "--rounds", 5),
		.open = option_number(argc, argv, "--open", 0),
	};
	cJSON *rows = cJSON_CreateArray();

	bench_libbpf_print();
	pin_to_cpu(CPU);
	open_peers(&plan, argc, argv);
	plan.flows = calloc(plan.flow_count + 1, sizeof(*plan.flows));
	for (unsigned int i = 0; i < plan.count; i++)
		plan.answers[i] = calloc(plan.flow_count + 1, sizeof(*plan.answers[i]));
	for (uint32_t i = 0; i < plan.flow_count; i++)
		plan.flows[i] = flow_tuple(i, SPREAD_HOSTS);
	prime(&plan);
	if (plan.open)
		measure_open(&plan, rows);
	else
		measure_established(&plan, rows);
	for (unsigned int i = 0; i < plan.count; i++)
		peer_close(&plan.peers[i]);
	print_json(rows);
	return 0;
}
