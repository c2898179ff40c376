/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "subject.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <natxdp/config.h>
#include <natxdp/reasons.h>
#include <natxdp/tunnel.h>

#include "bench.h"
#include "feeder.skel.h"
#include "pins.h"
#include "yardstick_hash.skel.h"
#include "yardstick_lru.skel.h"

enum { FRAME_ROOM = 256 }; /* an ICMP error is larger than what it answers */

/* What a yardstick has in common with the NAT whose settings it takes. */
static const char *const settings_maps[] = {
	"config",     "ext_pool",  "own_addrs",	     "inside_nets", "no_nat_nets",
	"host_ports", "next_hops", "next_hop_index", "egress_devs",
};

static int open_map(const char *pin_dir, const char *name)
{
	char path[PIN_PATH_MAX];
	int fd;

	pins_map_path(path, pin_dir, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		die("%s", path);
	return fd;
}

static int open_program(const char *pin_dir, const char *iface)
{
	struct bpf_link_info info = { 0 };
	char path[PIN_PATH_MAX];
	__u32 size = sizeof(info);
	int link, fd;

	pins_link_path(path, pin_dir, iface);
	link = bpf_obj_get(path);
	if (link < 0 || bpf_obj_get_info_by_fd(link, &info, &size))
		die("%s", path);
	fd = bpf_prog_get_fd_by_id(info.prog_id);
	if (fd < 0)
		die("program of %s", path);
	return fd;
}

/* A map of a program that is loaded, which is pinned nowhere. */
static int map_of(int program, const char *name)
{
	struct bpf_prog_info info = { 0 };
	struct bpf_map_info map;
	__u32 size = sizeof(info), map_size, ids[64];
	int fd;

	info.map_ids = (uintptr_t)ids;
	info.nr_map_ids = sizeof(ids) / sizeof(*ids);
	if (bpf_obj_get_info_by_fd(program, &info, &size))
		die("maps of the program");
	for (unsigned int i = 0; i < info.nr_map_ids && i < sizeof(ids) / sizeof(*ids); i++) {
		memset(&map, 0, sizeof(map));
		map_size = sizeof(map);
		fd = bpf_map_get_fd_by_id(ids[i]);
		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &map, &map_size))
			die("map %u", ids[i]);
		if (!strcmp(map.name, name))
			return fd;
		close(fd);
	}
	errno = ENOENT;
	die("map %s", name);
}

/* The clock is that of the NAT, which has it measured: else the yardsticks would use the slow one. */
static void share_clock(struct bpf_object *object, int program)
{
	static const char *const maps[] = { ".data.clock", ".rodata.jiffy" };

	for (size_t i = 0; i < sizeof(maps) / sizeof(*maps); i++) {
		if (bpf_map__reuse_fd(bpf_object__find_map_by_name(object, maps[i]),
				      map_of(program, maps[i])))
			die("map %s of the NAT", maps[i]);
	}
}

/* The skeleton itself is not needed any more once its object is open. */
static struct bpf_object *open_yardstick(const char *name, const struct natxdp_geometry *geometry)
{
	struct yardstick_hash_bpf *hash;
	struct yardstick_lru_bpf *lru;

	if (!strcmp(name, "hash")) {
		hash = yardstick_hash_bpf__open();
		if (!hash)
			die("open %s", name);
		hash->rodata_geometry->geometry = *geometry;
		return hash->obj;
	}
	lru = yardstick_lru_bpf__open();
	if (!lru)
		die("open %s", name);
	lru->rodata_geometry->geometry = *geometry;
	return lru->obj;
}

/* Maps of the shipped table that are left over have one element and cost nothing. */
static void load_yardstick(struct subject *s, const char *name, const char *pin_dir, int nat)
{
	/* LRU lists are kept by CPU and run empty before the map is full */
	uint32_t zero = 0, entries_per_flow = strcmp(name, "lru") ? 2 : 3;
	struct natxdp_config config;
	struct bpf_program *program;
	struct bpf_map *map;

	if (bpf_map_lookup_elem(open_map(pin_dir, "config"), &zero, &config))
		die("map config");
	s->name = name;
	s->object = open_yardstick(name, &config.geometry);
	map = bpf_object__find_map_by_name(s->object, "yardstick_flows");
	bpf_map__set_max_entries(map, config.max_flows * entries_per_flow);
	for (size_t i = 0; i < sizeof(settings_maps) / sizeof(*settings_maps); i++) {
		map = bpf_object__find_map_by_name(s->object, settings_maps[i]);
		if (!map || bpf_map__reuse_fd(map, open_map(pin_dir, settings_maps[i])))
			die("map %s of %s", settings_maps[i], name);
	}
	share_clock(s->object, nat);
	for (program = NULL; (program = bpf_object__next_program(s->object, program));)
		bpf_program__set_autoload(program,
					  !strcmp(bpf_program__name(program), "yardstick"));
	if (bpf_object__load(s->object))
		die("load %s", name);
	program = bpf_object__find_program_by_name(s->object, "yardstick");
	s->program = bpf_program__fd(program);
	s->counters = bpf_object__find_map_fd_by_name(s->object, "counters");
}

