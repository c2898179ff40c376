/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The table of next hops: what happens when it is full, and that unused ones are used again. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <cmocka.h>

#include "box.h"

#define SERVER "198.51.100.7"
#define OTHER_SERVER "198.51.100.8"
#define LINKED "203.0.113.50" /* a neighbour on the outside */

enum {
	ROOM = NATXDP_NEXT_HOPS_MAX - 2, /* without "back", and the router of the outside */
	SPORT = 1000,
	DPORT = 53,
};

/* From a host behind a router that no route knows: its MAC is the next hop of the answers. */
static struct frame from_router(uint32_t n)
{
	struct frame f = { .proto = IPPROTO_UDP, .sport = SPORT, .dport = DPORT };

	f.saddr = addr("10.99.0.0") + n;
	f.daddr = addr(SERVER);
	memcpy(f.src_mac, (uint8_t[]){ 2, 9, n >> 24, n >> 16, n >> 8, n }, 6);
	memcpy(f.dst_mac, box_in_mac, 6);
	return f;
}

static struct frame answer_to(const struct output *out)
{
	struct frame f = { .proto = out->f.proto };

	f.saddr = out->f.daddr;
	f.daddr = out->f.saddr;
	f.sport = out->f.dport;
	f.dport = out->f.sport;
	return f;
}

static void goes_to_router(struct box *box, const struct frame *in, uint32_t n)
{
	struct frame from = from_router(n);
	struct output out;

	box_run(box, BOX_OUTSIDE, in, &out);
	assert_int_equal(out.reason, NATXDP_IN_FORWARDED);
	assert_int_equal(out.verdict, XDP_REDIRECT);
	assert_int_equal(out.f.daddr, from.saddr);
	assert_memory_equal(out.f.dst_mac, from.src_mac, 6);
	assert_memory_equal(out.f.src_mac, box_in_mac, 6);
}

static int opens(struct box *box, uint32_t n, struct output *out)
{
	struct frame f = from_router(n);

	box_run(box, BOX_INSIDE, &f, out);
	return out->reason;
}

