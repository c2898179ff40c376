/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A box with new tables over the tables of another one: flows are brought as they are asked for. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include <cmocka.h>

#include <natxdp/bring.h>

#include "box.h"
#include "table.h"

#define HOST "10.77.0.2"
#define OTHER "10.77.0.3"
#define SERVER "198.51.100.7"
#define SERVER2 "198.51.100.8"
#define EXTERNAL "203.0.113.1"

enum { EIM = NATXDP_MAPPING_ENDPOINT_INDEPENDENT, ACK = 0x10, SYN = 0x02, SYN_ACK = 0x12 };

static struct frame packet(uint8_t proto, const char *from, uint16_t sport, const char *to,
			   uint16_t dport)
{
	struct frame f = { .proto = proto, .sport = sport, .dport = dport, .payload = 20 };

	f.saddr = addr(from);
	f.daddr = addr(to);
	if (proto == IPPROTO_TCP)
		f.tcp_flags = SYN;
	if (proto == IPPROTO_ICMP)
		f.icmp_type = 8;
	return f;
}

static struct frame udp(const char *from, uint16_t sport, const char *to, uint16_t dport)
{
	return packet(IPPROTO_UDP, from, sport, to, dport);
}

static struct box *upgrade(struct box_options options, struct box *before)
{
	options.before = before;
	return box_open(&options);
}

static struct natxdp_bring bring(struct box *box, struct box *before, bool end)
{
	struct natxdp_bring io = { .end = end };
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = &io, .data_size_in = sizeof(io),
		    .data_out = &io, .data_size_out = sizeof(io), .repeat = 1);
	struct natxdp_bring sum = { 0 };
	unsigned int buckets;

	box_table(before, &buckets);
	for (io.first = 0; io.first < buckets * NATXDP_WAYS; io.first += NATXDP_BRING_SLOTS) {
		io.count = NATXDP_BRING_SLOTS;
		assert_int_equal(bpf_prog_test_run_opts(
					 bpf_program__fd(
						 bpf_object__find_program_by_name(box_object(box),
										  "natxdp_bring")),
					 &run),
				 0);
		assert_int_equal(run.retval, XDP_PASS);
		sum.brought += io.brought;
		sum.left += io.left;
		sum.ended += io.ended;
	}
	return sum;
}

static void assert_live(struct box *box, unsigned int expected)
{
	unsigned int live, dead;

	box_count(box, &live, &dead);
	assert_int_equal(live, expected);
}

static void close_both(struct box *box, struct box *before)
{
	box_close(box);
	box_forget(before);
}

/* @from_outside: the first packet is an answer. */
static void goes_on(bool two, uint32_t mapping, uint8_t proto, bool from_outside)
{
	struct box_options options = { .two_armed = two, .mapping = mapping };
	enum box_side out = two ? BOX_INSIDE : BOX_SINGLE, in = two ? BOX_OUTSIDE : BOX_SINGLE;
	struct box *before = box_open(&options), *box;
	struct frame f = packet(proto, HOST, 5000, SERVER, proto == IPPROTO_ICMP ? 0 : 80), back;
	struct natxdp_flow flow;
	struct natxdp_key key;
	struct output first, o;

	box_run(before, out, &f, &first);
	back = packet(proto, SERVER, 80, EXTERNAL, first.f.sport);
	back.tcp_flags = proto == IPPROTO_TCP ? SYN_ACK : 0;
	if (proto == IPPROTO_ICMP) {
		back.sport = first.f.sport;
		back.icmp_type = 0;
	}
	box_run(before, in, &back, &o);
	f.tcp_flags = back.tcp_flags = proto == IPPROTO_TCP ? ACK : 0;

	box = upgrade(options, before);
	assert_live(box, 0);
	if (from_outside)
		box_run(box, in, &back, &o);
	else
		box_run(box, out, &f, &o);
	assert_int_equal(o.reason, from_outside ? NATXDP_IN_FORWARDED : NATXDP_OUT_FORWARDED);
	assert_true(o.sound);
	if (!from_outside)
		assert_int_equal(o.f.sport, first.f.sport);
	key = box_key(two ? BOX_INSIDE : BOX_SINGLE, proto, addr(HOST), 5000, addr(SERVER),
		      f.dport);
	assert_true(box_flow(box, &key, &flow));
	assert_false(box_flow(before, &key, &flow));
	assert_true(box_flow(box, &key, &flow));
	assert_int_equal(flow.packets, from_outside ? 1 : 2);
	assert_live(box, mapping ? 4 : 2);
	assert_live(before, 0);
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_OPENED), 1);
	close_both(box, before);
}