static void load_feeder(struct subject *s, uint32_t draws)
{
	uint32_t zero = 0, one = 1, fd;

	s->feeder = feeder_bpf__open();
	if (!s->feeder)
		die("open feeder");
	bpf_map__set_max_entries(s->feeder->maps.draws, draws);
	if (feeder_bpf__load(s->feeder))
		die("load feeder");
	fd = s->program;
	if (bpf_map__update_elem(s->feeder->maps.targets, &zero, sizeof(zero), &fd, sizeof(fd), 0))
		die("feed %s", s->name);
	fd = bpf_program__fd(s->feeder->progs.empty);
	if (bpf_map__update_elem(s->feeder->maps.targets, &one, sizeof(one), &fd, sizeof(fd), 0))
		die("feed an empty program");
	s->draws = map_memory(s->feeder->maps.draws);
}

unsigned int subjects_open(struct subject subjects[SUBJECTS_MAX], const char *pin_dir,
			   const char *iface, int yardsticks, uint32_t draws)
{
	unsigned int count = yardsticks ? 3 : 1;

	memset(subjects, 0, SUBJECTS_MAX * sizeof(*subjects));
	subjects[0].name = "natxdp";
	subjects[0].program = open_program(pin_dir, iface);
	subjects[0].counters = open_map(pin_dir, "counters");
	if (yardsticks) {
		load_yardstick(&subjects[1], "hash", pin_dir, subjects[0].program);
		load_yardstick(&subjects[2], "lru", pin_dir, subjects[0].program);
	}
	for (unsigned int i = 0; i < count; i++)
		load_feeder(&subjects[i], draws);
	return count;
}

static uint16_t checksum(const uint8_t *byte, int count)
{
	uint32_t sum = 0;

	for (int i = 0; i < count; i += 2)
		sum += byte[i] << 8 | byte[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return htons(~(sum + (sum >> 16)));
}

/* Around a packet of FRAME_SIZE bytes with Ethernet. */
static void make_outer(struct subject *s, const char *lb, const char *own)
{
	static const uint8_t geneve[] = {
		8, 0, 8, 0, 0, 0, 1, 0, 1, 8, 1, 2, 0, 0, 0, 0, 0, 0, 0, 7,
		1, 8, 2, 2, 0, 0, 0, 0, 0, 0, 0, 9, 1, 8, 3, 1, 0, 0, 0, 5,
	};
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP };
	const int eth = 14, inner = FRAME_SIZE - eth;

	ip.tot_len = htons(FEEDER_OUTER - eth + inner);
	inet_pton(AF_INET, lb, &ip.saddr);
	inet_pton(AF_INET, own, &ip.daddr);
	ip.check = checksum((void *)&ip, sizeof(ip));
	memset(s->outer, 0, sizeof(s->outer));
	s->outer[eth - 2] = 8;
	memcpy(s->outer + eth, &ip, sizeof(ip));
	s->outer[34] = 0xee;
	s->outer[36] = NATXDP_GENEVE_PORT >> 8;
	s->outer[37] = NATXDP_GENEVE_PORT & 255;
	s->outer[39] = FEEDER_OUTER - eth - 20 + inner;
	memcpy(s->outer + 42, geneve, sizeof(geneve));
}

void subject_open_gwlb(struct subject *s, const char *pin_dir, const char *iface, const char *lb,
		       const char *own, uint32_t draws)
{
	s->name = "gwlb";
	s->program = open_program(pin_dir, iface);
	s->counters = open_map(pin_dir, "counters");
	s->tunnel = 1;
	s->ifindex = if_nametoindex(iface);
	make_outer(s, lb, own);
	load_feeder(s, draws);
	memcpy(&s->feeder->bss->outer, s->outer, sizeof(s->outer));
	s->feeder->bss->shifting = 1;
}