/* With all in use nobody else gets one, and who has one goes on. */
static void test_full(void **state)
{
	struct box_options options = { .two_armed = true, .max_flows = 32768 };
	struct box *box = box_open(&options);
	struct output out, first;
	struct frame in;
	uint32_t n;

	(void)state;
	assert_int_equal(opens(box, 0, &first), NATXDP_OUT_FORWARDED);
	for (n = 1; n < ROOM; n++)
		assert_int_equal(opens(box, n, &out), NATXDP_OUT_FORWARDED);
	in = answer_to(&out);
	goes_to_router(box, &in, ROOM - 1);
	assert_int_equal(opens(box, ROOM, &out), NATXDP_DROP_NEXT_HOPS);
	assert_int_equal(out.verdict, XDP_DROP);
	assert_int_equal(opens(box, 7, &out), NATXDP_OUT_FORWARDED);
	in = answer_to(&first);
	goes_to_router(box, &in, 0);
	box_close(box);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static uint32_t given_out(struct box *box)
{
	struct natxdp_next_hop first;
	uint32_t zero = 0;

	assert_int_equal(bpf_map__lookup_elem(box_map(box, "next_hops"), &zero, sizeof(zero),
					      &first, sizeof(first), 0),
			 0);
	return first.used;
}

/* Opens a flow from a router, or takes the one that is there. Returns the way of its answers. */
static unsigned int next_hop_of(struct box *box, uint32_t n, uint16_t sport)
{
	struct frame f = from_router(n);
	struct natxdp_flow in;
	struct natxdp_key key;
	struct output out;

	f.sport = sport;
	box_run(box, BOX_INSIDE, &f, &out);
	assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	key = box_key(BOX_OUTSIDE, IPPROTO_UDP, out.f.daddr, out.f.dport, out.f.saddr, out.f.sport);
	assert_true(box_flow(box, &key, &in));
	return in.next_hop;
}

static const uint8_t other_router[6] = { 2, 8, 8, 8, 8, 8 };

static const uint8_t linked_mac[6] = { 2, 0, 0, 0, 1, 50 };

static void by_other_router(struct box *box, uint32_t n)
{
	struct frame f = from_router(n);
	struct output out;

	f.daddr++;
	f.dport++;
	memcpy(f.src_mac, other_router, 6);
	box_run(box, BOX_INSIDE, &f, &out);
	assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
}

/*
 * As a large network whose hosts come and go, more of them than the table
 * holds, while some flows live on: on their packets, or by the skin of their
 * teeth on one packet a timeout. Theirs are not taken.
 */
static void churn(uint32_t mapping)
{
	enum { KEPT = 32, COMING = 3 * NATXDP_NEXT_HOPS_MAX / 2, IN_A_ROW = 1000 };
	struct box_options options = { .two_armed = true,
				       .max_flows = 65536,
				       .timeout = 2,
				       .mapping = mapping,
				       .filtering = mapping ?
							    NATXDP_FILTERING_ENDPOINT_INDEPENDENT :
							    NATXDP_FILTERING_ENDPOINT_DEPENDENT };
	struct box *box = box_open(&options);
	struct frame linked = from_router(0), linked_in;
	double refreshed = seconds(), until = refreshed + 60;
	struct frame kept[KEPT], in;
	unsigned int full = 0;
	struct output out;
	uint32_t n, i;

	assert_int_equal(system("ip neigh replace " LINKED
				" lladdr 02:00:00:00:01:32 dev out0 nud permanent"),
			 0);
	/* a flow whose way out nobody else takes, and that lives on answers */
	linked.daddr = addr(LINKED);
	box_run(box, BOX_INSIDE, &linked, &out);
	assert_memory_equal(out.f.dst_mac, linked_mac, 6);
	linked_in = answer_to(&out);
	for (i = 0; i < KEPT; i++) {
		assert_int_equal(opens(box, i, &out), NATXDP_OUT_FORWARDED);
		kept[i] = answer_to(&out);
		if (mapping) /* and with a flow that will not live, by another router */
			by_other_router(box, i);
	}
	for (n = KEPT; n < COMING;) {
		if (opens(box, n, &out) == NATXDP_OUT_FORWARDED) {
			in = answer_to(&out);
			goes_to_router(box, &in, n++);
		} else {
			assert_int_equal(out.reason, NATXDP_DROP_NEXT_HOPS);
			assert_true(seconds() < until);
			full++;
			usleep(10000);
		}
		if (seconds() < refreshed + 1.2)
			continue;
		refreshed = seconds();
		goes_to_router(box, &linked_in, 0);
		for (i = 0; i < KEPT; i++)
			goes_to_router(box, &kept[i], i);
	}
	/* who has taken an entry over is found again by it: its next flow needs no other */
	assert_int_equal(next_hop_of(box, n - 1, SPORT), next_hop_of(box, n - 1, SPORT + 1));
	print_message("# %u neighbours, table full %u times\n", COMING, full);
	box_run(box, BOX_INSIDE, &linked, &out);
	assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	assert_memory_equal(out.f.dst_mac, linked_mac, 6);
	assert_in_range(given_out(box), NATXDP_NEXT_HOPS_MAX - 1, NATXDP_NEXT_HOPS_MAX);
	for (i = 0; i < KEPT; i++) {
		goes_to_router(box, &kept[i], i);
		if (!mapping)
			continue;
		kept[i].saddr = addr(OTHER_SERVER); /* invited: by the mapping's next hop */
		box_run(box, BOX_OUTSIDE, &kept[i], &out);
		assert_int_equal(out.reason, NATXDP_IN_FORWARDED);
		assert_memory_equal(out.f.dst_mac, other_router, 6);
	}
	box_close(box);
}

static void test_churn(void **state)
{
	(void)state;
	churn(NATXDP_MAPPING_ENDPOINT_DEPENDENT);
}

static void test_churn_with_mappings(void **state)
{
	(void)state;
	churn(NATXDP_MAPPING_ENDPOINT_INDEPENDENT);
}

/* One-armed there is one next hop, which takes no entry. */
static void test_one_armed(void **state)
{
	struct box_options options = { .max_flows = 4096 };
	struct box *box = box_open(&options);
	struct output out;
	uint32_t n;

	(void)state;
	for (n = 0; n < 3000; n++) {
		struct frame f = from_router(n);

		box_run(box, BOX_SINGLE, &f, &out);
		assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	}
	assert_int_equal(given_out(box), 0);
	box_close(box);
}

/* An interface has gone: what would leave by it is dropped, and counted as that. */
static void test_no_device(void **state)
{
	struct box_options options = { .two_armed = true };
	struct box *box = box_open(&options);
	uint32_t outside = NATXDP_DEV_OUTSIDE;
	struct output out, later;
	struct frame in;

	(void)state;
	assert_int_equal(opens(box, 1, &out), NATXDP_OUT_FORWARDED);
	assert_int_equal(bpf_map__delete_elem(box_map(box, "egress_devs"), &outside,
					      sizeof(outside), 0),
			 0);
	assert_int_equal(opens(box, 1, &later), NATXDP_DROP_NO_DEVICE);
	assert_int_equal(later.verdict, XDP_DROP);
	in = answer_to(&out);
	goes_to_router(box, &in, 1);
	box_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_churn),
		cmocka_unit_test(test_churn_with_mappings),
		cmocka_unit_test(test_one_armed),
	};
	const struct CMUnitTest at_xdp[] = {
		/* at TC the kernel finds the interface, after the program */
		cmocka_unit_test(test_no_device),
	};
	int failed = cmocka_run_group_tests_name("prog/nexthop", at_xdp, NULL, NULL);

	return failed + box_run_both("prog/nexthop", tests, sizeof(tests) / sizeof(*tests));
}
