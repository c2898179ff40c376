/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* TCP: what opens a flow, which state it is in, and the RST that answers what does not. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include <cmocka.h>

#include <natxdp/state.h>

#include "box.h"

#define HOST "10.77.0.2"
#define SERVER "198.51.100.7"

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08, ACK = 0x10 };

static struct frame segment(uint8_t flags)
{
	struct frame f = { .proto = IPPROTO_TCP, .sport = 40000, .dport = 443, .tcp_flags = flags };

	f.saddr = addr(HOST);
	f.daddr = addr(SERVER);
	return f;
}

/* Flags of the segments, "<" from the outside and ">" from the inside. */
struct step {
	char way;
	uint8_t flags;
	enum natxdp_state state; /* after it */
};

struct talk {
	const char *name;
	struct step steps[10];
};

#define OPENING NATXDP_STATE_TCP_OPENING
#define ESTABLISHED NATXDP_STATE_TCP_ESTABLISHED
#define HALF NATXDP_STATE_TCP_HALF_CLOSED
#define CLOSING NATXDP_STATE_TCP_CLOSING
#define RESET NATXDP_STATE_TCP_RESET

static const struct talk talks[] = {
	{ "an ordinary connection",
	  { { '>', SYN, OPENING },
	    { '<', SYN | ACK, OPENING },
	    { '>', ACK, ESTABLISHED },
	    { '>', PSH | ACK, ESTABLISHED },
	    { '<', ACK, ESTABLISHED },
	    { '>', FIN | ACK, HALF },
	    { '<', ACK, HALF },
	    { '<', FIN | ACK, CLOSING },
	    { '>', ACK, CLOSING } } },
	{ "the server closes first, and the client goes on for long",
	  { { '>', SYN, OPENING },
	    { '<', SYN | ACK, OPENING },
	    { '>', ACK, ESTABLISHED },
	    { '<', FIN | ACK, HALF },
	    { '>', ACK, HALF },
	    { '>', PSH | ACK, HALF },
	    { '<', ACK, HALF } } },
	{ "refused", { { '>', SYN, OPENING }, { '<', RST | ACK, RESET } } },
	{ "simultaneous open",
	  { { '>', SYN, OPENING },
	    { '<', SYN, OPENING },
	    { '>', SYN | ACK, OPENING },
	    { '<', SYN | ACK, OPENING },
	    { '>', ACK, ESTABLISHED },
	    { '<', ACK, ESTABLISHED } } },
	{ "a forged RST does not last",
	  { { '>', SYN, OPENING },
	    { '<', SYN | ACK, OPENING },
	    { '>', ACK, ESTABLISHED },
	    { '<', RST, RESET },
	    { '<', PSH | ACK, ESTABLISHED } } },
	{ "reopened by a SYN while closing",
	  { { '>', SYN, OPENING },
	    { '<', SYN | ACK, OPENING },
	    { '>', FIN | ACK, HALF },
	    { '<', FIN | ACK, CLOSING },
	    { '>', SYN, OPENING },
	    { '<', SYN | ACK, OPENING },
	    { '>', ACK, ESTABLISHED } } },
	{ "reopened after a RST",
	  { { '>', SYN, OPENING },
	    { '<', SYN | ACK, OPENING },
	    { '>', RST | ACK, RESET },
	    { '>', SYN, OPENING },
	    { '<', SYN | ACK, OPENING },
	    { '>', ACK, ESTABLISHED } } },
	{ "SYN, again and again", { { '>', SYN, OPENING }, { '>', SYN, OPENING } } },
};

static enum natxdp_state state_of(struct box *box, const struct frame *out)
{
	struct natxdp_key key = box_key(BOX_INSIDE, IPPROTO_TCP, addr(HOST), 40000, addr(SERVER),
					443);
	struct natxdp_flow o, i;

	assert_true(box_flow(box, &key, &o));
	key = box_key(BOX_OUTSIDE, IPPROTO_TCP, addr(SERVER), 443, out->saddr, out->sport);
	assert_true(box_flow(box, &key, &i));
	return natxdp_flow_state(IPPROTO_TCP, o.flags, i.flags, i.packets != 0);
}

static void run_talk(const struct talk *talk)
{
	struct box_options options = { .two_armed = true };
	struct box *box = box_open(&options);
	struct frame f, outside = { 0 };
	const struct step *step;
	struct output out;

	print_message("# %s\n", talk->name);
	for (step = talk->steps; step->way; step++) {
		f = segment(step->flags);
		if (step->way == '<') {
			f.saddr = outside.daddr;
			f.daddr = outside.saddr;
			f.sport = outside.dport;
			f.dport = outside.sport;
		}
		box_run(box, step->way == '>' ? BOX_INSIDE : BOX_OUTSIDE, &f, &out);
		assert_int_equal(out.verdict, XDP_REDIRECT);
		assert_true(out.sound);
		if (step->way == '>')
			outside = out.f;
		assert_int_equal(state_of(box, &outside), step->state);
	}
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_OPENED), 1);
	box_close(box);
}

static void test_states(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(talks) / sizeof(*talks); i++)
		run_talk(&talks[i]);
}

struct rst_row {
	const char *name;
	struct frame f;
	uint8_t flags; /* of the RST */
	uint32_t seq, ack;
};

