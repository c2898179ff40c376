/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "box.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "box_kernel.h"
#include "geometry.h"
#include "hook.h"

struct box {
	enum hook hook;
	bool two_armed;
	struct bpf_object *object;
	struct bpf_program *program[BOX_OUTSIDE + 1];
	int guard[2]; /* programs behind the others, over the same maps; [1]: of the inside alone */
	uint32_t inside_ifindex, outside_ifindex;
	struct natxdp_geometry geometry;
	const struct natxdp_bucket *table; /* mmapped */
	unsigned int buckets;
	int cpus;
	uint64_t frames[XDP_REDIRECT + 1]; /* that were run, by verdict */
};

const uint8_t box_host_mac[6] = { 2, 0, 0, 0, 0, 2 };
const uint8_t box_in_mac[6] = { 2, 0, 0, 0, 0, 1 };
const uint8_t box_out_mac[6] = { 2, 0, 0, 0, 1, 1 };
const uint8_t box_router_mac[6] = { 2, 0, 0, 0, 1, 254 };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static uint32_t ticks(double seconds)
{
	return seconds * 1e9 / (1 << NATXDP_TICK_SHIFT) + 1;
}

static void put(struct bpf_map *map, const void *key, size_t key_size, const void *value,
		size_t value_size)
{
	assert_int_equal(bpf_map__update_elem(map, key, key_size, value, value_size, BPF_ANY), 0);
}

static void put_prefix(struct bpf_map *map, const char *dotted, uint32_t bits)
{
	struct natxdp_prefix key = { .bits = bits, .addr = inet_addr(dotted) };
	uint32_t one = 1;

	put(map, &key, sizeof(key), &one, sizeof(one));
}

static void fill_pool(struct box *box, const struct box_options *o, struct natxdp_config *cfg)
{
	uint32_t i, own = NATXDP_OWN_ADDR;
	__be32 in_addr = inet_addr("10.77.0.1");

	cfg->pool_count = o->externals ? o->externals : 1;
	for (i = 0; i < cfg->pool_count; i++) {
		struct natxdp_pool pool = {
			.addr = htonl(addr("203.0.113.1") + i),
			.port_min = o->port_min ? o->port_min : 1024,
			.port_max = o->port_max ? o->port_max : 60999,
		};

		put(box_map(box, "ext_pool"), &i, sizeof(i), &pool, sizeof(pool));
		put(box_map(box, "own_addrs"), &pool.addr, sizeof(pool.addr), &i, sizeof(i));
	}
	put(box_map(box, "own_addrs"), &in_addr, sizeof(in_addr), &own, sizeof(own));
}

static void fill_host_ports(struct box *box)
{
	struct natxdp_host_ports ports = { 0 };
	uint32_t zero = 0, port;

	ports.word[22 / 64] |= 1ull << 22 % 64;
	ports.word[68 / 64] |= 1ull << 68 % 64;
	for (port = 61000; port < 65536; port++)
		ports.word[port / 64] |= 1ull << port % 64;
	put(box_map(box, "host_ports"), &zero, sizeof(zero), &ports, sizeof(ports));
}

static void fill(struct box *box, const struct box_options *o)
{
	struct natxdp_config cfg = {
		.abi = NATXDP_ABI,
		.active = !o->inactive,
		.two_armed = o->two_armed,
		.tcp_midstream = o->tcp_midstream,
		.outside_ifindex = box->outside_ifindex,
		.egress_mtu = o->egress_mtu,
		.features = (o->features ^ NATXDP_INBOUND_REFRESH) | (o->gwlb ? NATXDP_TUNNELS : 0),
		.limit_flows = o->limit_flows,
		.limit_rate = o->limit_rate,
		.mss_clamp = o->mss_clamp,
		.dev = { box->outside_ifindex, o->two_armed ? box->inside_ifindex : 0 },
		.dev_addr = { inet_addr("203.0.113.1"), inet_addr("10.77.0.1") },
		.geometry = box->geometry,
	};
	uint32_t zero = 0, one = 1, i;

	fill_pool(box, o, &cfg);
	fill_host_ports(box);
	put_prefix(box_map(box, "inside_nets"), "10.0.0.0", 8);
	put_prefix(box_map(box, "no_nat_nets"), "10.0.0.0", 8);
	put_prefix(box_map(box, "no_nat_nets"), "198.18.0.0", 15);
	memset(cfg.mapping, o->mapping, sizeof(cfg.mapping));
	memset(cfg.filtering, o->filtering, sizeof(cfg.filtering));
	for (i = 0; i < NATXDP_TIMEOUTS; i++)
		cfg.timeout[i] = ticks(o->timeout ? o->timeout : 350);
	if (o->tcp_closing_timeout)
		cfg.timeout[NATXDP_TIMEOUT_TCP_CLOSING] = ticks(o->tcp_closing_timeout);
	put(box_map(box, "config"), &zero, sizeof(zero), &cfg, sizeof(cfg));
	if (o->two_armed) {
		struct bpf_devmap_val out = { .ifindex = box->outside_ifindex };
		struct bpf_devmap_val in = { .ifindex = box->inside_ifindex };

		put(box_map(box, "egress_devs"), &zero, sizeof(zero), &out, sizeof(out));
		put(box_map(box, "egress_devs"), &one, sizeof(one), &in, sizeof(in));
	}
}

