/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * established --pin-dir DIR --iface IFACE --flows N --proto udp|tcp [--packets N]
 * [--rounds N] [--yardsticks 0|1]
 * [--gwlb-pin-dir DIR --gwlb-iface IFACE --gwlb-lb ADDR --gwlb-own ADDR]: what a packet of an established flow costs
 * over an empty program (BPF_PROG_TEST_RUN), in the shipped program, in the
 * yardsticks, and in the shipped program of mode gwlb, where the packet comes and goes in GENEVE.
 * They take turns, round by round, so that what the machine does
 * meanwhile hits all of them.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "subject.h"

enum { DRAWS = 2097152 };

struct plan {
	struct subject subjects[SUBJECTS_MAX];
	unsigned int count;
	struct tuple *flows;
	struct tuple *answers[SUBJECTS_MAX];
	uint32_t flow_count;
	uint32_t packets;
	uint32_t rounds;
};

static double cost(struct subject *s, uint32_t packets)
{
	double empty = subject_feed_empty(s, packets);
	uint64_t before = subject_forwarded(s);
	double ns = subject_feed(s, packets) - empty;

	if (subject_forwarded(s) - before != packets) {
		errno = EPROTO;
		die("%s has not forwarded every packet", s->name);
	}
	return ns;
}

static cJSON *measure(struct plan *plan)
{
	double ns[SUBJECTS_MAX][BENCH_ROUNDS_MAX];
	cJSON *result = cJSON_CreateObject();

	for (unsigned int round = 0; round < plan->rounds; round++) {
		for (unsigned int i = 0; i < plan->count; i++)
			ns[i][round] = cost(&plan->subjects[i], plan->packets);
	}
	for (unsigned int i = 0; i < plan->count; i++)
		cJSON_AddItemToObject(result, plan->subjects[i].name,
				      cJSON_CreateDoubleArray(ns[i], plan->rounds));
	return result;
}

/* The same order of flows for all subjects; the answers differ by the external ports. */
static void set_draws(struct plan *plan, int inbound, enum order order)
{
	struct tuple *first = plan->subjects[0].draws;

	draw(first, DRAWS, plan->flows, plan->flow_count, order);
	for (unsigned int i = plan->count; i-- > 0;) {
		struct subject *s = &plan->subjects[i];

		subject_side(s, inbound);
		for (uint32_t n = 0; n < DRAWS; n++)
			s->draws[n] = inbound ? plan->answers[i][first[n].flow] : first[n];
		subject_range(s, 0, 0, DRAWS);
	}
}

static void measure_protocol(struct plan *plan, cJSON *rows, uint8_t proto)
{
	static const char *const orders[] = { [ORDER_UNIFORM] = "uniform", [ORDER_ZIPF] = "zipf" };

	for (unsigned int i = 0; i < plan->count; i++) {
		subject_prime(&plan->subjects[i], plan->flows, plan->answers[i], plan->flow_count,
			      proto);
		subject_protocol(&plan->subjects[i], proto, TH_ACK);
	}
	for (int inbound = 0; inbound <= 1; inbound++) {
		for (enum order order = ORDER_UNIFORM; order <= ORDER_ZIPF; order++) {
			cJSON *row = cJSON_CreateObject();

			set_draws(plan, inbound, order);
			cJSON_AddNumberToObject(row, "flows", plan->flow_count);
			cJSON_AddStringToObject(row, "proto", proto == IPPROTO_UDP ? "udp" : "tcp");
			cJSON_AddStringToObject(row, "direction", inbound ? "in" : "out");
			cJSON_AddStringToObject(row, "order", orders[order]);
			cJSON_AddItemToObject(row, "ns", measure(plan));
			cJSON_AddItemToArray(rows, row);
		}
	}
}

int main(int argc, char **argv)
{
	struct plan plan = {
		.flow_count = option_number(argc, argv, "--flows", 64),
		.packets = option_number(argc, argv, "--packets", 500000),
		.rounds = option_number(argc, argv, "--rounds", 5),
	};
	cJSON *rows = cJSON_CreateArray();

	bench_libbpf_print();
	pin_to_cpu(0);
	plan.count = subjects_open(plan.subjects, option_text(argc, argv, "--pin-dir", ""),
				   option_text(argc, argv, "--iface", ""),
				   option_number(argc, argv, "--yardsticks", 1), DRAWS);
	if (*option_text(argc, argv, "--gwlb-pin-dir", ""))
		subject_open_gwlb(&plan.subjects[plan.count++],
				  option_text(argc, argv, "--gwlb-pin-dir", ""),
				  option_text(argc, argv, "--gwlb-iface", ""),
				  option_text(argc, argv, "--gwlb-lb", ""),
				  option_text(argc, argv, "--gwlb-own", ""), DRAWS);
	plan.flows = calloc(plan.flow_count, sizeof(*plan.flows));
	for (unsigned int i = 0; i < plan.count; i++)
		plan.answers[i] = calloc(plan.flow_count, sizeof(*plan.answers[i]));
	for (uint32_t i = 0; i < plan.flow_count; i++)
		plan.flows[i] = flow_tuple(i, SPREAD_HOSTS);
	measure_protocol(&plan, rows,
			 strcmp(option_text(argc, argv, "--proto", "udp"), "tcp") ? IPPROTO_UDP :
										    IPPROTO_TCP);
	subjects_close(plan.subjects, plan.count);
	print_json(rows);
	return 0;
}
