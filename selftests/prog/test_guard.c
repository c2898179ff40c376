/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the guard drops that meets it without the NAT; see box.h for what it lets through. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <linux/bpf.h>

#include <cmocka.h>

#include "box.h"

#define HOST "10.77.0.2"
#define BOX_INSIDE_ADDR "10.77.0.1"
#define EXTERNAL "203.0.113.1"
#define SERVER "198.51.100.7"
#define NO_NAT "198.18.3.4"

enum { SYN = 0x02, ACK = 0x10, POOL_PORT = 5000, HOST_PORT = 61001 };

#define IN BOX_INSIDE
#define OUT BOX_OUTSIDE

static const struct {
	enum box_side side;
	const char *what, *from, *to;
	uint8_t proto, tcp_flags;
	uint16_t dport, fragment; /* in bytes; the first one is none */
	bool dropped;
} cases[] = {
	{ IN, "a new connection", HOST, SERVER, IPPROTO_TCP, SYN, 443, 0, true },
	{ IN, "a segment", HOST, SERVER, IPPROTO_TCP, ACK, 443, 0, true },
	{ IN, "a datagram", HOST, SERVER, IPPROTO_UDP, 0, 53, 0, true },
	{ IN, "a later fragment", HOST, SERVER, IPPROTO_UDP, 0, 53, 1480, true },
	{ IN, "a protocol without ports", HOST, SERVER, IPPROTO_GRE, 0, 0, 0, true },
	{ IN, "from nowhere to nowhere", SERVER, "192.0.2.9", IPPROTO_UDP, 0, 53, 0, true },
	{ IN, "to what is not translated", HOST, NO_NAT, IPPROTO_TCP, SYN, 443, 0, false },
	{ IN, "inside to inside", HOST, "10.1.2.3", IPPROTO_TCP, SYN, 443, 0, false },
	{ IN, "translated, by the kernel", EXTERNAL, SERVER, IPPROTO_TCP, ACK, 443, 0, false },
	{ OUT, "translated back, by the kernel", SERVER, HOST, IPPROTO_TCP, ACK, 40000, 0, false },
	{ OUT, "an answer to the pool", SERVER, EXTERNAL, IPPROTO_TCP, ACK, POOL_PORT, 0, true },
	{ OUT, "a datagram to the pool", SERVER, EXTERNAL, IPPROTO_UDP, 0, POOL_PORT, 0, true },
	{ OUT, "GRE to the pool", SERVER, EXTERNAL, IPPROTO_GRE, 0, 0, 0, true },
	{ OUT, "to a port of the host", SERVER, EXTERNAL, IPPROTO_TCP, ACK, HOST_PORT, 0, false },
	{ OUT, "a later fragment to the host", SERVER, EXTERNAL, IPPROTO_UDP, 0, 0, 1480, false },
	{ IN, "inside to the host", HOST, BOX_INSIDE_ADDR, IPPROTO_TCP, SYN, POOL_PORT, 0, false },
	{ IN, "from whoever is there to the host", SERVER, BOX_INSIDE_ADDR, IPPROTO_TCP, SYN,
	  POOL_PORT, 0, false },
	{ IN, "multicast", HOST, "224.0.0.5", IPPROTO_UDP, 0, 53, 0, false },
	{ IN, "broadcast", HOST, "255.255.255.255", IPPROTO_UDP, 0, 53, 0, false },
	{ IN, "DHCP", "10.0.0.1", "10.99.0.1", IPPROTO_UDP, 0, 68, 0, false },
};

#define CASES (sizeof(cases) / sizeof(*cases))

static void test_without_the_nat(void **state)
{
	const struct box_options two = { .two_armed = true };
	struct box *box = box_open(&two);
	uint8_t data[FRAME_MAX];

	(void)state;
	for (unsigned int i = 0; i < CASES; i++) {
		struct frame f = { .proto = cases[i].proto,
				   .tcp_flags = cases[i].tcp_flags,
				   .saddr = addr(cases[i].from),
				   .daddr = addr(cases[i].to),
				   .sport = 40000,
				   .dport = cases[i].dport,
				   .frag_off = cases[i].fragment / 8 };
		size_t len = frame_build(&f, data);

		if (box_guard_drops(box, cases[i].side, data, len) != cases[i].dropped)
			fail_msg("%s: %s", cases[i].what,
				 cases[i].dropped ? "let through" : "dropped");
	}
	box_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_without_the_nat) };

	return box_run_both("prog/guard", tests, sizeof(tests) / sizeof(*tests));
}
