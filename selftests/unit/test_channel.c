/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Two agents' channels over loopback. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "err.h"
#include "ha/channel.h"
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
		cmocka_unit_test(addresses_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
