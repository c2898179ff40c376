/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* GENEVE: options in any order, and everything that can be wrong with its headers. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <cmocka.h>

#include <natxdp/tunnel.h>

#include "behind.h"

static void test_options_in_any_order(void **state)
{
	static const char *const orders[] = { "eac", "eca", "aec", "ace", "cea", "cae" };
	struct box *box = behind_open(0, 0, false, 0);
	struct geneve g = behind_first;
	uint16_t port;

	(void)state;
	for (int i = 0; i < 6; i++) {
		g.order = orders[i];
		behind_there_and_back(box, &g, behind_packets, &port);
	}
	box_close(box);
}

struct fault {
	const char *what;
	int at; /* in the frame */
	uint8_t value;
	int reason;
	bool mend; /* the outer IP checksum is right for it */
	const char *order;
};

static const struct fault faults[] = {
	{ "UDP elsewhere", GENEVE_ETH, 0x46, NATXDP_DROP_UNSOLICITED, true, NULL },
	{ "IP checksum", GENEVE_ETH + 10, 0x55, NATXDP_DROP_GENEVE, false, NULL },
	{ "more fragments", GENEVE_ETH + 6, 0x20, NATXDP_DROP_GENEVE, true, NULL },
	{ "IP shorter", GENEVE_ETH + 3, 40, NATXDP_DROP_GENEVE, true, NULL },
	{ "IP longer", GENEVE_ETH + 2, 9, NATXDP_DROP_GENEVE, true, NULL },
	{ "UDP shorter", GENEVE_ETH + 25, 16, NATXDP_DROP_GENEVE, false, NULL },
	{ "version 1", GENEVE_AT, 0x48, NATXDP_DROP_GENEVE, false, NULL },
	{ "version 3", GENEVE_AT, 0xc8, NATXDP_DROP_GENEVE, false, NULL },
	{ "control packet", GENEVE_AT + 1, 0x80, NATXDP_DROP_GENEVE, false, NULL },
	{ "Ethernet inside", GENEVE_AT + 2, 0x65, NATXDP_DROP_GENEVE, false, NULL },
	{ "no options", GENEVE_AT, 0, NATXDP_DROP_GENEVE_OPTION, false, NULL },
	{ "options end early", GENEVE_AT, 7, NATXDP_DROP_GENEVE, false, NULL },
	{ "options too long", GENEVE_AT, 63, NATXDP_DROP_GENEVE, false, NULL },
	{ "another class", GENEVE_AT + 9, 9, NATXDP_DROP_GENEVE_OPTION, false, NULL },
	{ "an unknown type", GENEVE_AT + 10, 4, NATXDP_DROP_GENEVE_OPTION, false, NULL },
	{ "a critical option", GENEVE_AT + 10, 0x81, NATXDP_DROP_GENEVE_OPTION, false, NULL },
	{ "endpoint of 4 bytes", GENEVE_AT + 11, 1, NATXDP_DROP_GENEVE_OPTION, false, NULL },
	{ "endpoint too long", GENEVE_AT + 11, 31, NATXDP_DROP_GENEVE, false, NULL },
	{ "attachment of 4 bytes", GENEVE_AT + 23, 1, NATXDP_DROP_GENEVE_OPTION, false, NULL },
	{ "cookie of 0 bytes", GENEVE_AT + 35, 0, NATXDP_DROP_GENEVE_OPTION, false, NULL },
	{ "cookie of 8 bytes", GENEVE_AT + 35, 2, NATXDP_DROP_GENEVE, false, NULL },
	{ "endpoint twice", 0, 2, NATXDP_DROP_GENEVE_OPTION, false, "eec" },
	{ "cookie twice, no endpoint", GENEVE_AT, 7, NATXDP_DROP_GENEVE_OPTION, false, "acc" },
	{ "inner version", GENEVE_AT + 40, 0x65, NATXDP_DROP_MALFORMED, false, NULL },
	{ "inner longer", GENEVE_AT + 43, 200, NATXDP_DROP_MALFORMED, false, NULL },
	{ "inner header short", GENEVE_AT + 40, 0x44, NATXDP_DROP_MALFORMED, false, NULL },
	{ "another load balancer", GENEVE_ETH + 15, 24, NATXDP_DROP_GENEVE_SOURCE, true, NULL },
	{ "to another address", GENEVE_ETH + 19, 2, NATXDP_DROP_GENEVE_SOURCE, true, NULL },
};