static void test_goes_on(void **state)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP };

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		goes_on(false, NATXDP_MAPPING_ENDPOINT_DEPENDENT, protos[i], false);
		goes_on(true, EIM, protos[i], true);
	}
	goes_on(true, NATXDP_MAPPING_ENDPOINT_DEPENDENT, IPPROTO_TCP, true);
	goes_on(false, EIM, IPPROTO_UDP, false);
}

/* A port of a flow that was not brought yet is taken. */
static void test_ports(void **state)
{
	struct box_options options = { .port_min = 2000, .port_max = 2001 };
	struct box *before = box_open(&options), *box;
	struct frame a = udp(HOST, 5000, SERVER, 53), b = udp(HOST, 5001, SERVER, 53);
	struct frame c = udp(HOST, 5002, SERVER, 53);
	struct output oa, o;

	(void)state;
	box_run(before, BOX_SINGLE, &a, &oa);
	box = upgrade(options, before);
	box_run(box, BOX_SINGLE, &b, &o);
	assert_int_equal(o.reason, NATXDP_OUT_FORWARDED);
	assert_int_equal(o.f.sport, oa.f.sport == 2000 ? 2001 : 2000);
	box_run(box, BOX_SINGLE, &c, &o);
	assert_true(o.reason == NATXDP_REPLY_NO_PORT || o.reason == NATXDP_DROP_NO_PORT);
	box_run(box, BOX_SINGLE, &a, &o);
	assert_int_equal(o.f.sport, oa.f.sport);
	close_both(box, before);
}

/* An inside end keeps its external end, who may send may send, and the last flow ends it all. */
static void test_mapping(void **state)
{
	struct box_options options = { .mapping = EIM,
				       .filtering = NATXDP_FILTERING_ADDRESS_DEPENDENT,
				       .timeout = 2 };
	struct box *before = box_open(&options), *box;
	struct frame f = udp(HOST, 5000, SERVER, 53), invited, other = udp(HOST, 5000, SERVER2, 53);
	struct output first, o;

	(void)state;
	box_run(before, BOX_SINGLE, &f, &first);
	box = upgrade(options, before);
	invited = udp(SERVER, 99, EXTERNAL, first.f.sport);
	box_run(box, BOX_SINGLE, &invited, &o);
	assert_int_equal(o.reason, NATXDP_IN_FORWARDED);
	assert_int_equal(o.f.dport, 5000);
	box_run(box, BOX_SINGLE, &other, &o);
	assert_int_equal(o.f.sport, first.f.sport);
	invited = udp("198.51.100.99", 99, EXTERNAL, first.f.sport);
	box_run(box, BOX_SINGLE, &invited, &o);
	assert_int_equal(o.reason, NATXDP_DROP_UNSOLICITED);
	assert_int_equal(bring(box, before, false).brought, 1); /* the first flow */
	assert_true(box_wait(box, 0, 20));
	close_both(box, before);
}

/* An error about a flow that no packet has asked for yet. */
static void test_error(void **state)
{
	struct box_options options = { .two_armed = true };
	struct box *before = box_open(&options), *box;
	struct frame f = udp(HOST, 5000, SERVER, 53);
	struct frame error = { .proto = IPPROTO_ICMP, .icmp_type = 3 };
	uint8_t data[FRAME_MAX];
	struct output first, o;
	size_t len;

	(void)state;
	box_run(before, BOX_INSIDE, &f, &first);
	box = upgrade(options, before);
	error.saddr = addr("198.51.100.1");
	error.daddr = addr(EXTERNAL);
	memcpy(error.src_mac, box_router_mac, 6);
	memcpy(error.dst_mac, box_out_mac, 6);
	len = frame_build_error(&error, 3, first.data + 14, first.len - 14, data);
	box_run_raw(box, BOX_OUTSIDE, data, len, &o);
	assert_int_equal(o.reason, NATXDP_IN_FORWARDED);
	assert_true(o.sound);
	assert_int_equal(o.f.daddr, addr(HOST));
	assert_live(before, 0);
	/* and one about nothing is about nothing */
	error.daddr = addr(EXTERNAL);
	first.data[14 + 20 + 1] ^= 1;
	len = frame_build_error(&error, 3, first.data + 14, first.len - 14, data);
	box_run_raw(box, BOX_OUTSIDE, data, len, &o);
	assert_int_not_equal(o.reason, NATXDP_IN_FORWARDED);
	close_both(box, before);
}

