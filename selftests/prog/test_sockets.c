/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The host's own sockets on the external address: they hear what is theirs, and no flow gets it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/bpf.h>

#include <cmocka.h>

#include "box.h"

#define HOST "10.77.0.2"
#define EXTERNAL "203.0.113.1"
#define SERVER "198.51.100.7"
#define LOCAL_SERVER "198.51.100.200" /* an address of the box's, but none of the NAT's */

enum { PORT = 5000, SERVER_PORT = 53 };

static struct sockaddr_in end(const char *dotted, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr = inet_addr(dotted) };
}

static void bind_to(int fd, const char *dotted, uint16_t port)
{
	struct sockaddr_in local = end(dotted, port);
	int one = 1;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (void *)&local, sizeof(local)), 0);
}

static void connect_to(int fd, const char *dotted, uint16_t port)
{
	struct sockaddr_in remote = end(dotted, port);

	assert_int_equal(connect(fd, (void *)&remote, sizeof(remote)), 0);
}

static int make_socket(int type)
{
	int fd = socket(AF_INET, type, 0);

	assert_true(fd >= 0);
	return fd;
}

static int udp_any(void)
{
	int fd = make_socket(SOCK_DGRAM);

	bind_to(fd, "0.0.0.0", PORT);
	return fd;
}

static int udp_bound(void)
{
	int fd = make_socket(SOCK_DGRAM);

	bind_to(fd, EXTERNAL, PORT);
	return fd;
}

static int udp_connected(void)
{
	int fd = udp_bound();

	connect_to(fd, SERVER, SERVER_PORT);
	return fd;
}

static int tcp_listening(void)
{
	int fd = make_socket(SOCK_STREAM);

	bind_to(fd, EXTERNAL, PORT);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* As most daemons do: one socket for both versions of IP. */
static int tcp_listening_v6(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0), zero = 0, one = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (void *)&any, sizeof(any)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* Established, without a peer: TCP_REPAIR is made for that. */
static int tcp_connected(void)
{
	int fd = make_socket(SOCK_STREAM), one = 1;

	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &one, sizeof(one)), 0);
	bind_to(fd, EXTERNAL, PORT);
	connect_to(fd, SERVER, SERVER_PORT);
	return fd;
}

static const struct {
	int (*open)(void);
	uint8_t proto;
	bool hears_all;
} sockets[] = {
	{ udp_any, IPPROTO_UDP, true },		 { udp_bound, IPPROTO_UDP, true },
	{ udp_connected, IPPROTO_UDP, false },	 { tcp_listening, IPPROTO_TCP, true },
	{ tcp_listening_v6, IPPROTO_TCP, true }, { tcp_connected, IPPROTO_TCP, false },
};

#define SOCKETS (sizeof(sockets) / sizeof(*sockets))

static struct frame from_server(uint8_t proto)
{
	return (struct frame){ .proto = proto,
			       .tcp_flags = 0x02,
			       .saddr = addr(SERVER),
			       .daddr = addr(EXTERNAL),
			       .sport = SERVER_PORT,
			       .dport = PORT };
}

static struct frame from_inside(uint8_t proto, uint16_t sport)
{
	return (struct frame){ .proto = proto,
			       .tcp_flags = 0x02,
			       .saddr = addr(HOST),
			       .daddr = addr(SERVER),
			       .sport = sport,
			       .dport = SERVER_PORT };
}

static int reason_of(struct box *box, enum box_side side, const struct frame *f)
{
	struct output out;

	box_run(box, side, f, &out);
	return out.reason;
}