static void test_faults(void **state)
{
	struct box *box = behind_open(0, 0, false, 0);
	struct frame sent = behind_from_host(behind_packets);
	uint8_t inner[FRAME_MAX], data[FRAME_MAX];
	size_t len = frame_build(&sent, inner), whole;
	struct output out;
	uint16_t port;

	(void)state;
	for (unsigned int i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		const struct fault *fault = &faults[i];
		struct geneve g = behind_first;

		g.order = fault->order;
		whole = geneve_build(&g, inner, len, data);
		data[fault->at] = fault->value;
		if (fault->mend)
			geneve_mend(data);
		box_run_raw(box, BOX_SINGLE, data, whole, &out);
		print_message("# %s: reason %d\n", fault->what, out.reason);
		assert_int_equal(out.verdict, XDP_DROP);
		assert_int_equal(out.reason, fault->reason);
	}
	whole = geneve_build(&behind_first, inner, len, data);
	memmove(data + GENEVE_AT - 4, data + GENEVE_AT - 8, whole - GENEVE_AT + 8);
	memset(data + GENEVE_AT - 8, 1, 4); /* options of IP */
	data[GENEVE_ETH] = 0x46;
	geneve_put16(data + GENEVE_ETH + 2, whole - 14 + 4);
	box_run_raw(box, BOX_SINGLE, data, whole + 4, &out);
	assert_int_equal(out.reason, NATXDP_DROP_GENEVE);
	/* nothing of it was remembered */
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_OPENED), 0);
	behind_there_and_back(box, &behind_first, behind_packets, &port);
	box_close(box);
}

/* Cut anywhere, the packet is dropped and nothing is read behind its end. */
static void test_truncated(void **state)
{
	struct box *box = behind_open(0, 0, false, 0);
	struct frame sent = behind_from_host(behind_packets);
	uint8_t inner[FRAME_MAX], data[FRAME_MAX];
	size_t whole = geneve_build(&behind_first, inner, frame_build(&sent, inner), data);
	struct output out;

	(void)state;
	for (size_t len = 14 + 20; len < whole; len++) {
		/* as it came, and with the outer lengths right */
		geneve_build(&behind_first, inner, frame_build(&sent, inner), data);
		box_run_raw(box, BOX_SINGLE, data, len, &out);
		assert_int_equal(out.verdict, XDP_DROP);
		if (len >= 14 + 28)
			assert_int_equal(out.reason, NATXDP_DROP_GENEVE);
		geneve_put16(data + GENEVE_ETH + 2, len - 14);
		geneve_put16(data + GENEVE_ETH + 24, len - 34);
		geneve_mend(data);
		box_run_raw(box, BOX_SINGLE, data, len, &out);
		assert_int_equal(out.verdict, XDP_DROP);
	}
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_OPENED), 0);
	box_close(box);
}