/* As loader/object.c does it for an upgrade. */
static void take_over(struct box *box, struct box *before)
{
	static const char *const own[] = { "flow_table", "flow_tags",	"flow_locks",
					   "flow_due",	 "sweep_state", "config" };
	struct natxdp_geometry *geometry = &before->geometry;
	struct bpf_map *map, *shared;
	bool is_own;

	bpf_object__for_each_map(map, box->object)
	{
		is_own = bpf_map__is_internal(map) || !strncmp(bpf_map__name(map), "before", 6);
		for (unsigned int i = 0; i < sizeof(own) / sizeof(*own); i++)
			is_own |= !strcmp(bpf_map__name(map), own[i]);
		shared = is_own ? NULL : box_map(before, bpf_map__name(map));
		if (shared)
			assert_int_equal(bpf_map__reuse_fd(map, bpf_map__fd(shared)), 0);
	}
	assert_int_equal(bpf_map__reuse_fd(box_map(box, "before_table"),
					   bpf_map__fd(box_map(before, "flow_table"))),
			 0);
	assert_int_equal(bpf_map__reuse_fd(box_map(box, "before_tags"),
					   bpf_map__fd(box_map(before, "flow_tags"))),
			 0);
	assert_int_equal(bpf_map__set_initial_value(box_map(box, ".rodata.before"), geometry,
						    sizeof(*geometry)),
			 0);
	memcpy(box->frames, before->frames, sizeof(box->frames));
}

/* Only what this box runs: most of a test's time is the verifier's. */
static void choose_programs(struct box *box, const struct box_options *o)
{
	static const char *const names[] = { "natxdp_single", "natxdp_inside", "natxdp_outside" };
	unsigned int i;

	bpf_program__set_autoload(bpf_object__find_program_by_name(box->object, "natxdp_insert"),
				  o->inserter);
	bpf_program__set_autoload(bpf_object__find_program_by_name(box->object, "natxdp_carry"),
				  o->inserter);
	bpf_program__set_autoload(bpf_object__find_program_by_name(box->object, "natxdp_bring"),
				  o->before);
	for (i = 0; i <= BOX_OUTSIDE; i++) {
		box->program[i] = bpf_object__find_program_by_name(box->object, names[i]);
		bpf_program__set_autoload(box->program[i], box->two_armed == (i != BOX_SINGLE));
	}
}

static void load(struct box *box, const struct box_options *o)
{
	uint32_t flows = o->max_flows ? o->max_flows : 4096;
	unsigned int i;

	geometry_size(&box->geometry, flows);
	for (i = 0; i < 5; i++)
		box->geometry.hash_key[i] = (uint64_t)random() << 33 ^ (uint64_t)random() << 11 ^ 1;
	box->buckets = geometry_buckets(&box->geometry);
	box->object = hook_open(box->hook, o->gwlb, &box->geometry);
	assert_non_null(box->object);
	choose_programs(box, o);
	if (o->before)
		take_over(box, o->before);
	assert_int_equal(bpf_object__load(box->object), 0);
	box->table = mmap(NULL, box->buckets * sizeof(*box->table), PROT_READ, MAP_SHARED,
			  bpf_map__fd(box_map(box, "flow_table")), 0);
	assert_ptr_not_equal(box->table, MAP_FAILED);
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

static void arm(struct box *box)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	struct bpf_program *program = bpf_object__find_program_by_name(box->object, "natxdp_arm");

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(program), &run), 0);
	assert_int_equal((int)run.retval, 0);
}

static uint32_t ifindex(const struct box *box, enum box_side side)
{
	return side == BOX_INSIDE ? box->inside_ifindex : box->outside_ifindex;
}

/* A test run of XDP names a receive queue only of an interface that has a program. */
static void attach(struct box *box, bool attached)
{
	int i, fd, ret;

	for (i = BOX_SINGLE; box->hook == HOOK_XDP && i <= BOX_OUTSIDE; i++) {
		if (!bpf_program__autoload(box->program[i]))
			continue;
		fd = bpf_program__fd(box->program[i]);
		ret = attached ? bpf_xdp_attach(ifindex(box, i), fd, 0, NULL) :
				 bpf_xdp_detach(ifindex(box, i), 0, NULL);
		assert_int_equal(ret, 0);
	}
}