/* What no packet asks for comes by natxdp_bring, with all that it counts for. */
static void test_all(void **state)
{
	enum { FLOWS = 3000 };
	struct box_options options = { .limit_flows = FLOWS, .max_flows = FLOWS + 100 };
	struct box *before = box_open(&options), *box;
	struct frame f = udp(HOST, 1, SERVER, 53);
	struct natxdp_bring done;
	struct output o;

	(void)state;
	for (unsigned int i = 0; i < FLOWS; i++) {
		f.sport = 2000 + i;
		box_run(before, BOX_SINGLE, &f, &o);
	}
	options.max_flows = 2 * FLOWS;
	box = upgrade(options, before);
	f.sport = 1000; /* one too many for its host */
	box_run(box, BOX_SINGLE, &f, &o);
	assert_int_equal(o.reason, NATXDP_DROP_LIMIT);
	done = bring(box, before, false);
	assert_int_equal(done.brought, FLOWS);
	assert_int_equal(done.left, 0);
	assert_live(before, 0);
	assert_live(box, 2 * FLOWS);
	done = bring(box, before, true);
	assert_int_equal(done.brought + done.left + done.ended, 0);
	box_run(box, BOX_SINGLE, &f, &o);
	assert_int_equal(o.reason, NATXDP_DROP_LIMIT);
	close_both(box, before);
}

/* No room: a packet of such a flow is dropped and not answered as unknown; then flows are ended. */
static void test_no_room(void **state)
{
	enum { FLOWS = 2000 };
	struct box_options options = { .max_flows = FLOWS, .limit_flows = FLOWS };
	struct box *before = box_open(&options), *box;
	struct frame f = packet(IPPROTO_TCP, HOST, 1, SERVER, 80);
	unsigned int refused = 0;
	struct natxdp_bring done, last;
	struct output o;

	(void)state;
	for (unsigned int i = 0; i < FLOWS; i++) {
		f.sport = 2000 + i;
		box_run(before, BOX_SINGLE, &f, &o);
	}
	options.max_flows = FLOWS / 4;
	box = upgrade(options, before);
	done = bring(box, before, false);
	assert_int_equal(done.brought + done.left, FLOWS);
	assert_in_range(done.left, FLOWS / 2, FLOWS);
	f.tcp_flags = ACK;
	for (unsigned int i = 0; i < FLOWS; i++) {
		f.sport = 2000 + i;
		box_run(box, BOX_SINGLE, &f, &o);
		refused += o.reason == NATXDP_DROP_TABLE_FULL;
		assert_true(o.reason == NATXDP_DROP_TABLE_FULL || o.reason == NATXDP_OUT_FORWARDED);
	}
	/* what was half inserted and taken back makes room for some after its grace */
	assert_in_range(refused, done.left - 64, done.left);
	last = bring(box, before, true);
	assert_int_equal(last.ended, refused);
	assert_live(before, 0);
	assert_int_equal(box_event(box, NATXDP_EVENT_FLOWS_EXPIRED), refused);
	close_both(box, before);
}

/* The table has the inbound entry of a flow only, with that peer, and the sweeper is to see it. */
static void leave_half(struct box *box, uint32_t peer)
{
	int table = bpf_map__fd(box_map(box, "flow_table"));
	int dues = bpf_map__fd(box_map(box, "flow_due"));
	struct natxdp_bucket bucket;
	unsigned int buckets;
	struct natxdp_due due;

	box_table(box, &buckets);
	for (uint32_t i = 0, group; i < buckets; i++) {
		group = i / NATXDP_GROUP_BUCKETS;
		assert_int_equal(bpf_map_lookup_elem(table, &i, &bucket), 0);
		for (int way = 0; way < NATXDP_WAYS; way++) {
			struct natxdp_flow *f = &bucket.way[way];

			if (f->key.proto == NATXDP_PROTO_FREE)
				continue;
			if (!(f->flags & NATXDP_FLOW_INBOUND))
				memset(f, 0, sizeof(*f));
			f->peer = peer;
			f->first_seen = 1;
			assert_int_equal(bpf_map_update_elem(table, &i, &bucket, BPF_ANY), 0);
			assert_int_equal(bpf_map_lookup_elem(dues, &group, &due), 0);
			due.tick[i % NATXDP_GROUP_BUCKETS] = 1;
			assert_int_equal(bpf_map_update_elem(dues, &group, &due, BPF_ANY), 0);
		}
	}
}

/*
 * A process that brings a flow may lose its CPU between the two entries, for longer than any grace:
 * the flow of a connection is an old one, and it has no other half yet.
 */
static void test_half_of_a_flow(void **state)
{
	struct box *box = box_open(&(struct box_options){ 0 });
	struct frame f = udp(HOST, 5000, SERVER, 53);
	struct output o;

	(void)state;
	box_run(box, BOX_SINGLE, &f, &o);
	leave_half(box, NATXDP_SLOT_NONE);
	assert_false(box_wait(box, 0, 2.5));
	assert_live(box, 1);
	leave_half(box, 0); /* nobody is about to bring the rest of that one */
	assert_true(box_wait(box, 0, 10));
	box_forget(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goes_on),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_mapping),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_half_of_a_flow),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
