/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "bench.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

void die(const char *format, ...)
{
	int err = errno;
	va_list args;

	fputs("bench: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(err));
	exit(1);
}

double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

void pin_to_cpu(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("CPU %u", cpu);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double quantile(double *values, unsigned int count, double at)
{
	unsigned int index = at * count;

	if (!count)
		return 0;
	qsort(values, count, sizeof(*values), compare);
	return values[index < count ? index : count - 1];
}

double median(double *values, unsigned int count)
{
	return quantile(values, count, 0.5);
}

const char *option_text(int argc, char **argv, const char *name, const char *otherwise)
{
	for (int i = 1; i + 1 < argc; i++) {
		if (!strcmp(argv[i], name))
			return argv[i + 1];
	}
	return otherwise;
}

uint32_t option_number(int argc, char **argv, const char *name, uint32_t otherwise)
{
	const char *text = option_text(argc, argv, name, NULL);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

static int print_warnings(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

void bench_libbpf_print(void)
{
	libbpf_set_print(print_warnings);
}

void *map_memory(struct bpf_map *map)
{
	/* an array is page-aligned as a whole, and its values are padded to 8 bytes */
	size_t size = ((size_t)bpf_map__value_size(map) + 7) / 8 * 8 * bpf_map__max_entries(map);
	size_t page = sysconf(_SC_PAGESIZE);
	void *memory;

	memory = mmap(NULL, (size + page - 1) / page * page, PROT_READ | PROT_WRITE, MAP_SHARED,
		      bpf_map__fd(map), 0);
	if (memory == MAP_FAILED)
		die("mmap of %s", bpf_map__name(map));
	return memory;
}

void print_json(cJSON *root)
{
	char *text = cJSON_PrintUnformatted(root);

	if (!text || puts(text) < 0 || fflush(stdout))
		die("output");
	free(text);
	cJSON_Delete(root);
}
