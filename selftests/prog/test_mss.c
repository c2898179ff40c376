/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The MSS clamp: wherever the option stands, and nothing else changes. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include <cmocka.h>

#include "box.h"

enum { SYN = 0x02, ACK = 0x10, OPTIONS = 14 + 20 + 20 };

struct row {
	const char *name;
	uint8_t flags;
	uint8_t len;
	uint8_t options[40];
	int at; /* of the MSS value that is to become 1360, or -1 */
};

static const struct row rows[] = {
	{ "first", SYN, 4, { 2, 4, 5, 180 }, 2 },
	{ "behind two no-operations", SYN, 8, { 1, 1, 2, 4, 5, 180, 0, 0 }, 4 },
	{ "at an odd place", SYN, 8, { 1, 2, 4, 5, 180, 1, 1, 0 }, 3 },
	{ "behind window scale, odd", SYN, 8, { 3, 3, 7, 2, 4, 35, 41, 0 }, 5 },
	{ "last of forty bytes",
	  SYN,
	  40,
	  { 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 5, 26, 0, 0, 0, 0, 0, 0, 0,	 0,
	    0, 0,  0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 2, 4, 255, 255 },
	  38 },
	{ "small enough", SYN, 4, { 2, 4, 5, 80 }, -1 },
	{ "much smaller", SYN, 4, { 2, 4, 2, 24 }, -1 },
	{ "not a SYN", ACK, 4, { 2, 4, 5, 180 }, -1 },
	{ "behind the end of the options", SYN, 8, { 0, 0, 2, 4, 5, 180, 0, 0 }, -1 },
	{ "an option of length 0", SYN, 8, { 3, 0, 2, 4, 5, 180, 0, 0 }, -1 },
	{ "an option longer than the header", SYN, 4, { 3, 40, 2, 4 }, -1 },
	{ "cut off", SYN, 4, { 1, 1, 2, 4 }, -1 },
	{ "another length", SYN, 8, { 2, 6, 5, 180, 5, 180, 0, 0 }, -1 },
	{ "no options", SYN, 0, { 0 }, -1 },
};

static void run_row(const struct row *row, uint32_t clamp)
{
	struct box_options options = { .mss_clamp = clamp,
				       .tcp_midstream = NATXDP_MIDSTREAM_ADOPT };
	struct box *box = box_open(&options);
	struct frame f = { .proto = IPPROTO_TCP, .sport = 1, .dport = 80, .tcp_flags = row->flags };
	uint8_t want[40];
	struct output out;

	f.saddr = addr("10.77.0.2");
	f.daddr = addr("198.51.100.7");
	f.payload = row->len;
	f.tcp_options_len = row->len;
	memcpy(f.tcp_options, row->options, 40);
	memcpy(want, row->options, 40);
	if (row->at >= 0 && clamp) {
		want[row->at] = clamp >> 8;
		want[row->at + 1] = clamp;
	}
	box_run(box, BOX_SINGLE, &f, &out);
	assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	assert_true(out.sound);
	assert_int_equal(out.len, OPTIONS + row->len);
	if (memcmp(out.data + OPTIONS, want, row->len))
		fail_msg("%s: the options are not as expected", row->name);

	/* and on the way in */
	f.saddr = out.f.daddr;
	f.daddr = out.f.saddr;
	f.sport = out.f.dport;
	f.dport = out.f.sport;
	if (row->flags == SYN)
		f.tcp_flags = SYN | ACK;
	box_run(box, BOX_SINGLE, &f, &out);
	assert_int_equal(out.reason, NATXDP_IN_FORWARDED);
	assert_true(out.sound);
	assert_memory_equal(out.data + OPTIONS, want, row->len);
	box_close(box);
}

static void test_clamp(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		run_row(&rows[i], 1360);
		run_row(&rows[i], 0); /* off: nothing changes */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_clamp) };

	return box_run_both("prog/mss", tests, sizeof(tests) / sizeof(*tests));
}
