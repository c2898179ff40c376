/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * open --pin-dir DIR --iface IFACE --flows N [--open N] [--rounds N]
 * [--yardsticks 0|1]: what opening a flow costs over an empty program
 * (BPF_PROG_TEST_RUN) when there are N already: in each round N packets, each of
 * a flow of its own. The shipped program and the yardsticks take turns.
 */
#include <errno.h>
#include <stdio.h>

#include "bench.h"
#include "subject.h"

#include <natxdp/reasons.h>

static double open_flows(struct subject *s, uint32_t begin, uint32_t count)
{
	uint64_t before = subject_event(s, NATXDP_EVENT_FLOWS_OPENED);
	double empty, ns;

	subject_range(s, 0, begin, begin + count);
	empty = subject_feed_empty(s, count);
	subject_range(s, 0, begin, begin + count);
	ns = subject_feed(s, count);
	if (subject_event(s, NATXDP_EVENT_FLOWS_OPENED) - before != count) {
		errno = EPROTO;
		die("%s has not opened every flow", s->name);
	}
	return ns - empty;
}

int main(int argc, char **argv)
{
	uint32_t flows = option_number(argc, argv, "--flows", 0);
	uint32_t count = option_number(argc, argv, "--open", 10000);
	uint32_t rounds = option_number(argc, argv, "--rounds", 5);
	double ns[SUBJECTS_MAX][BENCH_ROUNDS_MAX];
	struct subject subjects[SUBJECTS_MAX];
	cJSON *row = cJSON_CreateObject(), *each;
	unsigned int subject_count;

	bench_libbpf_print();
	pin_to_cpu(0);
	subject_count = subjects_open(subjects, option_text(argc, argv, "--pin-dir", ""),
				      option_text(argc, argv, "--iface", ""),
				      option_number(argc, argv, "--yardsticks", 1),
				      flows + count * rounds);
	for (unsigned int i = 0; i < subject_count; i++) {
		for (uint32_t n = 0; n < flows + count * rounds; n++)
			subjects[i].draws[n] = flow_tuple(n, SPREAD_HOSTS);
		if (flows)
			open_flows(&subjects[i], 0, flows);
	}
	for (unsigned int round = 0; round < rounds; round++) {
		for (unsigned int i = 0; i < subject_count; i++)
			ns[i][round] = open_flows(&subjects[i], flows + round * count, count);
	}
	cJSON_AddNumberToObject(row, "flows", flows);
	each = cJSON_AddObjectToObject(row, "ns");
	for (unsigned int i = 0; i < subject_count; i++)
		cJSON_AddItemToObject(each, subjects[i].name,
				      cJSON_CreateDoubleArray(ns[i], rounds));
	subjects_close(subjects, subject_count);
	print_json(row);
	return 0;
}
