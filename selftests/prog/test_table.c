/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The flow table: how much it holds, that nothing leaks, that flows leave in time. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <cmocka.h>

#include "box.h"

#define SERVER "198.51.100.7"

static struct frame datagram(unsigned int n)
{
	struct frame f = { .proto = IPPROTO_UDP, .sport = 1 + n % 60000, .dport = 53 };

	f.saddr = addr("10.77.0.2") + n / 60000;
	f.daddr = addr(SERVER) + n % 7;
	return f;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Each pair refers to itself and no key stands twice. Returns the number of flows. */
static unsigned int check_pairs(struct box *box)
{
	unsigned int buckets, b, w, flows = 0;
	const struct natxdp_bucket *table = box_table(box, &buckets);

	for (b = 0; b < buckets; b++)
		for (w = 0; w < NATXDP_WAYS; w++) {
			const struct natxdp_flow *f = &table[b].way[w], *peer;
			struct natxdp_key reverse;

			if (f->key.proto == NATXDP_PROTO_FREE || f->key.proto == NATXDP_PROTO_DEAD)
				continue;
			assert_true(f->peer < buckets * NATXDP_WAYS);
			peer = &table[f->peer / NATXDP_WAYS].way[f->peer % NATXDP_WAYS];
			natxdp_reverse_key(f, &reverse);
			assert_memory_equal(&peer->key, &reverse, sizeof(reverse));
			assert_int_equal(peer->peer, b * NATXDP_WAYS + w);
			assert_int_not_equal(peer->flags & NATXDP_FLOW_INBOUND,
					     f->flags & NATXDP_FLOW_INBOUND);
			flows += !(f->flags & NATXDP_FLOW_INBOUND);
		}
	return flows;
}

/* max_flows flows fit; what does not fit is dropped, and leaves nothing behind. */
static void test_capacity(void **state)
{
	struct box_options options = { .max_flows = 20000, .timeout = 3 };
	struct box *box = box_open(&options);
	unsigned int n, opened = 0, full = 0, live, dead;
	struct output out;
	struct frame f;

	(void)state;
	for (n = 0; full < 100; n++) {
		f = datagram(n);
		if (box_run_fast(box, &f) == XDP_TX)
			opened++;
		else
			full++;
		if (full == 1)
			assert_true(opened >= options.max_flows);
	}
	f = datagram(0);
	box_run(box, BOX_SINGLE, &f, &out);
	assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	assert_int_equal(box_reason(box, NATXDP_DROP_TABLE_FULL), full);
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_OPENED), opened);
	assert_int_equal(check_pairs(box), opened);
	box_count(box, &live, &dead);
	assert_int_equal(live, 2 * opened);
	/* and all of it is given back */
	assert_true(box_wait(box, 0, 10));
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_EXPIRED), opened);
	box_close(box);
}

/*
 * Many times more flows than slots, over and over: nothing may stay behind,
 * and a table full of expired flows has room again at once.
 */
static void test_churn(void **state)
{
	struct box_options options = { .max_flows = 20000, .timeout = 0.05 };
	struct box *box = box_open(&options);
	unsigned int n, opened = 0, refused = 0, wanted = box_effort(200000);
	double start = seconds();
	struct frame f;

	(void)state;
	for (n = 0; opened < wanted && seconds() < start + 60; n++) {
		f = datagram(n % 420000);
		if (box_run_fast(box, &f) == XDP_TX)
			opened++;
		else
			refused++;
	}
	print_message("# %u flows opened, %u refused in %.2f s\n", opened, refused,
		      seconds() - start);
	assert_int_equal(opened, wanted);
	assert_true(box_wait(box, 0, 10));
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_OPENED), opened);
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_EXPIRED), opened);
	box_close(box);
}

/* An idle flow leaves within 5 s of its timeout, a busy one stays. */
static void test_expiry(void **state)
{
	struct box_options options = { .timeout = 1 };
	struct box *box = box_open(&options);
	struct frame idle = datagram(1), busy = datagram(2);
	unsigned int live, dead;
	double start, gone = 0;
	struct output out;

	(void)state;
	box_run(box, BOX_SINGLE, &idle, &out);
	start = seconds();
	while (seconds() < start + 8) {
		box_run(box, BOX_SINGLE, &busy, &out);
		assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
		box_count(box, &live, &dead);
		if (live == 2 && !gone)
			gone = seconds() - start;
		if (gone && seconds() > start + gone + 2)
			break;
	}
	print_message("# timeout 1 s, gone after %.2f s\n", gone);
	assert_true(gone >= 1 && gone < 6);
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_OPENED), 2);
	assert_true(box_wait(box, 0, 8));
	box_close(box);
}

