/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What this kernel's verifier makes of the programs: prints one JSON object
 * with its time and instructions a program, and how long a load takes in all.
 */
#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include <cjson/cJSON.h>

#include "geometry.h"
#include "hook.h"

enum { LOG_SIZE = 1 << 20, LOG_STATS = 4 /* BPF_LOG_STATS of the kernel */ };

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void die(const char *what)
{
	fprintf(stderr, "verifier: %s failed\n", what);
	exit(1);
}

static struct bpf_object *open_programs(void)
{
	struct natxdp_geometry geometry;
	struct bpf_object *bpf;

	geometry_size(&geometry, 16384);
	if (geometry_draw_key(&geometry))
		die("getrandom");
	bpf = hook_open(HOOK_XDP, false, &geometry);
	if (!bpf)
		die("open");
	return bpf;
}

/* What follows @word in @log, which says it once for each verified program. */
static double number_after(const char *log, const char *word)
{
	const char *at = strstr(log, word);

	return at ? strtod(at + strlen(word), NULL) : 0;
}

static void add_programs(struct bpf_object *bpf, cJSON *list)
{
	struct bpf_program *program;
	cJSON *entry;
	size_t size;

	bpf_object__for_each_program(program, bpf)
	{
		const char *log = bpf_program__log_buf(program, &size);

		entry = cJSON_CreateObject();
		cJSON_AddStringToObject(entry, "name", bpf_program__name(program));
		cJSON_AddNumberToObject(entry, "insns", bpf_program__insn_cnt(program));
		cJSON_AddNumberToObject(entry, "verified_insns", number_after(log, "processed "));
		cJSON_AddNumberToObject(entry, "verifier_us",
					number_after(log, "verification time "));
		cJSON_AddItemToArray(list, entry);
	}
}

/* Without logging, as the loader does it. */
static double load_ms(void)
{
	struct bpf_object *bpf = open_programs();
	double start = now_ms();

	if (bpf_object__load(bpf))
		die("load");
	start = now_ms() - start;
	bpf_object__close(bpf);
	return start;
}

int main(void)
{
	struct bpf_object *bpf = open_programs();
	cJSON *object = cJSON_CreateObject();
	struct bpf_program *program;
	struct utsname kernel;
	char *text;

	bpf_object__for_each_program(program, bpf)
	{
		bpf_program__set_log_level(program, LOG_STATS);
		bpf_program__set_log_buf(program, calloc(1, LOG_SIZE), LOG_SIZE);
	}
	if (bpf_object__load(bpf))
		die("load");
	uname(&kernel);
	cJSON_AddStringToObject(object, "kernel", kernel.release);
	cJSON_AddNumberToObject(object, "load_ms", load_ms());
	add_programs(bpf, cJSON_AddArrayToObject(object, "programs"));
	text = cJSON_PrintUnformatted(object);
	if (!text)
		die("print");
	puts(text);
	return 0;
}
