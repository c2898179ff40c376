/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Random traffic against a plain model of the NAT: every packet's end, every
 * byte that comes out, every flow that is there at the end.
 *
 * NATXDP_MODEL_SEED=N runs that seed alone, NATXDP_MODEL_SEEDS=N the seeds below N, of which those
 * beyond the table choose their own options; NATXDP_MODEL_STEPS=N so many packets.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <cmocka.h>

#include <natxdp/state.h>

#include "box.h"
#include "forecast.h"
#include "held.h"
#include "operator.h"
#include "scenario.h"
#include "traffic.h"
#include "tunnelled.h"

enum { SEEDS = 4096 }; /* at most in one go */
enum { STEPS = 5000, WAIT_EVERY = 1000, OPERATE_EVERY = 500 };
struct run {
	unsigned int seed, step;
	struct box *box;
	struct model model;
	struct traffic traffic;
	struct traffic_packet packet;
	struct wire wire;
	struct output out;
	struct held held;
	struct forecasts forecasts;
	uint8_t want[FRAME_MAX], seen[FRAME_MAX]; /* without what is of the tunnel */
	size_t want_len, seen_len;
	uint8_t into; /* a tunnel, or 0 */
	uint64_t opened, replies, held_count;
};

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static const char *reason_name(int reason)
{
	static const char *const names[] = {
#define X(id, verdict, name, text) [NATXDP_##id] = name,
		NATXDP_REASONS(X)
#undef X
	};

	return reason < 0 ? "not exactly one" : names[reason];
}

static uint32_t verdict_of(enum natxdp_reason reason, const struct run *r)
{
	switch (reason) {
#define V_PASS XDP_PASS
#define V_DROP XDP_DROP
#define V_FORWARD (r->model.options.two_armed ? XDP_REDIRECT : XDP_TX)
#define V_REPLY XDP_TX
#define X(id, verdict, name, text) \
	case NATXDP_##id:          \
		return V_##verdict;
		NATXDP_REASONS(X)
#undef X
	case NATXDP_REASON_COUNT:
		break;
	}
	return XDP_ABORTED;
}

static void dump(const char *what, const uint8_t *data, size_t len)
{
	size_t i;

	print_error("%s, %zu bytes:", what, len);
	for (i = 0; i < len && i < 160; i++)
		print_error("%s%02x", i % 16 ? " " : "\n  ", data[i]);
	print_error("%s\n", len > 160 ? " ..." : "");
}

static void dump_ends(const char *what, const uint8_t *data, size_t len)
{
	struct wire w;

	wire_read(data, len, &w);
	print_error("%s: proto %u kind %d %u.%u.%u.%u:%u -> %u.%u.%u.%u:%u ttl %u flags %02x "
		    "total %zu\n",
		    what, w.proto, w.kind, w.src.addr >> 24, w.src.addr >> 16 & 255,
		    w.src.addr >> 8 & 255, w.src.addr & 255, w.src.port, w.dst.addr >> 24,
		    w.dst.addr >> 16 & 255, w.dst.addr >> 8 & 255, w.dst.addr & 255, w.dst.port,
		    w.ttl, w.tcp_flags, w.total);
}

static void dump_quote(const char *what, const uint8_t *data, size_t len)
{
	uint8_t frame[FRAME_MAX];
	struct wire w, quote;

	wire_read(data, len, &w);
	if (w.kind != WIRE_ICMP_ERROR || wire_read_quote(data, &w, &quote) == WIRE_QUOTE_SHORT)
		return;
	memcpy(frame, data, WIRE_ETH);
	memcpy(frame + WIRE_ETH, data + wire_l4(&w) + 8, w.l4_len - 8);
	dump_ends(what, frame, sizeof(frame));
}

static void dump_options(const struct box_options *o)
{
	print_error("two_armed %d mapping %u filtering %u features %x externals %d ports %u-%u "
		    "midstream %u timeout %.1f egress_mtu %u limits %u %u\n",
		    o->two_armed, o->mapping, o->filtering, o->features, o->externals, o->port_min,
		    o->port_max, o->tcp_midstream, o->timeout, o->egress_mtu, o->limit_flows,
		    o->limit_rate);
}