/* Answers alone keep a flow alive, unless inbound_refresh is off. Returns for how long. */
static double lives_on_answers(uint32_t features)
{
	struct box_options options = { .timeout = 1, .features = features };
	struct box *box = box_open(&options);
	struct frame f = datagram(1), answer;
	double start = seconds(), lived;
	struct output out;

	box_run(box, BOX_SINGLE, &f, &out);
	answer = f;
	answer.saddr = out.f.daddr;
	answer.daddr = out.f.saddr;
	answer.sport = out.f.dport;
	answer.dport = out.f.sport;
	do {
		box_run(box, BOX_SINGLE, &answer, &out);
		lived = seconds() - start;
	} while (out.reason == NATXDP_IN_FORWARDED && lived < 5);
	box_close(box);
	return lived;
}

static void test_inbound_refresh(void **state)
{
	double lived = lives_on_answers(NATXDP_INBOUND_REFRESH); /* turns it off, see box.h */

	(void)state;
	print_message("# timeout 1 s, answers alone: gone after %.2f s\n", lived);
	assert_true(lived >= 1 && lived < 4);
	assert_true(lives_on_answers(0) >= 5);
}

/* FIN and RST shorten the timeout of a flow that the sweeper meant to leave alone. */
static void test_closing_expires_early(void **state)
{
	struct box_options options = { .timeout = 3600, .tcp_closing_timeout = 0.5 };
	struct box *box = box_open(&options);
	struct frame f = { .proto = IPPROTO_TCP, .sport = 7, .dport = 80, .tcp_flags = 0x02 };
	struct frame back;
	struct output out;

	(void)state;
	f.saddr = addr("10.77.0.2");
	f.daddr = addr(SERVER);
	box_run(box, BOX_SINGLE, &f, &out);
	back = f;
	back.saddr = out.f.daddr;
	back.daddr = out.f.saddr;
	back.sport = out.f.dport;
	back.dport = out.f.sport;
	back.tcp_flags = 0x12;
	box_run(box, BOX_SINGLE, &back, &out);
	f.tcp_flags = 0x10;
	box_run(box, BOX_SINGLE, &f, &out);
	/* established: the sweeper has been there, and means to come back in an hour */
	assert_false(box_wait(box, 0, 3));
	f.tcp_flags = 0x11;
	box_run(box, BOX_SINGLE, &f, &out);
	back.tcp_flags = 0x11; /* the second FIN comes from the outside */
	box_run(box, BOX_SINGLE, &back, &out);
	assert_int_equal(out.reason, NATXDP_IN_FORWARDED);
	assert_true(box_wait(box, 0, 6));
	box_close(box);
}

struct opener {
	struct box *box;
	int cpu;
	unsigned int sent;
};

enum { RACE_FLOWS = 15000 };

static void *open_flows(void *arg)
{
	struct opener *o = arg;
	cpu_set_t cpus;
	unsigned int n;
	struct frame f;

	CPU_ZERO(&cpus);
	CPU_SET(o->cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	for (n = 0; n < RACE_FLOWS; n++) {
		f = datagram(n);
		o->sent += box_run_fast(o->box, &f) == XDP_TX;
	}
	return NULL;
}

/* Two CPUs open the same flows at the same time: each exists once. */
static void test_race(void **state)
{
	/* who loses leaves a dead entry for two ticks: three entries a flow at worst */
	struct box_options options = { .max_flows = 2 * RACE_FLOWS };
	struct box *box = box_open(&options);
	struct opener openers[2] = { { .box = box, .cpu = 0 }, { .box = box, .cpu = 1 } };
	pthread_t threads[2];
	unsigned int i, live, dead;

	(void)state;
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, open_flows, &openers[i]), 0);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(openers[0].sent, RACE_FLOWS);
	assert_int_equal(openers[1].sent, RACE_FLOWS);
	box_count(box, &live, &dead);
	assert_int_equal(live, 2 * RACE_FLOWS);
	assert_int_equal(check_pairs(box), RACE_FLOWS);
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_OPENED), RACE_FLOWS);
	box_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_churn),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_inbound_refresh),
		cmocka_unit_test(test_closing_expires_early),
		cmocka_unit_test(test_race),
	};

	return cmocka_run_group_tests_name("prog/table", tests, NULL, NULL);
}
