/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Two agents' channels over loopback. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "err.h"
#include "ha/channel.h"
#include "ha/session.h"
#include "unit.h"

#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct secrets test_secrets(void)
{
	struct secrets secrets;
	struct err err = { 0 };

	assert_int_equal(secrets_parse(&secrets, KEY, "test", &err), 0);
	return secrets;
}

/* Two agents on loopback, with sockets of their own. */
struct node {
	struct channel *channel;
	struct loop *loop;
	int peer, began, received;
	char last[64];
};

static void heard(void *ctx, int peer, const void *data, size_t len)
{
	struct node *node = ctx;

	assert_int_equal(peer, node->peer);
	node->received++;
	snprintf(node->last, sizeof(node->last), "%.*s", (int)len, (const char *)data);
	loop_stop(node->loop);
}

static void began(void *ctx, int peer)
{
	struct node *node = ctx;

	(void)peer;
	node->began++;
	loop_stop(node->loop);
}

static void too_late(void *ctx)
{
	(void)ctx;
	fail_msg("nothing came");
}

static void run_until(struct loop *loop, const int *count, int wanted)
{
	int timer = loop_timer(loop, too_late, NULL);

	loop_timer_once(timer, 20000);
	while (*count < wanted)
		assert_int_equal(loop_run(loop), 0);
	loop_timer_free(loop, timer);
}

static void open_node(struct node *node, struct loop *loop, const char *mine, const char *theirs,
		      const struct secrets *secrets)
{
	struct channel_user user = { heard, began, node };
	struct err err = { 0 };

	memset(node, 0, sizeof(*node));
	node->loop = loop;
	node->channel = channel_open(loop, mine, secrets, &err);
	if (!node->channel)
		fail_msg("%s", err.text);
	channel_use(node->channel, CHANNEL_CONTROL, &user);
	node->peer = channel_add_peer(node->channel, theirs, &err);
	assert_int_equal(node->peer, 0);
}

/* A port of this moment: others run tests, too. */
static void free_address(const char *host, char *address, size_t size)
{
	bool v6 = *host == '[';
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
	socklen_t len = v6 ? sizeof(six) : sizeof(four);
	void *addr = v6 ? (void *)&six : (void *)&four;
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, addr, len), 0);
	getsockname(fd, addr, &len);
	snprintf(address, size, "%s:%d", host, ntohs(v6 ? six.sin6_port : four.sin_port));
	close(fd);
}

static void talk_over(const char *host)
{
	struct secrets secrets = test_secrets();
	char at_a[64], at_b[64], stranger[64];
	struct loop *loop = loop_new();
	struct node a, b, c;

	free_address(host, at_a, sizeof(at_a));
	do
		free_address(host, at_b, sizeof(at_b));
	while (!strcmp(at_a, at_b));
	open_node(&a, loop, at_a, at_b, &secrets);
	assert_false(channel_is_open(a.channel, a.peer));
	assert_int_equal(channel_send(a.channel, a.peer, CHANNEL_CONTROL, "x", 1), -ENOTCONN);
	open_node(&b, loop, at_b, at_a, &secrets);
	run_until(loop, &a.began, 1);
	run_until(loop, &b.began, 1);
	assert_int_equal(channel_send(a.channel, a.peer, CHANNEL_CONTROL, "to b", 4), 0);
	run_until(loop, &b.received, 1);
	assert_string_equal(b.last, "to b");
	assert_int_equal(channel_send(b.channel, b.peer, CHANNEL_CONTROL, "to a", 4), 0);
	run_until(loop, &a.received, 1);
	assert_string_equal(a.last, "to a");
	assert_true(channel_counters(a.channel, a.peer)->sent >= 2);
	/* b restarts; somebody who is no peer says hello */
	channel_close(b.channel);
	open_node(&b, loop, at_b, at_a, &secrets);
	free_address(host, stranger, sizeof(stranger));
	open_node(&c, loop, stranger, at_a, &secrets);
	run_until(loop, &b.began, 1);
	run_until(loop, &a.began, 2);
	assert_int_equal(channel_send(a.channel, a.peer, CHANNEL_CONTROL, "again", 5), 0);
	run_until(loop, &b.received, 1);
	assert_string_equal(b.last, "again");
	assert_int_equal(channel_counters(a.channel, a.peer)->sessions, 2);
	assert_true(channel_strangers(a.channel) >= 1);
	assert_int_equal(c.began, 0);
	channel_close(c.channel);
	channel_remove_peer(a.channel, a.peer);
	assert_int_equal(channel_send(a.channel, a.peer, CHANNEL_CONTROL, "x", 1), -ENOTCONN);
	channel_close(a.channel);
	channel_close(b.channel);
	loop_free(loop);
}