static void passes(struct box *box, enum box_side side, unsigned int i)
{
	struct frame f = from_server(sockets[i].proto);
	int other = sockets[i].hears_all ? NATXDP_PASS_HOST : NATXDP_DROP_UNSOLICITED;
	uint8_t sent[FRAME_MAX];
	struct output out;
	int fd;

	assert_int_equal(reason_of(box, side, &f), NATXDP_DROP_UNSOLICITED);
	fd = sockets[i].open();
	box_run(box, side, &f, &out);
	assert_int_equal(out.reason, NATXDP_PASS_HOST);
	assert_int_equal(out.verdict, XDP_PASS);
	memcpy(f.src_mac, box_router_mac, 6);
	memcpy(f.dst_mac, box_out_mac, 6);
	assert_int_equal(out.len, frame_build(&f, sent));
	assert_memory_equal(out.data, sent, out.len);
	f.tcp_flags = 0x10;
	assert_int_equal(reason_of(box, side, &f), NATXDP_PASS_HOST);
	f.sport++;
	assert_int_equal(reason_of(box, side, &f), other);
	f.sport--;
	f.saddr++;
	assert_int_equal(reason_of(box, side, &f), other);
	f.saddr--;
	f.dport++;
	assert_int_equal(reason_of(box, side, &f), NATXDP_DROP_UNSOLICITED);
	f.dport--;
	f.proto = f.proto == IPPROTO_TCP ? IPPROTO_UDP : IPPROTO_TCP;
	assert_int_equal(reason_of(box, side, &f), NATXDP_DROP_UNSOLICITED);
	f.proto = sockets[i].proto;
	close(fd);
	assert_int_equal(reason_of(box, side, &f), NATXDP_DROP_UNSOLICITED);
}

/* Packets to a socket that is open pass, to the port of one that is not they are dropped. */
static void test_open_sockets_hear(void **state)
{
	struct box_options options[] = { { 0 }, { .two_armed = true }, { .inactive = true } };
	unsigned int i, o;

	(void)state;
	for (o = 0; o < 3; o++) {
		struct box *box = box_open(&options[o]);

		for (i = 0; i < SOCKETS; i++)
			passes(box, options[o].two_armed ? BOX_OUTSIDE : BOX_SINGLE, i);
		box_close(box);
	}
}

/* A connection that is over waits for stray segments: they are the host's. */
static void test_time_wait(void **state)
{
	struct box_options options = { .port_min = PORT, .port_max = PORT };
	struct box *box = box_open(&options);
	int listener = make_socket(SOCK_STREAM), fd = make_socket(SOCK_STREAM), peer;
	struct frame f = from_server(IPPROTO_TCP);
	char byte;

	(void)state;
	assert_int_equal(system("ip addr replace " LOCAL_SERVER "/32 dev lo"), 0);
	bind_to(listener, LOCAL_SERVER, 80);
	assert_int_equal(listen(listener, 1), 0);
	bind_to(fd, EXTERNAL, PORT);
	connect_to(fd, LOCAL_SERVER, 80);
	peer = accept(listener, NULL, NULL);
	close(listener);
	shutdown(fd, SHUT_WR);
	assert_int_equal(read(peer, &byte, 1), 0);
	close(peer);
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
	f.saddr = addr(LOCAL_SERVER);
	f.sport = 80;
	f.tcp_flags = 0x11;
	assert_int_equal(reason_of(box, BOX_SINGLE, &f), NATXDP_PASS_HOST);
	f.sport++;
	assert_int_equal(reason_of(box, BOX_SINGLE, &f), NATXDP_DROP_UNSOLICITED);
	/* nor may a flow take its place */
	f = from_inside(IPPROTO_TCP, 1);
	f.daddr = addr(LOCAL_SERVER);
	f.dport = 80;
	assert_int_equal(reason_of(box, BOX_SINGLE, &f), NATXDP_REPLY_NO_PORT);
	f.dport++;
	assert_int_equal(reason_of(box, BOX_SINGLE, &f), NATXDP_OUT_FORWARDED);
	box_close(box);
}

/* How many flows to a remote port find an external port of eight, and none of them PORT if @never. */
static unsigned int flows_from_eight(struct box *box, enum box_side side, uint8_t proto,
				     uint16_t dport, bool never)
{
	unsigned int i, opened = 0;

	for (i = 0; i < 9; i++) {
		struct frame f = from_inside(proto, 100 + i);
		struct output out;

		f.dport = dport;
		box_run(box, side, &f, &out);
		if (out.reason == NATXDP_OUT_FORWARDED || out.reason == NATXDP_OUT_VIA_KERNEL) {
			opened++;
			assert_false(never && out.f.sport == PORT);
		} else {
			assert_true(out.reason == NATXDP_REPLY_NO_PORT ||
				    out.reason == NATXDP_DROP_NO_PORT);
		}
	}
	return opened;
}

