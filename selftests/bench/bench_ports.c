/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * ports --pin-dir DIR --iface IFACE [--rounds N] [--flood SECONDS]: fills all
 * ports of one external address to one destination, one flow after the other,
 * each timed by itself over an empty program (BPF_PROG_TEST_RUN); then more
 * flows that must be refused. Each round has its own destination.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "subject.h"

#include <natxdp/reasons.h>

enum { PORTS = 64512, FLOOD_MAX = 4000000, EMPTY_RUNS = 10001 };

struct round {
	double *ns;	   /* of each flow */
	uint32_t accepted; /* of as many flows as there are ports */
	uint32_t late;	   /* and of those that came afterwards */
	double refused_ns; /* mean under the flood */
	double refused_worst;
	uint32_t refused;
};

/* Many inside hosts with many ports each, all to the same destination. */
static struct tuple crowd(uint32_t flow, uint32_t destination)
{
	return (struct tuple){
		.saddr = htonl(BENCH_INSIDE + flow % 256),
		.daddr = htonl(BENCH_DESTINATIONS + destination),
		.sport = htons(1024 + flow / 256 % 64000),
		.dport = htons(443),
	};
}

static double run_one(struct subject *s, uint32_t flow, uint32_t destination)
{
	struct tuple tuple = crowd(flow, destination);
	uint8_t frame[FRAME_SIZE];

	make_frame(frame, &tuple, IPPROTO_UDP, 0);
	return subject_run(s, frame, NULL);
}

/* What a single test run costs by itself. */
static double empty_ns(struct subject *s)
{
	static double ns[EMPTY_RUNS];

	for (int i = 0; i < EMPTY_RUNS; i++)
		ns[i] = subject_feed_empty(s, 1);
	return median(ns, EMPTY_RUNS);
}

static void fill(struct subject *s, struct round *r, uint32_t destination, double empty)
{
	uint64_t opened = subject_event(s, NATXDP_EVENT_FLOWS_OPENED);

	for (uint32_t i = 0; i < PORTS; i++)
		r->ns[i] = run_one(s, i, destination) - empty;
	r->accepted = subject_event(s, NATXDP_EVENT_FLOWS_OPENED) - opened;
}

static void flood(struct subject *s, struct round *r, uint32_t destination, double empty,
		  double seconds)
{
	uint64_t opened = subject_event(s, NATXDP_EVENT_FLOWS_OPENED);
	double until = now_ns() + seconds * 1e9, sum = 0, ns;

	for (r->refused = 0; r->refused < FLOOD_MAX && now_ns() < until; r->refused++) {
		ns = run_one(s, PORTS + r->refused, destination) - empty;
		sum += ns;
		if (ns > r->refused_worst)
			r->refused_worst = ns;
	}
	r->refused_ns = sum / r->refused;
	r->late = subject_event(s, NATXDP_EVENT_FLOWS_OPENED) - opened;
}

static double mean(const double *ns, uint32_t begin, uint32_t end)
{
	double sum = 0;

	for (uint32_t i = begin; i < end; i++)
		sum += ns[i];
	return sum / (end - begin);
}

static double worst(const double *ns, uint32_t begin, uint32_t end)
{
	double most = 0;

	for (uint32_t i = begin; i < end; i++)
		most = ns[i] > most ? ns[i] : most;
	return most;
}

static cJSON *round_json(const struct round *r)
{
	static const struct {
		const char *name;
		double begin;
	} parts[] = { { "all", 0 }, { "last_10_percent", 0.9 }, { "last_1_percent", 0.99 } };
	cJSON *row = cJSON_CreateObject();

	cJSON_AddNumberToObject(row, "accepted", r->accepted);
	cJSON_AddNumberToObject(row, "accepted_late", r->late);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		cJSON *part = cJSON_AddObjectToObject(row, parts[i].name);
		uint32_t begin = parts[i].begin * PORTS;

		cJSON_AddNumberToObject(part, "mean_ns", mean(r->ns, begin, PORTS));
		cJSON_AddNumberToObject(part, "worst_ns", worst(r->ns, begin, PORTS));
	}
	cJSON_AddNumberToObject(row, "refused", r->refused);
	cJSON_AddNumberToObject(row, "refused_mean_ns", r->refused_ns);
	cJSON_AddNumberToObject(row, "refused_worst_ns", r->refused_worst);
	return row;
}

int main(int argc, char **argv)
{
	uint32_t rounds = option_number(argc, argv, "--rounds", 5);
	double seconds = strtod(option_text(argc, argv, "--flood", "1"), NULL), empty;
	struct round r = { .ns = calloc(PORTS, sizeof(*r.ns)) };
	struct subject subjects[SUBJECTS_MAX];
	cJSON *root = cJSON_CreateObject(), *rows;

	bench_libbpf_print();
	pin_to_cpu(0);
	subjects_open(subjects, option_text(argc, argv, "--pin-dir", ""),
		      option_text(argc, argv, "--iface", ""), 0, 16);
	cJSON_AddNumberToObject(root, "ports", PORTS);
	rows = cJSON_AddArrayToObject(root, "rounds");
	for (uint32_t i = 0; i < rounds; i++) {
		r.refused_worst = 0;
		empty = empty_ns(&subjects[0]);
		fill(&subjects[0], &r, i, empty);
		flood(&subjects[0], &r, i, empty, seconds);
		cJSON_AddItemToArray(rows, round_json(&r));
	}
	subjects_close(subjects, 1);
	print_json(root);
	return 0;
}