static void agents_talk_over_ipv4(void **state)
{
	(void)state;
	talk_over("127.0.0.1");
}

static void agents_talk_over_ipv6(void **state)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	bool there = fd >= 0 && !bind(fd, (struct sockaddr *)&addr, sizeof(addr));

	(void)state;
	close(fd);
	if (!there)
		skip();
	talk_over("[::1]");
}

/* An agent of which every byte that it has sent and got is kept. */
enum { RECORDED_MAX = 64 };

struct recorder {
	struct loop *loop;
	struct session *session;
	int fd, sent_count, got_count, began, heard;
	bool deaf;
	uint8_t mine[18], theirs[18];
	struct recorded {
		int len;
		uint8_t bytes[SESSION_DATAGRAM_MAX];
	} sent[RECORDED_MAX], got[RECORDED_MAX];
};

static void put(struct recorder *r, const uint8_t *bytes, int len)
{
	assert_true(len > 0 && r->sent_count < RECORDED_MAX);
	r->sent[r->sent_count].len = len;
	memcpy(r->sent[r->sent_count++].bytes, bytes, len);
	assert_int_equal(send(r->fd, bytes, len, 0), len);
}

static void say(struct recorder *r, enum channel_kind kind, const char *text)
{
	uint8_t bytes[SESSION_DATAGRAM_MAX];

	put(r, bytes, session_seal(r->session, kind, text, strlen(text), bytes));
}

static void record(void *ctx, int fd, uint32_t events)
{
	uint8_t bytes[SESSION_DATAGRAM_MAX];
	struct session_datagram datagram;
	struct recorder *r = ctx;
	int len = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	(void)events;
	if (len <= 0 || r->deaf || r->got_count == RECORDED_MAX)
		return;
	r->got[r->got_count].len = len;
	memcpy(r->got[r->got_count++].bytes, bytes, len);
	if (session_take(r->session, bytes, len, &datagram))
		return;
	if (datagram.answer_to)
		put(r, bytes, session_answer(r->session, datagram.answer_to, bytes));
	if (datagram.began)
		say(r, CHANNEL_HELLO, "");
	r->began += datagram.began;
	r->heard += datagram.kind == CHANNEL_CONTROL;
	loop_stop(r->loop);
}

static struct sockaddr_in end_of(const char *address, uint8_t bytes[18])
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };

	addr.sin_port = htons(atoi(strchr(address, ':') + 1));
	memset(bytes, 0, 18);
	bytes[10] = bytes[11] = 0xff;
	memcpy(bytes + 12, &addr.sin_addr, 4);
	memcpy(bytes + 16, &addr.sin_port, 2);
	return addr;
}

static void start_recorder(struct recorder *r, struct loop *loop, const char *at, const char *peer)
{
	struct sockaddr_in mine = end_of(at, r->mine), theirs = end_of(peer, r->theirs);

	r->loop = loop;
	r->fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(r->fd, (struct sockaddr *)&mine, sizeof(mine)), 0);
	assert_int_equal(connect(r->fd, (struct sockaddr *)&theirs, sizeof(theirs)), 0);
	assert_int_equal(loop_watch(loop, r->fd, EPOLLIN, record, r), 0);
}

/* A life begins: what came before is as nothing. */
static void be_born(struct recorder *r, const struct secrets *secrets)
{
	uint8_t bytes[SESSION_DATAGRAM_MAX];

	session_free(r->session);
	r->session = session_new(secrets, r->mine, r->theirs);
	r->deaf = false;
	put(r, bytes, session_hello(r->session, bytes));
}

/* In order, and before whatever is sent next: it is the same socket. */
static void replay(const struct recorder *r, int count)
{
	for (int i = 0; i < count; i++)
		assert_int_equal(send(r->fd, r->sent[i].bytes, r->sent[i].len, 0), r->sent[i].len);
}