/* Options that are not AWS's are passed over, and do not come back. */
static void test_other_options(void **state)
{
	struct box *box = behind_open(0, 0, false, 0);
	struct frame sent = behind_from_host(behind_packets), answer;
	uint8_t inner[FRAME_MAX], data[FRAME_MAX], longer[FRAME_MAX];
	size_t whole = geneve_build(&behind_first, inner, frame_build(&sent, inner), data), at;
	struct output out;

	(void)state;
	for (at = GENEVE_AT + 8; at <= GENEVE_AT + 40; at += 12) {
		static const uint8_t extra[] = { 0x12, 0x34, 0x05, 0x01, 9, 8, 7, 6 };

		if (at == GENEVE_AT + 44) /* the last one is of 8 bytes */
			at = GENEVE_AT + 40;
		memcpy(longer, data, at);
		memcpy(longer + at, extra, sizeof(extra));
		memcpy(longer + at + sizeof(extra), data + at, whole - at);
		longer[GENEVE_AT] += 2;
		geneve_put16(longer + GENEVE_ETH + 2, whole - 14 + sizeof(extra));
		geneve_put16(longer + GENEVE_ETH + 24, whole - 34 + sizeof(extra));
		geneve_mend(longer);
		box_run_raw(box, BOX_SINGLE, longer, whole + sizeof(extra), &out);
		behind_assert_out(&out, &sent);
		answer = behind_answer_to(&out.f);
		box_run(box, BOX_SINGLE, &answer, &out);
		behind_unwrap(&behind_first, &out);
	}
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_OPENED), 1);
	box_close(box);
}

/*
 * Random bytes in the outer headers: what gets through is a translated packet of the inside, and
 * its answer goes back in what it came in, as far as a load balancer could have sent it.
 */
static void test_random_headers(void **state)
{
	struct box *box = behind_open(0, 0, true, 0);
	struct frame sent = behind_from_host(behind_packets), answer;
	uint8_t inner[FRAME_MAX], data[FRAME_MAX], back[FRAME_MAX];
	unsigned int through = 0, count = box_effort(20000);
	size_t whole, len = frame_build(&sent, inner);
	struct output out;

	(void)state;
	srandom(1);
	for (unsigned int i = 0; i < count; i++) {
		whole = geneve_build(&behind_first, inner, len, data);
		for (int changes = random() % 3; changes >= 0; changes--)
			data[GENEVE_ETH + random() % GENEVE_OUTER] = random();
		if (random() % 2)
			geneve_mend(data);
		box_run_raw(box, BOX_SINGLE, data, whole, &out);
		if (out.reason == NATXDP_RETURNED) {
			behind_assert_returned(&out, data, whole);
			continue;
		}
		if (out.reason != NATXDP_OUT_FORWARDED) {
			/* only what is not GENEVE any more may be the host's */
			if (out.verdict != XDP_DROP)
				assert_false(data[GENEVE_ETH] == 0x45 && data[23] == 17 &&
					     data[36] == 0x17 && data[37] == 0xc1 &&
					     !(data[20] & 0x1f) && !data[21]);
			continue;
		}
		assert_true(out.sound);
		assert_int_equal(out.f.saddr, addr(EXTERNAL));
		assert_int_equal(out.f.daddr, addr(SERVER));
		through++;
		answer = behind_answer_to(&out.f);
		box_run(box, BOX_SINGLE, &answer, &out);
		assert_int_equal(out.reason, NATXDP_IN_FORWARDED);
		/* addresses exchanged, ports and the whole of GENEVE as they came */
		memcpy(back, data, whole);
		memcpy(back + GENEVE_ETH + 12, data + GENEVE_ETH + 16, 4);
		memcpy(back + GENEVE_ETH + 16, data + GENEVE_ETH + 12, 4);
		assert_memory_equal(out.data + GENEVE_ETH + 12, back + GENEVE_ETH + 12, 12);
		assert_memory_equal(out.data + GENEVE_AT + 4, back + GENEVE_AT + 4, 3);
		for (int option = 8; option < 40; option += option < 32 ? 12 : 8) {
			assert_memory_equal(out.data + GENEVE_AT + option,
					    back + GENEVE_AT + option, 3);
			assert_memory_equal(out.data + GENEVE_AT + option + 4,
					    back + GENEVE_AT + option + 4, option < 32 ? 8 : 4);
		}
	}
	print_message("# %u of %u got through\n", through, count);
	assert_true(through > count / 20 && through < count);
	box_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_in_any_order),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_other_options),
		cmocka_unit_test(test_random_headers),
	};

	return box_run_both("prog/geneve", tests, sizeof(tests) / sizeof(*tests));
}