struct box *box_open(const struct box_options *options)
{
	struct box *box = calloc(1, sizeof(*box));

	libbpf_set_print(quiet);
	box_make_network();
	box->hook = box_hook;
	box->two_armed = options->two_armed;
	box->cpus = libbpf_num_possible_cpus();
	box->inside_ifindex = if_nametoindex("in0");
	box->outside_ifindex = if_nametoindex("out0");
	load(box, options);
	for (int inside = 0; inside < 2; inside++)
		box->guard[inside] = box_guard_load(box->object, inside);
	fill(box, options);
	arm(box);
	attach(box, true);
	return box;
}

static void counters(struct box *box, struct natxdp_counters *sum)
{
	struct natxdp_counters *cpu = calloc(box->cpus, sizeof(*cpu));
	uint32_t zero = 0;
	unsigned int i;
	int c;

	assert_int_equal(bpf_map__lookup_elem(box_map(box, "counters"), &zero, sizeof(zero), cpu,
					      box->cpus * sizeof(*cpu), 0),
			 0);
	memset(sum, 0, sizeof(*sum));
	for (c = 0; c < box->cpus; c++)
		for (i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++)
			((uint64_t *)sum)[i] += ((uint64_t *)&cpu[c])[i];
	free(cpu);
}

/* What the verdict of a packet must be whose end was counted as this reason. */
static bool verdict_fits(int reason, uint32_t verdict)
{
	switch (reason) {
#define FITS_FORWARD (verdict == XDP_TX || verdict == XDP_REDIRECT)
#define FITS_PASS (verdict == XDP_PASS)
#define FITS_DROP (verdict == XDP_DROP)
#define FITS_REPLY (verdict == XDP_TX)
#define X(id, class, name, text) \
	case NATXDP_##id:        \
		return FITS_##class;
		NATXDP_REASONS(X)
#undef X
	}
	return false;
}

static bool is_reply(int reason)
{
	return verdict_fits(reason, XDP_TX) && !verdict_fits(reason, XDP_REDIRECT);
}

static unsigned int live_flows(struct box *box)
{
	unsigned int b, w, live = 0;

	for (b = 0; b < box->buckets; b++)
		for (w = 0; w < NATXDP_WAYS; w++) {
			const struct natxdp_flow *f = &box->table[b].way[w];

			live += f->key.proto != NATXDP_PROTO_FREE &&
				f->key.proto != NATXDP_PROTO_DEAD &&
				f->key.tenant != NATXDP_TENANT_MAPPING &&
				!(f->flags & NATXDP_FLOW_INBOUND);
		}
	return live;
}

/* In = forwarded + passed + answered + dropped, and every flow that was opened is there or gone. */
static void check_accounts(struct box *box)
{
	uint64_t packets[XDP_REDIRECT + 1] = { 0 }, opened, expired;
	struct natxdp_counters sum;
	double until = now() + 5;
	unsigned int i, live;

	counters(box, &sum);
	for (i = 0; i < NATXDP_REASON_COUNT; i++)
		packets[verdict_fits(i, XDP_PASS) ? XDP_PASS :
			verdict_fits(i, XDP_DROP) ? XDP_DROP :
						    XDP_TX] += sum.packets[i];
	assert_int_equal(packets[XDP_PASS], box->frames[XDP_PASS]);
	assert_int_equal(packets[XDP_DROP], box->frames[XDP_DROP]);
	assert_int_equal(packets[XDP_TX], box->frames[XDP_TX] + box->frames[XDP_REDIRECT]);
	do { /* the sweeper removes first and counts then */
		live = live_flows(box);
		opened = box_event(box, NATXDP_EVENT_FLOWS_OPENED) +
			 box_event(box, NATXDP_EVENT_FLOWS_INSERTED);
		expired = box_event(box, NATXDP_EVENT_FLOWS_EXPIRED);
	} while (opened != expired + live && now() < until);
	assert_int_equal(opened, expired + live);
}

void box_close(struct box *box)
{
	check_accounts(box);
	box_forget(box);
}

void box_forget(struct box *box)
{
	attach(box, false);
	munmap((void *)box->table, box->buckets * sizeof(*box->table));
	for (int inside = 0; inside < 2; inside++)
		close(box->guard[inside]);
	bpf_object__close(box->object);
	free(box);
}

uint64_t box_event(struct box *box, enum natxdp_event event)
{
	struct natxdp_counters sum;

	counters(box, &sum);
	return sum.events[event];
}

uint64_t box_reason(struct box *box, enum natxdp_reason reason)
{
	struct natxdp_counters sum;

	counters(box, &sum);
	return sum.packets[reason];
}

