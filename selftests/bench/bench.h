/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What all benchmark programs share: the end on errors, time, statistics, output. */
#ifndef BENCH_H
#define BENCH_H

#include <cjson/cJSON.h>
#include <stdint.h>

struct bpf_map;

enum { BENCH_ROUNDS_MAX = 64 };

/* Prints "bench: ..." with the meaning of errno, and ends the program. */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);

double now_ns(void);
void pin_to_cpu(unsigned int cpu);

/* Sorts @values. */
double median(double *values, unsigned int count);
double quantile(double *values, unsigned int count, double at);

/* The value of an option like --flows, or what else it is to be. */
const char *option_text(int argc, char **argv, const char *name, const char *otherwise);
uint32_t option_number(int argc, char **argv, const char *name, uint32_t otherwise);

/* Quiet, but for warnings. */
void bench_libbpf_print(void);

/* A whole BPF_F_MMAPABLE array. */
void *map_memory(struct bpf_map *map);

/* Prints @root as one line and frees it. */
void print_json(cJSON *root);

#endif