static void given(struct box *box, enum box_side side, unsigned int i)
{
	uint8_t proto = sockets[i].proto, other = proto == IPPROTO_TCP ? IPPROTO_UDP : IPPROTO_TCP;
	uint16_t dport = SERVER_PORT + 1 + i;
	int fd = sockets[i].open();

	/* not to the destination of a connected socket, to others only if that hears nobody else */
	if (!sockets[i].hears_all)
		assert_int_equal(flows_from_eight(box, side, proto, SERVER_PORT, true), 7);
	assert_int_equal(flows_from_eight(box, side, proto, dport, sockets[i].hears_all),
			 sockets[i].hears_all ? 7 : 8);
	/* another protocol has its own ports */
	assert_int_equal(flows_from_eight(box, side, other, 1000 + dport, false), 8);
	close(fd);
	assert_int_equal(flows_from_eight(box, side, proto, 2000 + dport, false), 8);
}

static void test_ports_are_not_given_out(void **state)
{
	struct box_options options[] = {
		{ .port_min = PORT - 4, .port_max = PORT + 3 },
		{ .port_min = PORT - 4, .port_max = PORT + 3, .two_armed = true }
	};
	unsigned int i, o;

	(void)state;
	for (o = 0; o < 2; o++) {
		struct box *box = box_open(&options[o]);

		for (i = 0; i < SOCKETS; i++)
			given(box, options[o].two_armed ? BOX_INSIDE : BOX_SINGLE, i);
		box_close(box);
	}
}

/* An endpoint-independent external end is for everybody: not where a socket hears everybody. */
static void test_mappings(void **state)
{
	struct box_options options = { .port_min = PORT - 4,
				       .port_max = PORT + 3,
				       .mapping = NATXDP_MAPPING_ENDPOINT_INDEPENDENT };
	unsigned int i;

	(void)state;
	for (i = 0; i < SOCKETS; i++) {
		struct box *box = box_open(&options);
		int fd = sockets[i].open();

		/* nine inside ends to nine destinations: eight external ends, or seven */
		if (sockets[i].hears_all) {
			assert_int_equal(flows_from_eight(box, BOX_SINGLE, sockets[i].proto, 1000,
							  true),
					 7);
		} else {
			assert_int_equal(flows_from_eight(box, BOX_SINGLE, sockets[i].proto, 1000,
							  false),
					 8);
			/* the one whose external end is PORT may not go where the socket talks */
			assert_int_equal(flows_from_eight(box, BOX_SINGLE, sockets[i].proto,
							  SERVER_PORT, true),
					 7);
		}
		close(fd);
		box_close(box);
	}
}

/* Who has a flow keeps it: established packets are not looked at again. */
static void test_flows_go_on(void **state)
{
	struct box_options options = { .port_min = PORT, .port_max = PORT };
	struct box *box = box_open(&options);
	struct frame out = from_inside(IPPROTO_UDP, 100), in = from_server(IPPROTO_UDP);
	int fd;

	(void)state;
	assert_int_equal(reason_of(box, BOX_SINGLE, &out), NATXDP_OUT_FORWARDED);
	fd = udp_connected();
	assert_int_equal(reason_of(box, BOX_SINGLE, &out), NATXDP_OUT_FORWARDED);
	assert_int_equal(reason_of(box, BOX_SINGLE, &in), NATXDP_IN_FORWARDED);
	close(fd);
	box_close(box);
}

/* The socket comes before those that a mapping invites, from the outside and from the inside. */
static void test_sockets_before_invitations(void **state)
{
	struct box_options options = { .port_min = PORT,
				       .port_max = PORT,
				       .mapping = NATXDP_MAPPING_ENDPOINT_INDEPENDENT,
				       .filtering = NATXDP_FILTERING_ENDPOINT_INDEPENDENT,
				       .features = NATXDP_HAIRPIN };
	struct box *box = box_open(&options);
	struct frame out = from_inside(IPPROTO_UDP, 100), in = from_server(IPPROTO_UDP);
	struct frame turning = from_inside(IPPROTO_UDP, 200);
	int fd, inside_fd;

	(void)state;
	out.daddr++;
	assert_int_equal(reason_of(box, BOX_SINGLE, &out), NATXDP_OUT_FORWARDED);
	fd = udp_connected();
	assert_int_equal(reason_of(box, BOX_SINGLE, &in), NATXDP_PASS_HOST);
	in.sport++;
	assert_int_equal(reason_of(box, BOX_SINGLE, &in), NATXDP_IN_FORWARDED);
	close(fd);
	inside_fd = make_socket(SOCK_DGRAM);
	bind_to(inside_fd, EXTERNAL, PORT);
	connect_to(inside_fd, HOST, 200);
	turning.daddr = addr(EXTERNAL);
	turning.dport = PORT;
	assert_int_equal(reason_of(box, BOX_SINGLE, &turning), NATXDP_PASS_HOST);
	close(inside_fd);
	box_close(box);
}