static void report(struct run *r, const char *why)
{
	const struct traffic_packet *p = &r->packet;
	unsigned int i;

	print_error("seed %u, step %u (NATXDP_MODEL_SEED=%u NATXDP_MODEL_STEPS=%u): %s\n", r->seed,
		    r->step, r->seed, r->step + 1, why);
	dump_options(&r->model.options);
	print_error("blocked %08x, draining %lx\npacket %s, side %d, tunnel %u\n", r->model.blocked,
		    (unsigned long)r->model.draining, p->what, p->side, p->tunnel);
	dump_ends("  in  ", p->data, p->len);
	dump_ends("  want", r->want, r->want_len);
	dump_ends("  seen", r->out.data, r->out.len);
	dump_quote("  in   quotes", p->data, p->len);
	dump_quote("  want quotes", r->want, r->want_len);
	dump_quote("  seen quotes", r->out.data, r->out.len);
	for (i = 0; i < r->forecasts.count; i++)
		print_error("expected: %s\n", reason_name(r->forecasts.of[i].reason));
	print_error("seen:     %s, verdict %u, %lu bytes counted\n", reason_name(r->out.reason),
		    r->out.verdict, (unsigned long)r->out.bytes);
	dump("packet", p->data, p->len);
	if (r->want_len)
		dump("expected frame", r->want, r->want_len);
	dump("seen frame", r->out.data, r->out.len);
	fail_msg("the data plane and the model differ");
}

static uint16_t tenant_of(const struct run *r, const struct model_flow *f, int way)
{
	if (r->model.options.gwlb)
		return tunnelled_tenant(r->box, f, way);
	return f->refused ? NATXDP_TENANT_MAPPING : NATXDP_TENANT_NONE;
}

/* What the data plane has chosen, as it shows outside; or in the table if nothing came out. */
static bool chosen_end(struct run *r, const struct forecast *fc, struct end *external)
{
	const struct model_way *way = &fc->fresh.way[MODEL_OUT];
	struct natxdp_flow flow;
	struct natxdp_key key;
	struct wire w;

	if (fc->frame == FRAME_TRANSLATED) {
		wire_read(r->out.data, r->out.len, &w);
		*external = w.src;
		return w.kind == r->wire.kind;
	}
	key = box_key(way->side, fc->fresh.proto, way->src.addr, way->src.port, way->dst.addr,
		      way->dst.port);
	key.tenant = tenant_of(r, &fc->fresh, MODEL_OUT);
	if (!box_flow(r->box, &key, &flow))
		return false;
	external->addr = ntohl(flow.new_saddr);
	external->port = ntohs(flow.new_sport);
	return true;
}

/* Does a forecast agree with what was seen? NULL, or why not. */
static const char *disagrees(struct run *r, struct forecast *fc)
{
	struct model_label label;
	struct end external;
	const char *why;

	if ((int)fc->reason != r->out.reason)
		return "another reason";
	if (r->out.verdict != verdict_of(fc->reason, r))
		return "another verdict";
	if (r->opened != r->model.opened + (fc->opens && !fc->fresh.refused))
		return fc->opens ? "no flow was opened" : "a flow was opened";
	if (r->out.bytes != r->wire.counted)
		return "another number of bytes counted";
	/* an answer does not show the external end of the flow that was opened before it */
	if (fc->opens && (fc->learns || fc->frame != FRAME_TRANSLATED)) {
		if (!chosen_end(r, fc, &external))
			return "no external end";
		if (!fc->learns && !wire_same(external, fc->fresh.way[MODEL_OUT].new_src))
			return "another external end";
		why = fc->learns ? model_refuses(&r->model, &fc->fresh, external) : NULL;
		if (why)
			return why;
		forecast_learn(fc, external);
	}
	r->want_len = forecast_build(fc, r->packet.data, r->packet.len, &r->wire, r->want);
	if (fc->frame == FRAME_ANY)
		return NULL;
	r->into = forecast_tunnel(fc, &r->wire, &r->model, &label);
	r->seen_len = r->out.len;
	memcpy(r->seen, r->out.data, r->out.len);
	if (r->into)
		r->seen_len = tunnelled_unwrap(r->into, label, &r->out, r->seen);
	if (r->seen_len != r->want_len)
		return "another length, or another tunnel";
	return memcmp(r->seen, r->want, r->want_len) ? "other bytes" : NULL;
}

static void step(struct run *r)
{
	const char *why = "nothing expected", *first = NULL;
	struct forecast *fc = NULL;
	unsigned int i;

	if (traffic_random(&r->traffic, 8) || !held_again(&r->held, &r->packet))
		traffic_next(&r->traffic, &r->packet);
	tunnelled_read(&r->packet, &r->wire);
	r->model.label = r->packet.label;
	r->want_len = 0;
	r->out.reason = -1;
	r->model.before = seconds();
	if (r->model.options.gwlb)
		tunnelled_run(r->box, &r->packet, &r->out);
	else
		box_run_raw(r->box, r->packet.side, r->packet.data, r->packet.len, &r->out);
	r->model.now = seconds();
	r->opened = box_event(r->box, NATXDP_EVENT_FLOWS_OPENED);
	r->forecasts.model = &r->model;
	r->forecasts.side = r->packet.side;
	r->forecasts.frame = r->packet.data;
	r->forecasts.w = &r->wire;
	forecast(&r->forecasts);
	for (i = 0; i < r->forecasts.count; i++) {
		why = disagrees(r, &r->forecasts.of[i]);
		if (!why)
			break;
		if (!first || (int)r->forecasts.of[i].reason == r->out.reason)
			first = why;
	}
	if (!why)
		why = held_check(&r->held, &r->packet, r->out.reason == NATXDP_HELD_FRAGMENT);
	if (why)
		report(r, first ? first : why);
	fc = &r->forecasts.of[i];
	forecast_commit(&r->model, r->packet.side, fc, &r->wire);
	r->replies += fc->frame == FRAME_ANSWER_ICMP;
	r->held_count += fc->reason == NATXDP_HELD_FRAGMENT;
	if (fc->frame == FRAME_TRANSLATED)
		traffic_forwarded(&r->traffic, &r->packet, r->seen, r->seen_len, r->into);
}