/* The recorder is a, whose session is the shipped one as well; b is an agent's channel. */
static void what_was_captured_is_worth_nothing_after_a_restart(void **state)
{
	static struct recorder a;
	struct session_datagram datagram;
	struct secrets secrets = test_secrets();
	struct loop *loop = loop_new();
	char at_a[64], at_b[64];
	struct node b;
	int first;

	(void)state;
	free_address("127.0.0.1", at_a, sizeof(at_a));
	do
		free_address("127.0.0.1", at_b, sizeof(at_b));
	while (!strcmp(at_a, at_b));
	open_node(&b, loop, at_b, at_a, &secrets);
	start_recorder(&a, loop, at_a, at_b);
	be_born(&a, &secrets);
	run_until(loop, &b.began, 1);
	run_until(loop, &a.began, 1);
	say(&a, CHANNEL_CONTROL, "old");
	run_until(loop, &b.received, 1);
	assert_int_equal(channel_send(b.channel, b.peer, CHANNEL_CONTROL, "old", 3), 0);
	run_until(loop, &a.heard, 1);
	first = a.sent_count;

	/* the receiver restarts, and all comes again; then a talks to it as it should */
	a.deaf = true;
	channel_close(b.channel);
	open_node(&b, loop, at_b, at_a, &secrets);
	replay(&a, first);
	be_born(&a, &secrets);
	run_until(loop, &b.began, 1);
	run_until(loop, &a.began, 2);
	replay(&a, first);
	say(&a, CHANNEL_CONTROL, "new");
	run_until(loop, &b.received, 1);
	assert_string_equal(b.last, "new");
	assert_true(channel_counters(b.channel, b.peer)->refused[SESSION_STALE] >= 4);

	/* the sender restarts: neither its first life nor its second is believed */
	first = a.sent_count;
	be_born(&a, &secrets);
	run_until(loop, &b.began, 2);
	run_until(loop, &a.began, 3);
	replay(&a, first);
	say(&a, CHANNEL_CONTROL, "newest");
	run_until(loop, &b.received, 2);
	assert_string_equal(b.last, "newest");
	assert_int_equal(b.began, 2);

	/* and what a has got in its lives before, it does not take */
	session_free(a.session);
	a.session = session_new(&secrets, a.mine, a.theirs);
	for (int i = 0; i < a.got_count; i++) {
		enum session_verdict verdict = session_take(a.session, a.got[i].bytes, a.got[i].len,
							    &datagram);

		assert_true(verdict == SESSION_STALE ||
			    (verdict == SESSION_TAKEN && datagram.answer_to));
		assert_false(session_is_open(a.session));
	}
	loop_watch(loop, a.fd, 0, NULL, NULL);
	close(a.fd);
	session_free(a.session);
	channel_close(b.channel);
	loop_free(loop);
}

static void addresses_are_checked(void **state)
{
	static const char *const wrong[] = { "0.0.0.0:9470", "[::]:9470", "nonsense", "127.0.0.1" };
	struct secrets secrets = test_secrets();
	struct loop *loop = loop_new();
	struct channel *channel;
	struct err err = { 0 };
	char mine[64];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		assert_null(channel_open(loop, wrong[i], &secrets, &err));
		assert_int_equal(err.status, STATUS_CONFIG);
	}
	free_address("127.0.0.1", mine, sizeof(mine));
	channel = channel_open(loop, mine, &secrets, &err);
	assert_non_null(channel);
	assert_int_equal(channel_add_peer(channel, mine, &err), -EINVAL);
	assert_int_equal(channel_add_peer(channel, "[::1]:9470", &err), -EINVAL);
	assert_int_equal(channel_add_peer(channel, "0.0.0.0:9470", &err), -EINVAL);
	for (int i = 0; i < CHANNEL_PEERS_MAX; i++) {
		char peer[64];

		snprintf(peer, sizeof(peer), "127.9.0.%d:9470", i + 1);
		assert_int_equal(channel_add_peer(channel, peer, &err), i);
		assert_int_equal(channel_add_peer(channel, peer, &err), -EEXIST);
	}
	assert_int_equal(channel_add_peer(channel, "127.9.1.1:9470", &err), -E2BIG);
	channel_remove_peer(channel, 3);
	assert_int_equal(channel_add_peer(channel, "127.9.1.1:9470", &err), 3);
	channel_close(channel);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agents_talk_over_ipv4),
		cmocka_unit_test(agents_talk_over_ipv6),
		cmocka_unit_test(what_was_captured_is_worth_nothing_after_a_restart),
		cmocka_unit_test(addresses_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
