/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * load [--rounds N]: the size of the shipped programs, and what it takes the kernel
 * to verify and load them. Needs no network and no other file, so that it can run
 * on any kernel: the report takes up what it prints, from whichever machine.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <natxdp/config.h>

#include "bench.h"
#include "flows_iter.skel.h"
#include "geometry.h"
#include "hook.h"

enum { PROGRAMS_MAX = 16, LOG_SIZE = 65536, LOG_STATS = 4, FLOWS = 262144 };

struct measured {
	char name[64];
	double verify_ms[BENCH_ROUNDS_MAX];
	struct bpf_prog_info info;
};

static double verification_ms(const char *log)
{
	const char *found = strstr(log, "verification time ");

	return found ? strtod(found + strlen("verification time "), NULL) / 1000 : 0;
}

static struct bpf_object *open_nat(enum hook hook)
{
	struct natxdp_geometry geometry = { 0 };
	struct bpf_object *nat;

	geometry_size(&geometry, FLOWS);
	nat = hook_open(hook, false, &geometry);
	if (!nat)
		die("open");
	return nat;
}

/* Loads an object once. Returns the milliseconds. */
static double load_once(struct bpf_object *object, struct measured *programs, unsigned int *count,
			unsigned int round)
{
	char *logs = calloc(PROGRAMS_MAX, LOG_SIZE);
	struct bpf_program *program;
	unsigned int i = *count;
	__u32 size;
	double ms;

	if (!logs)
		die("memory");
	bpf_object__for_each_program(program, object)
	{
		bpf_program__set_log_buf(program, logs + (size_t)i * LOG_SIZE, LOG_SIZE);
		bpf_program__set_log_level(program, LOG_STATS);
		i++;
	}
	ms = now_ns();
	if (bpf_object__load(object))
		die("load %s", bpf_object__name(object));
	ms = (now_ns() - ms) / 1e6;
	bpf_object__for_each_program(program, object)
	{
		struct measured *m = &programs[*count];

		snprintf(m->name, sizeof(m->name), "%s", bpf_program__name(program));
		m->verify_ms[round] = verification_ms(logs + (size_t)*count * LOG_SIZE);
		memset(&m->info, 0, sizeof(m->info));
		size = sizeof(m->info);
		if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &m->info, &size))
			die("info of %s", m->name);
		(*count)++;
	}
	free(logs);
	return ms;
}

int main(int argc, char **argv)
{
	unsigned int rounds = option_number(argc, argv, "--rounds", 5), count = 0;
	static struct measured programs[PROGRAMS_MAX];
	cJSON *root = cJSON_CreateObject(), *list;
	double ms[BENCH_ROUNDS_MAX];
	struct utsname kernel;

	bench_libbpf_print();
	for (unsigned int round = 0; round < rounds; round++) {
		struct bpf_object *nat = open_nat(HOOK_XDP);
		struct flows_iter_bpf *iterator = flows_iter_bpf__open();

		count = 0;
		if (!iterator)
			die("open iterator");
		ms[round] = load_once(nat, programs, &count, round);
		ms[round] += load_once(iterator->obj, programs, &count, round);
		flows_iter_bpf__destroy(iterator);
		bpf_object__close(nat);
	}
	uname(&kernel);
	cJSON_AddStringToObject(root, "kernel", kernel.release);
	cJSON_AddItemToObject(root, "load_ms", cJSON_CreateDoubleArray(ms, rounds));
	list = cJSON_AddArrayToObject(root, "programs");
	for (unsigned int i = 0; i < count; i++) {
		cJSON *row = cJSON_CreateObject();

		cJSON_AddStringToObject(row, "name", programs[i].name);
		cJSON_AddNumberToObject(row, "instructions", programs[i].info.xlated_prog_len / 8);
		cJSON_AddNumberToObject(row, "jited_bytes", programs[i].info.jited_prog_len);
		cJSON_AddNumberToObject(row, "verified_instructions",
					programs[i].info.verified_insns);
		cJSON_AddItemToObject(row, "verify_ms",
				      cJSON_CreateDoubleArray(programs[i].verify_ms, rounds));
		cJSON_AddItemToArray(list, row);
	}
	print_json(root);
	return 0;
}
