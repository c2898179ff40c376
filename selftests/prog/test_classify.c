/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What happens to packets that have no flow: one row a rule. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include <cmocka.h>

#include "box.h"

#define HOST "10.77.0.2"
#define SERVER "198.51.100.7"
#define EXTERNAL "203.0.113.1"

enum { TCP = IPPROTO_TCP, UDP = IPPROTO_UDP, ICMP = IPPROTO_ICMP };
enum { SYN = 0x02, RST = 0x04, ACK = 0x10, FIN = 0x01 };

struct row {
	const char *name;
	enum box_side side;
	const char *from, *to;
	struct frame f;
	enum natxdp_reason reason;
};

/* clang-format off */
static const struct row rows[] = {
	/* from the outside: default deny */
	{ "SYN to the external address", BOX_OUTSIDE, SERVER, EXTERNAL,
	  { .proto = TCP, .dport = 2000, .tcp_flags = SYN }, NATXDP_DROP_UNSOLICITED },
	{ "UDP to the external address", BOX_OUTSIDE, SERVER, EXTERNAL,
	  { .proto = UDP, .sport = 53, .dport = 2000 }, NATXDP_DROP_UNSOLICITED },
	{ "UDP to port 0", BOX_OUTSIDE, SERVER, EXTERNAL,
	  { .proto = UDP, .sport = 53 }, NATXDP_DROP_UNSOLICITED },
	{ "ping of the external address", BOX_OUTSIDE, SERVER, EXTERNAL,
	  { .proto = ICMP, .icmp_type = 8, .sport = 77 }, NATXDP_DROP_UNSOLICITED },
	{ "answer to a ping of the host itself", BOX_OUTSIDE, SERVER, EXTERNAL,
	  { .proto = ICMP, .icmp_type = 0, .sport = 77 }, NATXDP_PASS_HOST },
	{ "SSH to the host", BOX_OUTSIDE, SERVER, EXTERNAL,
	  { .proto = TCP, .sport = 50000, .dport = 22, .tcp_flags = SYN }, NATXDP_PASS_HOST },
	{ "answer to the host's own connection", BOX_OUTSIDE, SERVER, EXTERNAL,
	  { .proto = TCP, .sport = 443, .dport = 61000, .tcp_flags = SYN | ACK }, NATXDP_PASS_HOST },
	{ "last port of the host", BOX_OUTSIDE, SERVER, EXTERNAL,
	  { .proto = UDP, .sport = 443, .dport = 65535 }, NATXDP_PASS_HOST },
	{ "port below those of the host", BOX_OUTSIDE, SERVER, EXTERNAL,
	  { .proto = UDP, .sport = 443, .dport = 60999 }, NATXDP_DROP_UNSOLICITED },
	{ "to the inside address of the box", BOX_OUTSIDE, SERVER, "10.77.0.1",
	  { .proto = TCP, .dport = 80, .tcp_flags = SYN }, NATXDP_DROP_UNSOLICITED },
	{ "straight to an inside host", BOX_OUTSIDE, SERVER, HOST,
	  { .proto = TCP, .dport = 80, .tcp_flags = SYN }, NATXDP_DROP_UNSOLICITED },
	{ "from an inside address, straight to an inside host", BOX_OUTSIDE, "10.99.0.9", HOST,
	  { .proto = UDP, .dport = 80 }, NATXDP_DROP_UNSOLICITED },
	{ "transit between two outside hosts", BOX_OUTSIDE, SERVER, "192.0.2.9",
	  { .proto = UDP, .dport = 80 }, NATXDP_DROP_UNSOLICITED },
	{ "inside source, seen outside, to the outside", BOX_OUTSIDE, HOST, SERVER,
	  { .proto = UDP, .dport = 80 }, NATXDP_DROP_UNSOLICITED },
	{ "DHCP answer to an address that is to come", BOX_OUTSIDE, "203.0.113.254", "203.0.113.77",
	  { .proto = UDP, .sport = 67, .dport = 68 }, NATXDP_PASS_HOST },
	{ "GRE to the external address", BOX_OUTSIDE, SERVER, EXTERNAL,
	  { .proto = IPPROTO_GRE, .payload = 8 }, NATXDP_DROP_PROTOCOL },
	{ "fragment to the external address", BOX_OUTSIDE, SERVER, EXTERNAL,
	  { .proto = UDP, .payload = 64, .frag_off = 0x0010 }, NATXDP_DROP_FRAGMENT },
	{ "multicast", BOX_OUTSIDE, SERVER, "224.0.0.1",
	  { .proto = UDP, .dport = 80 }, NATXDP_PASS_NOT_UNICAST },
	{ "broadcast", BOX_OUTSIDE, "0.0.0.0", "255.255.255.255",
	  { .proto = UDP, .sport = 67, .dport = 67 }, NATXDP_PASS_NOT_UNICAST },
	{ "from the box's own address", BOX_OUTSIDE, "10.77.0.1", EXTERNAL,
	  { .proto = UDP, .dport = 22 }, NATXDP_DROP_MARTIAN },
	{ "land", BOX_OUTSIDE, EXTERNAL, EXTERNAL,
	  { .proto = TCP, .sport = 22, .dport = 22, .tcp_flags = SYN }, NATXDP_DROP_MARTIAN },
	{ "from loopback", BOX_OUTSIDE, "127.0.0.1", EXTERNAL,
	  { .proto = UDP, .dport = 22 }, NATXDP_DROP_MARTIAN },
	{ "from a multicast address", BOX_OUTSIDE, "224.1.2.3", EXTERNAL,
	  { .proto = UDP, .dport = 22 }, NATXDP_DROP_MARTIAN },
	{ "from the broadcast address", BOX_OUTSIDE, "255.255.255.255", EXTERNAL,
	  { .proto = UDP, .dport = 22 }, NATXDP_DROP_MARTIAN },
	/* from the inside */
	{ "to loopback", BOX_INSIDE, HOST, "127.0.0.1", { .proto = UDP, .dport = 53 },
	  NATXDP_DROP_MARTIAN },
	{ "to this network", BOX_INSIDE, HOST, "0.1.2.3", { .proto = UDP, .dport = 53 },
	  NATXDP_DROP_MARTIAN },
	{ "to class E", BOX_INSIDE, HOST, "240.0.0.1", { .proto = UDP, .dport = 53 },
	  NATXDP_DROP_MARTIAN },
	{ "to itself", BOX_INSIDE, HOST, HOST, { .proto = UDP, .dport = 53 },
	  NATXDP_DROP_MARTIAN },
	{ "to the box itself", BOX_INSIDE, HOST, "10.77.0.1",
	  { .proto = TCP, .dport = 22, .tcp_flags = SYN }, NATXDP_PASS_HOST },
	{ "to the external address of the box", BOX_INSIDE, HOST, EXTERNAL,
	  { .proto = ICMP, .icmp_type = 8, .sport = 5 }, NATXDP_PASS_HOST },
	{ "to another inside network", BOX_INSIDE, HOST, "10.99.0.9",
	  { .proto = UDP }, NATXDP_PASS_NO_NAT },
	{ "to a network without NAT", BOX_INSIDE, HOST, "198.18.3.3",
	  { .proto = IPPROTO_GRE }, NATXDP_PASS_NO_NAT },
	{ "multicast from the inside", BOX_INSIDE, HOST, "239.1.1.1",
	  { .proto = UDP }, NATXDP_PASS_NOT_UNICAST },
	{ "DHCP from the inside", BOX_INSIDE, "0.0.0.0", "255.255.255.255",
	  { .proto = UDP, .sport = 68, .dport = 67 }, NATXDP_PASS_NOT_UNICAST },
	{ "foreign source", BOX_INSIDE, "192.0.2.1", SERVER,
	  { .proto = UDP, .dport = 53 }, NATXDP_DROP_SOURCE },
	{ "GRE", BOX_INSIDE, HOST, SERVER,
	  { .proto = IPPROTO_GRE, .payload = 8 }, NATXDP_DROP_PROTOCOL },
	{ "later fragment", BOX_INSIDE, HOST, SERVER,
	  { .proto = UDP, .payload = 64, .frag_off = 0x2010 }, NATXDP_DROP_FRAGMENT },
	{ "later fragment to an inside network", BOX_INSIDE, HOST, "10.99.0.9",
	  { .proto = UDP, .payload = 64, .frag_off = 0x0010 }, NATXDP_PASS_NO_NAT },
	{ "later fragment to the box", BOX_INSIDE, HOST, "10.77.0.1",
	  { .proto = UDP, .payload = 64, .frag_off = 0x0010 }, NATXDP_PASS_HOST },
	{ "echo reply that nobody asked for", BOX_INSIDE, HOST, SERVER,
	  { .proto = ICMP, .icmp_type = 0, .sport = 5 }, NATXDP_DROP_MIDSTREAM },
	{ "RST of an unknown connection", BOX_INSIDE, HOST, SERVER,
	  { .proto = TCP, .dport = 80, .tcp_flags = RST }, NATXDP_DROP_MIDSTREAM },
	{ "RST ACK of an unknown connection", BOX_INSIDE, HOST, SERVER,
	  { .proto = TCP, .dport = 80, .tcp_flags = RST | ACK }, NATXDP_DROP_MIDSTREAM },
	/* one interface for both sides */
	{ "one-armed: SYN to the external address", BOX_SINGLE, SERVER, EXTERNAL,
	  { .proto = TCP, .dport = 2000, .tcp_flags = SYN }, NATXDP_DROP_UNSOLICITED },
	{ "one-armed: SSH from the outside", BOX_SINGLE, SERVER, EXTERNAL,
	  { .proto = TCP, .dport = 22, .tcp_flags = SYN }, NATXDP_PASS_HOST },
	{ "one-armed: from the inside to the box", BOX_SINGLE, HOST, EXTERNAL,
	  { .proto = TCP, .dport = 8080, .tcp_flags = SYN }, NATXDP_PASS_HOST },
	{ "one-armed: straight to an inside host", BOX_SINGLE, SERVER, HOST,
	  { .proto = TCP, .dport = 80, .tcp_flags = SYN }, NATXDP_DROP_UNSOLICITED },
	{ "one-armed: inside to inside", BOX_SINGLE, HOST, "10.99.0.9",
	  { .proto = UDP }, NATXDP_PASS_NO_NAT },
	{ "one-armed: neither source nor destination is ours", BOX_SINGLE, SERVER, "192.0.2.9",
	  { .proto = UDP }, NATXDP_DROP_SOURCE },
};
/* clang-format on */

