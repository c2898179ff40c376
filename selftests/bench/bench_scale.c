/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * scale --pin-dir DIR --iface IFACE --flows N [--open N] [--packets N]
 * [--rounds N] [--one-host 1]: the cost of established packets and of new
 * flows on one core, and on two cores at once, each with flows of its own
 * (BPF_PROG_TEST_RUN, over an empty program). With --one-host all flows are of
 * one inside host.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "bench.h"
#include "subject.h"

#include <natxdp/reasons.h>

enum { CORES = 2 };

struct plan {
	struct subject subjects[SUBJECTS_MAX];
	uint32_t flows; /* established, half of them for each core */
	uint32_t open;	/* new in a round, for each core */
	uint32_t packets;
	uint32_t rounds;
	uint32_t fresh; /* the next flow that is new */
};

struct worker {
	pthread_t thread;
	pthread_barrier_t *start;
	struct subject *subject;
	unsigned int cpu;
	uint32_t begin;
	uint32_t end;
	uint32_t packets;
	int empty;
	double ns;
};

static void *work(void *data)
{
	struct worker *w = data;

	pin_to_cpu(w->cpu);
	subject_range(w->subject, w->cpu, w->begin, w->end);
	pthread_barrier_wait(w->start);
	w->ns = w->empty ? subject_feed_empty(w->subject, w->packets) :
			   subject_feed(w->subject, w->packets);
	return NULL;
}

/* The mean of what the cores take for a packet when all run at once. */
static double run(struct plan *plan, unsigned int cores, uint32_t begin, uint32_t each,
		  uint32_t packets, int empty)
{
	struct worker workers[CORES];
	pthread_barrier_t start;
	double sum = 0;

	pthread_barrier_init(&start, NULL, cores);
	for (unsigned int i = 0; i < cores; i++) {
		workers[i] = (struct worker){
			.start = &start,
			.subject = &plan->subjects[0],
			.cpu = i,
			.begin = begin + i * each,
			.end = begin + (i + 1) * each,
			.packets = packets,
			.empty = empty,
		};
		errno = pthread_create(&workers[i].thread, NULL, work, &workers[i]);
		if (errno)
			die("thread");
	}
	for (unsigned int i = 0; i < cores; i++) {
		pthread_join(workers[i].thread, NULL);
		sum += workers[i].ns;
	}
	pthread_barrier_destroy(&start);
	return sum / cores;
}

static void measure(struct plan *plan, cJSON *rows, unsigned int cores)
{
	double established[BENCH_ROUNDS_MAX], new[BENCH_ROUNDS_MAX], empty;
	cJSON *row = cJSON_CreateObject();
	uint32_t half = plan->flows / CORES;

	for (unsigned int i = 0; i < plan->rounds; i++) {
		empty = run(plan, cores, 0, half, plan->packets, 1);
		established[i] = run(plan, cores, 0, half, plan->packets, 0) - empty;
		empty = run(plan, cores, plan->fresh, plan->open, plan->open, 1);
		new[i] = run(plan, cores, plan->fresh, plan->open, plan->open, 0) - empty;
		plan->fresh += cores * plan->open;
	}
	cJSON_AddNumberToObject(row, "cores", cores);
	cJSON_AddItemToObject(row, "established_ns",
			      cJSON_CreateDoubleArray(established, plan->rounds));
	cJSON_AddItemToObject(row, "new_ns", cJSON_CreateDoubleArray(new, plan->rounds));
	cJSON_AddItemToArray(rows, row);
}

int main(int argc, char **argv)
{
	struct plan plan = {
		.flows = option_number(argc, argv, "--flows", 200000),
		.open = option_number(argc, argv, "--open", 5000),
		.packets = option_number(argc, argv, "--packets", 500000),
		.rounds = option_number(argc, argv, "--rounds", 5),
	};
	enum spread spread = option_number(argc, argv, "--one-host", 0) ? SPREAD_ONE_HOST :
									  SPREAD_HOSTS;
	uint32_t draws = plan.flows + plan.open * plan.rounds * (1 + CORES);
	struct tuple *flows = calloc(draws, sizeof(*flows));
	cJSON *rows = cJSON_CreateArray();
	uint64_t before;

	bench_libbpf_print();
	subjects_open(plan.subjects, option_text(argc, argv, "--pin-dir", ""),
		      option_text(argc, argv, "--iface", ""), 0, draws);
	for (uint32_t i = 0; i < draws; i++)
		flows[i] = flow_tuple(i, spread);
	draw(plan.subjects[0].draws, draws, flows, draws, ORDER_SEQUENCE);
	before = subject_event(&plan.subjects[0], NATXDP_EVENT_FLOWS_OPENED);
	run(&plan, 1, 0, plan.flows, plan.flows, 0);
	/* each core in a random order, but only its own flows */
	for (uint32_t core = 0, half = plan.flows / CORES; core < CORES; core++)
		draw(plan.subjects[0].draws + core * half, half, flows + core * half, half,
		     ORDER_UNIFORM);
	plan.fresh = plan.flows;
	measure(&plan, rows, 1);
	measure(&plan, rows, CORES);
	if (subject_event(&plan.subjects[0], NATXDP_EVENT_FLOWS_OPENED) - before != draws) {
		errno = EPROTO;
		die("not every flow was opened");
	}
	subjects_close(plan.subjects, 1);
	print_json(rows);
	return 0;
}