void subject_side(struct subject *s, int inbound)
{
	s->feeder->bss->in_tunnel = s->tunnel && !inbound;
}

void subjects_close(struct subject *subjects, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		feeder_bpf__destroy(subjects[i].feeder);
		bpf_object__close(subjects[i].object);
	}
}

void subject_range(struct subject *s, unsigned int cpu, uint32_t begin, uint32_t end)
{
	s->feeder->bss->cursors[cpu].at = begin;
	s->feeder->bss->cursors[cpu].begin = begin;
	s->feeder->bss->cursors[cpu].end = end;
}

void subject_protocol(struct subject *s, uint8_t proto, uint8_t tcp_flags)
{
	s->feeder->data->proto = proto;
	s->feeder->bss->tcp_flags = tcp_flags;
}

/* A frame of the inside comes in the tunnel, if there is one; what comes out is as it is. */
static uint32_t test_run(const struct subject *s, int program, uint8_t frame[FRAME_SIZE],
			 uint32_t repeat, uint32_t *verdict)
{
	uint8_t in[FRAME_ROOM] = { 0 }, out[FRAME_ROOM];
	struct xdp_md md = { .ingress_ifindex = s->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_size_in = FRAME_SIZE,
		    .data_out = out, .data_size_out = sizeof(out), .repeat = repeat);

	memcpy(in, frame, FRAME_SIZE);
	if (s->tunnel) {
		memcpy(in, s->outer, FEEDER_OUTER);
		memcpy(in + FEEDER_OUTER, frame + 14, FRAME_SIZE - 14);
		opts.data_size_in = FEEDER_OUTER + FRAME_SIZE - 14;
		md.data_end = opts.data_size_in;
		opts.ctx_in = &md;
		opts.ctx_size_in = sizeof(md);
	}
	if (bpf_prog_test_run_opts(program, &opts))
		die("test run");
	memcpy(frame, out, FRAME_SIZE);
	if (verdict)
		*verdict = opts.retval;
	return opts.duration;
}

static double feed(const struct subject *s, struct bpf_program *program, uint32_t packets)
{
	uint8_t frame[FRAME_SIZE] = { 0 };

	return test_run(s, bpf_program__fd(program), frame, packets, NULL);
}

double subject_feed(struct subject *s, uint32_t packets)
{
	return feed(s, s->feeder->progs.feed_target, packets);
}

double subject_feed_empty(struct subject *s, uint32_t packets)
{
	return feed(s, s->feeder->progs.feed_empty, packets);
}

uint32_t subject_run(struct subject *s, uint8_t frame[FRAME_SIZE], uint32_t *verdict)
{
	return test_run(s, s->program, frame, 1, verdict);
}

static struct natxdp_counters read_counters(const struct subject *s)
{
	int cpus = libbpf_num_possible_cpus();
	struct natxdp_counters *each = calloc(cpus, sizeof(*each)), sum = { 0 };
	uint32_t zero = 0;

	if (!each || bpf_map_lookup_elem(s->counters, &zero, each))
		die("counters of %s", s->name);
	for (int cpu = 0; cpu < cpus; cpu++) {
		for (int i = 0; i < NATXDP_REASON_COUNT; i++)
			sum.packets[i] += each[cpu].packets[i];
		for (int i = 0; i < NATXDP_EVENT_COUNT; i++)
			sum.events[i] += each[cpu].events[i];
	}
	free(each);
	return sum;
}

uint64_t subject_forwarded(const struct subject *s)
{
	struct natxdp_counters c = read_counters(s);

	return c.packets[NATXDP_OUT_FORWARDED] + c.packets[NATXDP_IN_FORWARDED];
}

uint64_t subject_event(const struct subject *s, unsigned int event)
{
	return read_counters(s).events[event];
}

void subject_prime(struct subject *s, const struct tuple *flows, struct tuple *answers,
		   uint32_t count, uint8_t proto)
{
	uint64_t before = subject_forwarded(s);
	uint8_t frame[FRAME_SIZE];

	for (uint32_t i = 0; i < count; i++) {
		make_frame(frame, &flows[i], proto, TH_ACK);
		subject_run(s, frame, NULL);
		answers[i] = answer_tuple(frame);
		answers[i].flow = flows[i].flow;
	}
	if (subject_forwarded(s) - before == count)
		return;
	errno = ENOSPC;
	die("%s has %llu of %u flows", s->name, (unsigned long long)(subject_forwarded(s) - before),
	    count);
}