static void check_way(struct run *r, const struct model_flow *f, int which,
		      struct natxdp_flow *entry)
{
	const struct model_way *way = &f->way[which];
	bool tunnels = r->model.options.gwlb;
	struct natxdp_key key = box_key(way->side, f->proto, way->src.addr, way->src.port,
					way->dst.addr, way->dst.port);

	key.tenant = tenant_of(r, f, which);
	if (!box_flow(r->box, &key, entry))
		fail_msg("seed %u: a flow of proto %u is not in the table", r->seed, f->proto);
	if (entry->packets != way->packets || entry->bytes != way->bytes)
		fail_msg("seed %u: %lu packets, %lu bytes in the table, %lu and %lu sent, proto %u",
			 r->seed, (unsigned long)entry->packets, (unsigned long)entry->bytes,
			 (unsigned long)way->packets, (unsigned long)way->bytes, f->proto);
	assert_int_equal(ntohl(natxdp_new_saddr(entry, tunnels)), way->new_src.addr);
	assert_int_equal(ntohl(natxdp_new_daddr(entry, tunnels)), way->new_dst.addr);
	assert_int_equal(ntohs(natxdp_new_sport(entry, tunnels)), way->new_src.port);
	assert_int_equal(ntohs(natxdp_new_dport(entry, tunnels)), way->new_dst.port);
	if (!tunnels)
		return;
	assert_int_equal(ntohl(natxdp_label(entry).cookie), f->label.cookie);
	assert_int_equal(ntohs(natxdp_label(entry).sport), f->label.sport);
}

static void check_flow(struct run *r, const struct model_flow *f)
{
	static const char *const states[] = {
#define X(id, name, timeout) [NATXDP_STATE_##id] = name,
		NATXDP_STATES(X)
#undef X
	};
	struct natxdp_flow out, in;

	check_way(r, f, MODEL_OUT, &out);
	check_way(r, f, MODEL_IN, &in);
	assert_string_equal(states[natxdp_flow_state(f->proto, out.flags, in.flags,
						     in.packets != 0)],
			    model_state(f));
}

/* How many entries a mapping has, or an address that it lets in: none if no flow holds it. */
static unsigned int check_held(struct run *r, uint8_t proto, struct end inside, uint32_t remote,
			       unsigned int holders)
{
	struct natxdp_key key = box_key(model_side(&r->model, BOX_INSIDE), proto, inside.addr,
					inside.port, remote, 0);
	struct natxdp_flow entry;

	if (!holders)
		return 0;
	key.tenant = NATXDP_TENANT_MAPPING;
	assert_true(box_flow(r->box, &key, &entry));
	assert_int_equal(entry.packets, holders);
	return 2;
}

static unsigned int check_mappings(struct run *r)
{
	unsigned int i, entries = 0;

	for (i = 0; i < r->model.mapping_count; i++) {
		const struct model_mapping *map = &r->model.mappings[i];

		entries += check_held(r, map->proto, map->inside, 0, map->holders);
	}
	for (i = 0; i < r->model.sent_count &&
		    r->model.options.filtering == NATXDP_FILTERING_ADDRESS_DEPENDENT;
	     i++) {
		const struct model_sent *sent = &r->model.sent[i];

		entries += check_held(r, sent->proto, sent->inside, sent->remote, sent->holders);
	}
	return entries;
}

/* Entries that nothing in the model stands for: only mappings that nobody holds may be. */
static unsigned int unheld_mappings(struct run *r)
{
	unsigned int buckets, b, w, unheld = 0;
	const struct natxdp_bucket *table = box_table(r->box, &buckets);

	for (b = 0; b < buckets; b++)
		for (w = 0; w < NATXDP_WAYS; w++) {
			const struct natxdp_flow *f = &table[b].way[w];

			unheld += f->key.proto != NATXDP_PROTO_FREE &&
				  f->key.proto != NATXDP_PROTO_DEAD &&
				  f->key.tenant == NATXDP_TENANT_MAPPING &&
				  !(f->flags & NATXDP_FLOW_INBOUND) && !f->packets;
		}
	return unheld;
}