/*
 * The host talks with an inside host from its external address, from a port
 * that is the external end of another inside host: what the two of them say
 * to each other would look the same.
 */
static void test_hairpin_beside_a_socket(void **state)
{
	struct box_options options = { .port_min = PORT,
				       .port_max = PORT + 1,
				       .mapping = NATXDP_MAPPING_ENDPOINT_INDEPENDENT,
				       .filtering = NATXDP_FILTERING_ENDPOINT_INDEPENDENT,
				       .features = NATXDP_HAIRPIN };
	struct box *box = box_open(&options);
	struct frame a = from_inside(IPPROTO_UDP, 100), b = from_inside(IPPROTO_UDP, 200);
	struct output out;
	int fd = make_socket(SOCK_DGRAM);

	(void)state;
	box_run(box, BOX_SINGLE, &a, &out);
	assert_int_equal(out.reason, NATXDP_OUT_FORWARDED);
	assert_int_equal(reason_of(box, BOX_SINGLE, &b), NATXDP_OUT_FORWARDED);
	/* from who has PORT to the other one */
	if (out.f.sport != PORT)
		a.sport = 200;
	bind_to(fd, EXTERNAL, PORT);
	connect_to(fd, HOST, a.sport == 200 ? 100 : 200);
	a.daddr = addr(EXTERNAL);
	a.dport = PORT + 1;
	assert_int_equal(reason_of(box, BOX_SINGLE, &a), NATXDP_REPLY_NO_PORT);
	close(fd);
	assert_int_equal(reason_of(box, BOX_SINGLE, &a), NATXDP_OUT_FORWARDED);
	box_close(box);
}

static void errors(struct box *box, unsigned int i)
{
	struct frame quoted = { .proto = sockets[i].proto,
				.saddr = addr(EXTERNAL),
				.daddr = addr(SERVER),
				.sport = PORT,
				.dport = SERVER_PORT };
	struct frame f = { .saddr = addr("192.0.2.1"), .daddr = addr(EXTERNAL), .icmp_type = 3 };
	uint8_t quote[FRAME_MAX], data[FRAME_MAX];
	struct output out;
	size_t len;
	int fd;

	memcpy(f.src_mac, box_router_mac, 6);
	memcpy(f.dst_mac, box_out_mac, 6);
	frame_build(&quoted, quote);
	len = frame_build_error(&f, 4, quote + 14, 28, data);
	box_run_raw(box, BOX_SINGLE, data, len, &out);
	assert_int_equal(out.reason, NATXDP_DROP_ICMP);
	fd = sockets[i].open();
	box_run_raw(box, BOX_SINGLE, data, len, &out);
	assert_int_equal(out.reason, NATXDP_PASS_HOST);
	assert_int_equal(out.len, len);
	assert_memory_equal(out.data, data, len);
	close(fd);
}

/* Path MTU discovery of the host's own connections (RFC 1191). */
static void test_errors_about_sockets(void **state)
{
	struct box_options options = { 0 };
	struct box *box = box_open(&options);
	unsigned int i;

	(void)state;
	for (i = 0; i < SOCKETS; i++)
		errors(box, i);
	box_close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_sockets_hear),
		cmocka_unit_test(test_time_wait),
		cmocka_unit_test(test_ports_are_not_given_out),
		cmocka_unit_test(test_mappings),
		cmocka_unit_test(test_flows_go_on),
		cmocka_unit_test(test_sockets_before_invitations),
		cmocka_unit_test(test_hairpin_beside_a_socket),
		cmocka_unit_test(test_errors_about_sockets),
	};

	return box_run_both("prog/sockets", tests, sizeof(tests) / sizeof(*tests));
}
