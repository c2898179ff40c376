/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What a packet of an established flow costs over an empty program, and what
 * opening a flow costs: BPF_PROG_TEST_RUN on the shipped one-armed program,
 * another random flow with each packet. Writes build/bench-established.json.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "feeder.skel.h"
#include "geometry.h"
#include "natxdp.skel.h"

#include <natxdp/config.h>
#include <natxdp/reasons.h>

enum { PACKETS = 2000000, ROUNDS = 5, FRAME = 60 };

struct tuple {
	__be32 saddr, daddr;
	__be16 sport, dport;
};

struct bench {
	struct natxdp_bpf *nat;
	struct feeder_bpf *feeder;
	struct natxdp_config config;
	uint32_t flows;
	uint8_t proto;
};

static void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void put(struct bpf_map *map, const void *key, size_t key_size, const void *value,
		size_t value_size)
{
	if (bpf_map__update_elem(map, key, key_size, value, value_size, BPF_ANY))
		die(bpf_map__name(map));
}

static void load_nat(struct bench *b)
{
	struct natxdp_pool pool = { .addr = inet_addr("203.0.113.1"),
				    .port_min = 1024,
				    .port_max = 65535 };
	struct natxdp_prefix inside = { .bits = 8, .addr = inet_addr("10.0.0.0") };
	struct natxdp_config *config = &b->config;
	uint32_t zero = 0, one = 1, room = b->flows < 16384 ? 16384 : b->flows;

	b->nat = natxdp_bpf__open();
	if (!b->nat)
		die("open");
	geometry_size(&config->geometry, room);
	if (geometry_draw_key(&config->geometry))
		die("getrandom");
	b->nat->rodata->geometry = config->geometry;
	bpf_map__set_max_entries(b->nat->maps.flow_table, geometry_buckets(&config->geometry));
	bpf_map__set_max_entries(b->nat->maps.flow_tags, config->geometry.groups);
	bpf_map__set_max_entries(b->nat->maps.flow_due, config->geometry.groups);
	if (natxdp_bpf__load(b->nat))
		die("load");
	config->active = 1;
	config->pool_count = 1;
	config->tcp_midstream = NATXDP_MIDSTREAM_ADOPT;
	config->features = NATXDP_INBOUND_REFRESH;
	for (int i = 0; i < NATXDP_TIMEOUTS; i++)
		config->timeout[i] = 1u << 20; /* five hours */
	put(b->nat->maps.config, &zero, sizeof(zero), config, sizeof(*config));
	put(b->nat->maps.ext_pool, &zero, sizeof(zero), &pool, sizeof(pool));
	put(b->nat->maps.own_addrs, &pool.addr, sizeof(pool.addr), &zero, sizeof(zero));
	put(b->nat->maps.inside_nets, &inside, sizeof(inside), &one, sizeof(one));
	put(b->nat->maps.no_nat_nets, &inside, sizeof(inside), &one, sizeof(one));
}

static void load_feeder(struct bench *b)
{
	uint32_t zero = 0, one = 1, fd;
	uint64_t seed = 88172645463325252ull;

	b->feeder = feeder_bpf__open();
	if (!b->feeder)
		die("open");
	b->feeder->rodata->flows = b->flows;
	b->feeder->rodata->proto = b->proto;
	bpf_map__set_max_entries(b->feeder->maps.tuples, b->flows);
	if (feeder_bpf__load(b->feeder))
		die("load");
	fd = bpf_program__fd(b->nat->progs.natxdp_single);
	put(b->feeder->maps.targets, &zero, sizeof(zero), &fd, sizeof(fd));
	fd = bpf_program__fd(b->feeder->progs.empty);
	put(b->feeder->maps.targets, &one, sizeof(one), &fd, sizeof(fd));
	put(b->feeder->maps.random_state, &zero, sizeof(zero), &seed, sizeof(seed));
}

/* An array map is page-aligned only as a whole: its elements follow each other. */
static struct tuple *map_tuples(struct bench *b, size_t *size)
{
	struct tuple *tuples;

	/* the value is padded to 16 bytes in the map */
	*size = ((size_t)b->flows * 16 + 4095) & ~4095ul;
	tuples = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      bpf_map__fd(b->feeder->maps.tuples), 0);
	if (tuples == MAP_FAILED)
		die("mmap");
	return tuples;
}

static void outbound_tuples(struct bench *b)
{
	size_t size;
	char *tuples = (char *)map_tuples(b, &size);

	for (uint32_t i = 0; i < b->flows; i++) {
		struct tuple *t = (struct tuple *)(tuples + (size_t)i * 16);

		t->saddr = htonl(0x0a4d0002 + i % 16);
		t->daddr = htonl(0xc6336401 + i / 16 % 64);
		t->sport = htons(1024 + i / 1024 % 60000);
		t->dport = htons(53);
	}
	munmap(tuples, size);
}

