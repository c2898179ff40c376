/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Flow records: of which flows one is written, and that each which is not is counted. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cmocka.h>

#include <natxdp/record.h>

#include "box.h"

#define INSIDE "10.77.0.2"
#define SERVER "198.51.100.7"

enum { PORT = 9 };

static void want(struct box *box, const struct natxdp_key *probe)
{
	struct natxdp_agent agent = { .wanted = NATXDP_RECORD_OPENS | NATXDP_RECORD_CLOSES,
				      .probe = *probe };
	__u32 zero = 0;

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(box_map(box, "agent")), &zero, &agent, 0),
			 0);
}

static void open_flow(struct box *box, unsigned int sport)
{
	struct frame f = { .proto = IPPROTO_UDP, .sport = sport, .dport = PORT };

	f.saddr = addr(INSIDE);
	f.daddr = addr(SERVER);
	assert_int_equal(box_run_fast(box, &f), XDP_TX);
}

static struct natxdp_key probe_key(void)
{
	return box_key(BOX_SINGLE, IPPROTO_UDP, addr(INSIDE), PORT, addr(SERVER), PORT);
}

static int collect(void *ctx, void *data, size_t size)
{
	const struct natxdp_record *record = data;
	unsigned int *seen = ctx;

	assert_int_equal(size, sizeof(*record));
	assert_int_not_equal(record->key.sport, htons(PORT));
	seen[record->kind]++;
	return 0;
}

/* The flow by which the agent proves the data path is none that anybody wants to read of. */
static void test_no_record_of_a_probe(void **state)
{
	struct box_options options = { .timeout = 0.05 };
	struct box *box = box_open(&options);
	struct natxdp_key probe = probe_key();
	unsigned int seen[2] = { 0, 0 };
	struct ring_buffer *ring;

	(void)state;
	probe.tenant = 7; /* whatever the tunnel was */
	want(box, &probe);
	open_flow(box, PORT);
	open_flow(box, PORT + 1);
	assert_true(box_wait(box, 0, 10));
	ring = ring_buffer__new(bpf_map__fd(box_map(box, "records")), collect, seen, NULL);
	assert_non_null(ring);
	assert_true(ring_buffer__consume(ring) >= 0);
	ring_buffer__free(ring);
	assert_int_equal(seen[NATXDP_RECORD_OPEN], 1);
	assert_int_equal(seen[NATXDP_RECORD_CLOSE], 1);
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_OPENED), 2);
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_EXPIRED), 2);
	assert_int_equal(box_event(box, NATXDP_EVENT_RECORDS_WRITTEN), 2);
	box_close(box);
}

/* Without room every record is counted as lost, but that of a probe. */
static void test_lost_is_what_was_a_flow(void **state)
{
	struct box_options options = { .timeout = 0.05 };
	struct box *box = box_open(&options);
	struct natxdp_key probe = probe_key();
	unsigned int n, flows = 100;

	(void)state;
	want(box, &probe);
	for (n = 1; n <= flows; n++)
		open_flow(box, PORT + n);
	open_flow(box, PORT);
	assert_true(box_wait(box, 0, 10));
	assert_true(box_event(box, NATXDP_EVENT_RECORDS_LOST) > 0);
	assert_int_equal(box_event(box, NATXDP_EVENT_RECORDS_WRITTEN) +
				 box_event(box, NATXDP_EVENT_RECORDS_LOST),
			 2 * flows);
	box_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_record_of_a_probe),
		cmocka_unit_test(test_lost_is_what_was_a_flow),
	};

	return cmocka_run_group_tests_name("prog/record", tests, NULL, NULL);
}