static void check_table(struct run *r)
{
	unsigned int i, live, dead, expected, unheld;

	for (i = 0; i < r->model.flow_count; i++)
		check_flow(r, &r->model.flows[i]);
	expected = 2 * r->model.flow_count + check_mappings(r);
	unheld = unheld_mappings(r); /* first: the sweeper makes them fewer */
	box_count(r->box, &live, &dead);
	assert_in_range(live, expected, expected + 2 * unheld);
}

static void check_counters(struct run *r)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < NATXDP_REASON_COUNT; i++)
		sum += box_reason(r->box, i);
	assert_int_equal(sum, r->step);
	assert_int_equal(box_event(r->box, NATXDP_EVENT_FLOWS_OPENED), r->model.opened);
	if (r->step < STEPS)
		return;
	assert_int_not_equal(r->replies, 0);
	assert_int_not_equal(r->held_count, 0);
}

/* With short timeouts: let everything expire, some flows go by themselves in between. */
static void let_expire(struct run *r)
{
	assert_true(box_wait(r->box, 0, 10));
	model_forget(&r->model);
	r->traffic.pieces_left = 0; /* fragments are forgotten, too */
	held_forget(&r->held);
}

/* What the operator does: with limits nothing ends, for they count what the sweeper has to see. */
static void operate(struct run *r)
{
	const struct box_options *o = &r->model.options;

	if (traffic_random(&r->traffic, 2) && !o->limit_flows && !o->limit_rate)
		operator_blocks(r->box, &r->model, &r->traffic);
	else
		operator_drains(r->box, &r->model, &r->traffic);
}

/* Flows that were ended or removed have given back what they held. */
static void settle(struct run *r)
{
	double until = seconds() + 10;
	unsigned int buckets, b, w, ended, live, dead;
	const struct natxdp_bucket *table = box_table(r->box, &buckets);

	do {
		ended = 0;
		for (b = 0; b < buckets; b++)
			for (w = 0; w < NATXDP_WAYS; w++)
				ended += table[b].way[w].key.proto != NATXDP_PROTO_FREE &&
					 table[b].way[w].key.tenant == NATXDP_TENANT_ENDED;
		box_count(r->box, &live, &dead);
	} while ((ended || dead) && seconds() < until);
	assert_int_equal(ended, 0);
}

static unsigned int from_environment(const char *name, unsigned int otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 10) : otherwise;
}

static unsigned int reasons_met(struct run *r)
{
	unsigned int i, met = 0;

	for (i = 0; i < NATXDP_REASON_COUNT; i++)
		met += box_reason(r->box, i) != 0;
	return met;
}

static void test_traffic(void **state)
{
	unsigned int steps = from_environment("NATXDP_MODEL_STEPS", box_effort(STEPS));
	struct run *r = calloc(1, sizeof(*r));

	r->seed = *(const unsigned int *)*state;
	r->model.options = scenario(r->seed);
	r->box = box_open(&r->model.options);
	traffic_start(&r->traffic, r->seed, model_side(&r->model, BOX_INSIDE) == BOX_INSIDE);
	if (r->model.options.gwlb) {
		r->traffic.tunnels = TUNNELLED;
		tunnelled_open(r->box);
	}
	held_open(&r->held, r->box);
	for (; r->step < steps; r->step++) {
		if (r->model.options.timeout && r->step && r->step % WAIT_EVERY == 0)
			let_expire(r);
		if (r->step % OPERATE_EVERY == 0)
			operate(r);
		step(r);
	}
	check_counters(r);
	settle(r);
	if (r->model.options.timeout)
		let_expire(r);
	check_table(r);
	print_message("# seed %u: %u packets, %lu flows, %u reasons\n", r->seed, steps,
		      (unsigned long)r->model.opened, reasons_met(r));
	held_close(&r->held);
	box_close(r->box);
	free(r);
}

int main(void)
{
	unsigned int i, count = from_environment("NATXDP_MODEL_SEEDS", SCENARIOS), seeds[SEEDS];
	struct CMUnitTest tests[SEEDS];
	char names[SEEDS][16];

	if (getenv("NATXDP_MODEL_SEED"))
		count = 1;
	count = count < SEEDS ? count : SEEDS;
	for (i = 0; i < count; i++) {
		seeds[i] = from_environment("NATXDP_MODEL_SEED", i);
		snprintf(names[i], sizeof(names[i]), "seed %u", seeds[i]);
		tests[i] = (struct CMUnitTest){ .name = names[i],
						.test_func = test_traffic,
						.initial_state = &seeds[i] };
	}
	return _cmocka_run_group_tests("prog/model", tests, count, NULL, NULL);
}