static uint32_t verdict_of(enum natxdp_reason reason)
{
	switch (reason) {
#define V_PASS XDP_PASS
#define V_DROP XDP_DROP
#define V_FORWARD XDP_REDIRECT
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

static void run_row(struct box *box, const struct row *row)
{
	uint8_t sent[FRAME_MAX];
	struct frame f = row->f;
	unsigned int live, dead;
	struct output out;
	size_t len;

	f.saddr = addr(row->from);
	f.daddr = addr(row->to);
	memcpy(f.src_mac, box_host_mac, 6);
	memcpy(f.dst_mac, box_in_mac, 6);
	box_run(box, row->side, &f, &out);
	if (out.reason != (int)row->reason || out.verdict != verdict_of(row->reason))
		fail_msg("%s: reason %d, verdict %u", row->name, out.reason, out.verdict);
	len = frame_build(&f, sent);
	/* what passes or drops is left as it came */
	assert_int_equal(out.len, len);
	assert_memory_equal(out.data, sent, len);
	assert_int_equal(out.bytes, len - 14);
	box_count(box, &live, &dead);
	assert_int_equal(live, 0);
}

static void run_rows(bool two_armed)
{
	struct box_options options = { .two_armed = two_armed };
	struct box *box = box_open(&options);
	unsigned int i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if ((rows[i].side != BOX_SINGLE) == two_armed)
			run_row(box, &rows[i]);
	box_close(box);
}

static void test_two_armed(void **state)
{
	(void)state;
	run_rows(true);
}

static void test_one_armed(void **state)
{
	(void)state;
	run_rows(false);
}

/* Frames that are no IPv4 pass; IPv4 that is broken does not. */
static void test_raw(void **state)
{
	struct box_options options = { .two_armed = true };
	struct box *box = box_open(&options);
	struct frame f = { .proto = TCP, .tcp_flags = SYN, .payload = 8 };
	uint8_t data[FRAME_MAX] = { 0 };
	struct output out;
	size_t len, cut;

	(void)state;
	f.saddr = addr(HOST);
	f.daddr = addr(SERVER);
	len = frame_build(&f, data);
	data[12] = 0x08;
	data[13] = 0x06; /* ARP */
	box_run_raw(box, BOX_INSIDE, data, 42, &out);
	assert_int_equal(out.reason, NATXDP_PASS_NOT_IPV4);
	assert_int_equal(out.verdict, XDP_PASS);
	data[12] = 0x86;
	data[13] = 0xdd; /* IPv6 */
	box_run_raw(box, BOX_OUTSIDE, data, len, &out);
	assert_int_equal(out.reason, NATXDP_PASS_NOT_IPV4);

	/* a test run of TC takes no IPv4 without a whole header */
	for (cut = box_hook == HOOK_TC ? 34 : 14; cut < len; cut++) { /* shorter than it says */
		frame_build(&f, data);
		box_run_raw(box, BOX_INSIDE, data, cut, &out);
		assert_int_equal(out.reason, NATXDP_DROP_MALFORMED);
		assert_int_equal(out.verdict, XDP_DROP);
	}
	for (cut = 0; cut < 40; cut++) { /* a total length that is too short */
		frame_build(&f, data);
		data[17] = cut;
		box_run_raw(box, BOX_INSIDE, data, len, &out);
		assert_int_equal(out.reason, NATXDP_DROP_MALFORMED);
	}
	frame_build(&f, data);
	data[14] = 0x44; /* a header of 16 bytes */
	box_run_raw(box, BOX_INSIDE, data, len, &out);
	assert_int_equal(out.reason, NATXDP_DROP_MALFORMED);
	frame_build(&f, data);
	data[14] = 0x65; /* version 6 */
	box_run_raw(box, BOX_INSIDE, data, len, &out);
	assert_int_equal(out.reason, NATXDP_DROP_MALFORMED);
	box_close(box);
}

/* While the NAT is being loaded nothing leaves, and the host goes on working. */
static void test_inactive(void **state)
{
	struct box_options options = { .two_armed = true, .inactive = true };
	struct box *box = box_open(&options);
	struct frame f = { .proto = UDP, .dport = 53 };
	struct output out;

	(void)state;
	f.saddr = addr(HOST);
	f.daddr = addr(SERVER);
	box_run(box, BOX_INSIDE, &f, &out);
	assert_int_equal(out.reason, NATXDP_DROP_INACTIVE);
	assert_int_equal(out.verdict, XDP_DROP);
	f.daddr = addr("10.77.0.1");
	box_run(box, BOX_INSIDE, &f, &out);
	assert_int_equal(out.verdict, XDP_PASS);
	box_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_armed),
		cmocka_unit_test(test_one_armed),
		cmocka_unit_test(test_raw),
		cmocka_unit_test(test_inactive),
	};

	return box_run_both("prog/classify", tests, sizeof(tests) / sizeof(*tests));
}