/* A verdict of TC as the one of XDP that does the same. A redirect may be either of two. */
static uint32_t verdict_of_xdp(const struct box *box, uint32_t verdict)
{
	if (box->hook == HOOK_XDP)
		return verdict;
	switch ((int)verdict) {
	case TC_ACT_UNSPEC:
		return XDP_PASS;
	case TC_ACT_SHOT:
		return XDP_DROP;
	case TC_ACT_REDIRECT:
		return box->two_armed ? XDP_REDIRECT : XDP_TX;
	}
	return XDP_ABORTED;
}

/* Returns 0, or an error number below 0. */
static int run_program(struct box *box, enum box_side side, struct bpf_test_run_opts *run)
{
	struct xdp_md md = { .data_end = run->data_size_in, .ingress_ifindex = ifindex(box, side) };
	struct __sk_buff skb = { .ifindex = ifindex(box, side) };

	run->ctx_in = box->hook == HOOK_XDP ? (void *)&md : (void *)&skb;
	run->ctx_size_in = box->hook == HOOK_XDP ? sizeof(md) : sizeof(skb);
	run->repeat = 1;
	return bpf_prog_test_run_opts(bpf_program__fd(box->program[side]), run);
}

bool box_guard_drops(struct box *box, enum box_side side, const void *data, size_t len)
{
	uint64_t before = box_reason(box, NATXDP_DROP_DETACHED);
	bool drops = box_guard_run(box->guard[side == BOX_INSIDE], ifindex(box, side), data, len);

	assert_int_equal(box_reason(box, NATXDP_DROP_DETACHED), before + drops);
	box->frames[XDP_DROP] += drops;
	return drops;
}

void box_run_raw(struct box *box, enum box_side side, const void *data, size_t len,
		 struct output *out)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = data, .data_size_in = len,
		    .data_out = out->data, .data_size_out = sizeof(out->data));
	struct natxdp_counters before, after;
	unsigned int i, rose = 0;

	counters(box, &before);
	assert_int_equal(run_program(box, side, &run), 0);
	counters(box, &after);
	out->verdict = verdict_of_xdp(box, run.retval);
	out->len = run.data_size_out;
	out->sound = frame_parse(out->data, out->len, &out->f);
	for (i = 0; i < NATXDP_REASON_COUNT; i++) {
		if (after.packets[i] == before.packets[i])
			continue;
		rose++;
		out->reason = i;
		out->bytes = after.bytes[i] - before.bytes[i];
	}
	if (rose != 1)
		fail_msg("%u counters rose by a packet with verdict %u", rose, out->verdict);
	if (out->verdict == XDP_REDIRECT && is_reply(out->reason))
		out->verdict = XDP_TX;
	assert_in_range(out->verdict, XDP_DROP, XDP_REDIRECT);
	box->frames[out->verdict]++;
	if (!verdict_fits(out->reason, out->verdict))
		fail_msg("reason %d, and verdict %u", out->reason, out->verdict);
	/* a test run has no skb for what is shorter than a header */
	if (out->verdict == XDP_PASS && out->len > ETH_HLEN &&
	    box_guard_drops(box, side, out->data, out->len))
		fail_msg("reason %d: passed, and the guard drops it", out->reason);
}

void box_run(struct box *box, enum box_side side, const struct frame *f, struct output *out)
{
	static const uint8_t none[6];
	uint8_t data[FRAME_MAX];
	struct frame frame = *f;

	if (!memcmp(frame.src_mac, none, 6))
		memcpy(frame.src_mac, side == BOX_INSIDE ? box_host_mac : box_router_mac, 6);
	if (!memcmp(frame.dst_mac, none, 6))
		memcpy(frame.dst_mac, side == BOX_INSIDE ? box_in_mac : box_out_mac, 6);
	box_run_raw(box, side, data, frame_build(&frame, data), out);
}

uint32_t box_run_fast(struct box *box, const struct frame *f)
{
	uint8_t data[FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = data, .repeat = 1);
	uint32_t verdict;

	run.data_size_in = frame_build(f, data);
	if (bpf_prog_test_run_opts(bpf_program__fd(box->program[BOX_SINGLE]), &run))
		return XDP_ABORTED;
	verdict = verdict_of_xdp(box, run.retval);
	__sync_fetch_and_add(&box->frames[verdict], 1);
	return verdict;
}

struct bpf_object *box_object(struct box *box)
{
	return box->object;
}

struct bpf_map *box_map(struct box *box, const char *name)
{
	return bpf_object__find_map_by_name(box->object, name);
}

const struct natxdp_bucket *box_table(struct box *box, unsigned int *buckets)
{
	*buckets = box->buckets;
	return box->table;
}