static const struct rst_row rsts[] = {
	{ "data",
	  { .tcp_flags = PSH | ACK, .seq = 1000, .ack = 5000, .payload = 700 },
	  RST,
	  5000,
	  0 },
	{ "bare ACK, padded by Ethernet",
	  { .tcp_flags = ACK, .seq = 1000, .ack = 0xfffffff0, .padding = 6 },
	  RST,
	  0xfffffff0,
	  0 },
	{ "FIN", { .tcp_flags = FIN | ACK, .seq = 1, .ack = 2 }, RST, 2, 0 },
	{ "SYN ACK", { .tcp_flags = SYN | ACK, .seq = 1, .ack = 77 }, RST, 77, 0 },
	{ "FIN without ACK", { .tcp_flags = FIN, .seq = 41, .payload = 10 }, RST | ACK, 0, 52 },
	{ "IP options", { .tcp_flags = ACK, .ack = 9, .ip_options = 12, .payload = 3 }, RST, 9, 0 },
};

static void test_reset(void **state)
{
	struct box_options options = { .two_armed = true };
	struct box *box = box_open(&options);
	unsigned int i, live, dead;
	struct output out;

	(void)state;
	for (i = 0; i < sizeof(rsts) / sizeof(*rsts); i++) {
		struct frame f = rsts[i].f;

		print_message("# %s\n", rsts[i].name);
		f.proto = IPPROTO_TCP;
		f.saddr = addr(HOST);
		f.daddr = addr(SERVER);
		f.sport = 40000;
		f.dport = 443;
		box_run(box, BOX_INSIDE, &f, &out);
		assert_int_equal(out.verdict, XDP_TX);
		assert_int_equal(out.reason, NATXDP_REPLY_RST);
		assert_int_equal(out.len, 54);
		assert_true(out.sound);
		assert_int_equal(out.f.saddr, addr(SERVER));
		assert_int_equal(out.f.daddr, addr(HOST));
		assert_int_equal(out.f.sport, 443);
		assert_int_equal(out.f.dport, 40000);
		assert_int_equal(out.f.tcp_flags, rsts[i].flags);
		assert_int_equal(out.f.seq, rsts[i].seq);
		assert_int_equal(out.f.ack, rsts[i].ack);
		assert_int_equal(out.f.ttl, 64);
		assert_memory_equal(out.f.dst_mac, box_host_mac, 6);
		assert_memory_equal(out.f.src_mac, box_in_mac, 6);
	}
	box_count(box, &live, &dead);
	assert_int_equal(live, 0);
	box_close(box);
}

static void midstream(uint32_t policy, uint8_t flags, enum natxdp_reason reason, unsigned int flows)
{
	struct box_options options = { .two_armed = true, .tcp_midstream = policy };
	struct box *box = box_open(&options);
	struct frame f = segment(flags);
	unsigned int live, dead;
	struct output out;

	box_run(box, BOX_INSIDE, &f, &out);
	assert_int_equal(out.reason, reason);
	box_count(box, &live, &dead);
	assert_int_equal(live, 2 * flows);
	box_close(box);
}

static void test_midstream(void **state)
{
	(void)state;
	midstream(NATXDP_MIDSTREAM_ADOPT, ACK, NATXDP_OUT_FORWARDED, 1);
	midstream(NATXDP_MIDSTREAM_ADOPT, FIN | ACK, NATXDP_OUT_FORWARDED, 1);
	midstream(NATXDP_MIDSTREAM_ADOPT, RST, NATXDP_DROP_MIDSTREAM, 0);
	midstream(NATXDP_MIDSTREAM_DROP, ACK, NATXDP_DROP_MIDSTREAM, 0);
	midstream(NATXDP_MIDSTREAM_DROP, SYN, NATXDP_OUT_FORWARDED, 1);
	midstream(NATXDP_MIDSTREAM_RESET, SYN | FIN, NATXDP_REPLY_RST, 0);
}

/* A RST from the outside must not keep a flow alive, any other packet does. */
static void test_refresh(void **state)
{
	struct box_options options = { .two_armed = true, .timeout = 1.2 };
	struct box *box = box_open(&options);
	struct frame f = segment(SYN), back;
	struct natxdp_flow before, after;
	struct natxdp_key key;
	struct output out;
	int tries;

	(void)state;
	box_run(box, BOX_INSIDE, &f, &out);
	back = segment(RST);
	back.saddr = out.f.daddr;
	back.daddr = out.f.saddr;
	back.sport = out.f.dport;
	back.dport = out.f.sport;
	key = box_key(BOX_OUTSIDE, IPPROTO_TCP, back.saddr, back.sport, back.daddr, back.dport);
	assert_true(box_flow(box, &key, &before));
	do {
		box_run(box, BOX_OUTSIDE, &back, &out);
	} while (box_flow(box, &key, &after) && out.reason == NATXDP_IN_FORWARDED &&
		 after.last_seen == before.last_seen);
	/* it was never refreshed: it went although RSTs came all the time */
	assert_false(box_flow(box, &key, &after));
	assert_true(box_wait(box, 0, 5));

	box_run(box, BOX_INSIDE, &f, &out);
	back.tcp_flags = SYN | ACK;
	back.dport = out.f.sport;
	key.dport = htons(out.f.sport);
	assert_true(box_flow(box, &key, &before));
	for (tries = 0; tries < 100000; tries++) {
		box_run(box, BOX_OUTSIDE, &back, &out);
		assert_int_equal(out.reason, NATXDP_IN_FORWARDED);
		assert_true(box_flow(box, &key, &after));
		if (after.last_seen != before.last_seen)
			break;
	}
	assert_int_not_equal(after.last_seen, before.last_seen);
	box_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_midstream),
		cmocka_unit_test(test_refresh),
	};

	return box_run_both("prog/tcp", tests, sizeof(tests) / sizeof(*tests));
}