/* The same flows, as their answers come in. */
static void inbound_tuples(struct bench *b)
{
	uint32_t buckets = geometry_buckets(&b->config.geometry), n = 0;
	size_t size, table_size = (size_t)buckets * sizeof(struct natxdp_bucket);
	struct natxdp_bucket *table;
	char *tuples = (char *)map_tuples(b, &size);

	table = mmap(NULL, table_size, PROT_READ, MAP_SHARED, bpf_map__fd(b->nat->maps.flow_table),
		     0);
	if (table == MAP_FAILED)
		die("mmap");
	for (uint32_t i = 0; i < buckets * NATXDP_WAYS && n < b->flows; i++) {
		const struct natxdp_flow *f = &table[i / NATXDP_WAYS].way[i % NATXDP_WAYS];

		if (f->key.proto != b->proto || !(f->flags & NATXDP_FLOW_INBOUND))
			continue;
		memcpy(tuples + (size_t)n++ * 16, &f->key, sizeof(struct tuple));
	}
	if (n != b->flows) {
		fprintf(stderr, "bench: %u of %u flows in the table\n", n, b->flows);
		exit(1);
	}
	munmap(table, table_size);
	munmap(tuples, size);
}

static double run(struct bpf_program *program, uint32_t packets)
{
	uint8_t frame[FRAME] = { 0 }, out[FRAME];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = FRAME,
		    .data_out = out, .data_size_out = FRAME, .repeat = packets);

	if (bpf_prog_test_run_opts(bpf_program__fd(program), &opts))
		die("test run");
	return opts.duration;
}

static uint64_t forwarded(struct bench *b)
{
	int cpus = libbpf_num_possible_cpus();
	struct natxdp_counters *c = calloc(cpus, sizeof(*c));
	uint64_t sum = 0;
	uint32_t zero = 0;

	if (bpf_map__lookup_elem(b->nat->maps.counters, &zero, sizeof(zero), c, cpus * sizeof(*c),
				 0))
		die("counters");
	for (int i = 0; i < cpus; i++)
		sum += c[i].packets[NATXDP_OUT_FORWARDED] + c[i].packets[NATXDP_IN_FORWARDED];
	free(c);
	return sum;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median over rounds of what the program costs more than the empty one. */
static double cost(struct bench *b)
{
	double over[ROUNDS];
	uint64_t before;

	for (int i = 0; i < ROUNDS; i++) {
		double base = run(b->feeder->progs.feed_empty, PACKETS);

		before = forwarded(b);
		over[i] = run(b->feeder->progs.feed_target, PACKETS) - base;
		if (forwarded(b) - before != PACKETS) {
			fprintf(stderr, "bench: not every packet was forwarded\n");
			exit(1);
		}
	}
	qsort(over, ROUNDS, sizeof(*over), compare);
	return over[ROUNDS / 2];
}

static void measure(cJSON *rows, uint32_t flows, uint8_t proto)
{
	struct bench b = { .flows = flows, .proto = proto };
	const char *name = proto == IPPROTO_TCP ? "tcp" : "udp";
	cJSON *row = cJSON_CreateObject();
	double out, in;

	load_nat(&b);
	load_feeder(&b);
	outbound_tuples(&b);
	/* random flows: of a million, one is missing once in 40,000 runs */
	run(b.feeder->progs.feed_target, flows * 24);
	out = cost(&b);
	inbound_tuples(&b);
	in = cost(&b);
	printf("%9u %5s %10.0f %10.0f\n", flows, name, out, in);
	cJSON_AddNumberToObject(row, "flows", flows);
	cJSON_AddStringToObject(row, "proto", name);
	cJSON_AddNumberToObject(row, "out_ns", out);
	cJSON_AddNumberToObject(row, "in_ns", in);
	cJSON_AddItemToArray(rows, row);
	feeder_bpf__destroy(b.feeder);
	natxdp_bpf__destroy(b.nat);
}

int main(void)
{
	static const uint32_t sizes[] = { 64, 10000, 200000, 1000000 };
	cJSON *root = cJSON_CreateObject(), *rows = cJSON_AddArrayToObject(root, "established");
	char *text;
	FILE *file;

	printf("established packet, ns over an empty program (one CPU, random flow a packet)\n");
	printf("%9s %5s %10s %10s\n", "flows", "proto", "out", "in");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		measure(rows, sizes[i], IPPROTO_UDP);
		measure(rows, sizes[i], IPPROTO_TCP);
	}
	text = cJSON_Print(root);
	file = fopen("build/bench-established.json", "w");
	if (!file || fprintf(file, "%s\n", text) < 0 || fclose(file))
		die("build/bench-established.json");
	free(text);
	cJSON_Delete(root);
	return 0;
}
