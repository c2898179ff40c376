/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Secrets and sessions of what agents send to each other: bytes in, bytes out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "err.h"
#include "ha/session.h"
#include "unit.h"

#define KEY_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define KEY_B "FF112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const uint8_t end_a[18] = { 1 }, end_b[18] = { 2 }, end_c[18] = { 3 };

static struct secrets secrets_of(const char *text)
{
	struct secrets secrets;
	struct err err = { 0 };

	assert_int_equal(secrets_parse(&secrets, text, "test", &err), 0);
	return secrets;
}

struct pair {
	struct secrets secrets;
	struct session *a, *b;
};

static struct pair new_pair(void)
{
	struct pair pair = { .secrets = secrets_of(KEY_A) };

	return pair;
}

static void open_ends(struct pair *pair)
{
	pair->a = session_new(&pair->secrets, end_a, end_b);
	pair->b = session_new(&pair->secrets, end_b, end_a);
	assert_non_null(pair->a);
	assert_non_null(pair->b);
}

static void free_pair(struct pair *pair)
{
	session_free(pair->a);
	session_free(pair->b);
}

/* One datagram, and what it causes, until nobody says anything more. */
static enum session_verdict deliver(struct session *to, struct session *from, const uint8_t *bytes,
				    int len, struct session_datagram *datagram)
{
	uint8_t answer[SESSION_DATAGRAM_MAX];
	struct session_datagram echo;
	enum session_verdict verdict;

	assert_true(len > 0);
	verdict = session_take(to, bytes, len, datagram);
	if (verdict != SESSION_TAKEN)
		return verdict;
	if (datagram->answer_to)
		deliver(from, to, answer, session_answer(to, datagram->answer_to, answer), &echo);
	if (datagram->began)
		deliver(from, to, answer, session_seal(to, CHANNEL_HELLO, NULL, 0, answer), &echo);
	return SESSION_TAKEN;
}

static void shake_hands(struct pair *pair)
{
	uint8_t hello[SESSION_DATAGRAM_MAX];
	struct session_datagram datagram;

	assert_int_equal(deliver(pair->b, pair->a, hello, session_hello(pair->a, hello), &datagram),
			 SESSION_TAKEN);
	assert_true(session_is_open(pair->a));
	assert_true(session_is_open(pair->b));
}

static int say(struct session *from, const char *text, uint8_t *bytes)
{
	return session_seal(from, CHANNEL_SYNC, text, strlen(text), bytes);
}

static void assert_hears(struct pair *pair, bool a_speaks, const char *text)
{
	struct session *from = a_speaks ? pair->a : pair->b, *to = a_speaks ? pair->b : pair->a;
	uint8_t bytes[SESSION_DATAGRAM_MAX];
	struct session_datagram datagram;

	assert_int_equal(deliver(to, from, bytes, say(from, text, bytes), &datagram),
			 SESSION_TAKEN);
	assert_int_equal(datagram.kind, CHANNEL_SYNC);
	assert_int_equal(datagram.len, strlen(text));
	assert_memory_equal(datagram.data, text, strlen(text));
}

static void three_hellos_open_both_ends(void **state)
{
	struct pair pair = new_pair();
	uint8_t bytes[SESSION_DATAGRAM_MAX];

	(void)state;
	open_ends(&pair);
	assert_int_equal(say(pair.a, "early", bytes), -ENOTCONN);
	shake_hands(&pair);
	assert_hears(&pair, true, "from a");
	assert_hears(&pair, false, "from b");
	assert_hears(&pair, true, "");
	free_pair(&pair);
}

static void sessions_open_whatever_hello_is_lost(void **state)
{
	struct pair pair = new_pair();

	(void)state;
	srand(7);
	for (int run = 0; run < 200; run++) {
		uint8_t bytes[SESSION_DATAGRAM_MAX], next[SESSION_DATAGRAM_MAX];
		struct session_datagram datagram;
		int tries;

		open_ends(&pair);
		/* each end greets while it has no session; half of all is lost */
		for (tries = 0; tries < 200; tries++) {
			struct session *from = tries & 1 ? pair.a : pair.b;
			struct session *to = tries & 1 ? pair.b : pair.a, *swap;
			int len;

			if (session_is_open(pair.a) && session_is_open(pair.b))
				break;
			len = session_is_open(from) ? say(from, "x", bytes) :
						      session_hello(from, bytes);
			while (len > 0 && rand() & 1) {
				if (session_take(to, bytes, len, &datagram))
					break;
				len = 0;
				if (datagram.answer_to)
					len = session_answer(to, datagram.answer_to, next);
				else if (datagram.began)
					len = session_seal(to, CHANNEL_HELLO, NULL, 0, next);
				memcpy(bytes, next, sizeof(bytes));
				swap = from;
				from = to;
				to = swap;
			}
		}
		assert_true(tries < 200);
		/* and they agree on which session it is, at the latest after a word each */
		if (session_take(pair.b, bytes, say(pair.a, "1", bytes), &datagram) ||
		    session_take(pair.a, bytes, say(pair.b, "2", bytes), &datagram))
			shake_hands(&pair);
		assert_hears(&pair, true, "a");
		assert_hears(&pair, false, "b");
		free_pair(&pair);
	}
}

static void a_copy_is_refused_and_order_is_free(void **state)
{
	static uint8_t sent[SESSION_WINDOW * 2][128];
	struct session_datagram datagram;
	struct pair pair = new_pair();
	int len = 0;

	(void)state;
	open_ends(&pair);
	shake_hands(&pair);
	for (int i = 0; i < SESSION_WINDOW * 2; i++) {
		uint8_t bytes[SESSION_DATAGRAM_MAX];

		len = session_seal(pair.a, CHANNEL_HEARTBEAT, &i, sizeof(i), bytes);
		memcpy(sent[i], bytes, len);
	}
	for (int i = 999; i >= 0; i--) /* backwards */
		assert_int_equal(session_take(pair.b, sent[i], len, &datagram), SESSION_TAKEN);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(session_take(pair.b, sent[i], len, &datagram), SESSION_REPLAYED);
	for (int i = SESSION_WINDOW * 2 - 1; i >= SESSION_WINDOW * 2 - 1000; i--)
		assert_int_equal(session_take(pair.b, sent[i], len, &datagram), SESSION_TAKEN);
	/* never seen, but too old to know that */
	assert_int_equal(session_take(pair.b, sent[1001], len, &datagram), SESSION_REPLAYED);
	free_pair(&pair);
}

static void a_changed_bit_is_a_forgery(void **state)
{
	struct session_datagram datagram;
	uint8_t bytes[SESSION_DATAGRAM_MAX];
	struct pair pair = new_pair();
	int len;

	(void)state;
	open_ends(&pair);
	shake_hands(&pair);
	len = say(pair.a, "pay 1 to a", bytes);
	for (int bit = 0; bit < len * 8; bit++) {
		bytes[bit / 8] ^= 1 << bit % 8;
		assert_int_not_equal(session_take(pair.b, bytes, len, &datagram), SESSION_TAKEN);
		bytes[bit / 8] ^= 1 << bit % 8;
	}
	for (int shorter = 0; shorter < len; shorter++)
		assert_int_not_equal(session_take(pair.b, bytes, shorter, &datagram),
				     SESSION_TAKEN);
	assert_int_equal(session_take(pair.b, bytes, len, &datagram), SESSION_TAKEN);
	assert_int_equal(session_take(pair.a, bytes, len, &datagram), SESSION_STALE);
	free_pair(&pair);
}

/* All that was ever recorded on the wire, against ends that have restarted. */
static void nothing_recorded_opens_a_session(void **state)
{
	uint8_t sent[6][SESSION_DATAGRAM_MAX];
	struct session_datagram datagram;
	struct pair pair = new_pair();
	struct session *old;
	int len[6];

	(void)state;
	open_ends(&pair);
	len[0] = session_hello(pair.a, sent[0]);
	assert_int_equal(session_take(pair.b, sent[0], len[0], &datagram), SESSION_TAKEN);
	len[1] = session_answer(pair.b, datagram.answer_to, sent[1]);
	assert_int_equal(session_take(pair.a, sent[1], len[1], &datagram), SESSION_TAKEN);
	assert_true(datagram.began);
	len[2] = session_seal(pair.a, CHANNEL_HELLO, NULL, 0, sent[2]);
	len[3] = say(pair.a, "old", sent[3]);
	assert_int_equal(session_take(pair.b, sent[2], len[2], &datagram), SESSION_TAKEN);
	assert_int_equal(session_take(pair.b, sent[3], len[3], &datagram), SESSION_TAKEN);
	/* b restarts: the first hello makes it answer, and nothing comes of that */
	old = pair.b;
	pair.b = session_new(&pair.secrets, end_b, end_a);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 4; i++) {
			enum session_verdict verdict = session_take(pair.b, sent[i], len[i],
								    &datagram);

			assert_false(session_is_open(pair.b));
			assert_int_equal(verdict, i ? SESSION_STALE : SESSION_TAKEN);
		}
	}
	session_free(old);
	/* a restarts: b has a session with the new one, and the old one's do not take it away */
	old = pair.a;
	pair.a = session_new(&pair.secrets, end_a, end_b);
	shake_hands(&pair);
	for (int i = 1; i < 4; i++)
		assert_int_equal(session_take(pair.b, sent[i], len[i], &datagram), SESSION_STALE);
	session_take(pair.b, sent[0], len[0], &datagram);
	assert_hears(&pair, true, "still here");
	session_free(old);
	free_pair(&pair);
}

/* Two ends that restart, on a network that loses, keeps, copies and reflects what it likes. */
enum { STEPS = 6000, CAPTURED_MAX = 3 * STEPS };

struct network {
	struct secrets secrets;
	struct session *end[2];
	int life[2];
	unsigned int seed;
	int count, data;
	struct captured {
		uint8_t bytes[SESSION_OVERHEAD + sizeof(int)];
		int len, from;
		int to_life; /* of the end that it is for */
		bool taken;
	} sent[CAPTURED_MAX];
};

static unsigned int draw(struct network *net, unsigned int below)
{
	return rand_r(&net->seed) % below;
}

static void pass(struct network *net, int number, int to);

/* What is sent is recorded, and mostly comes at once. */
static void transmit(struct network *net, int from, const uint8_t *bytes, int len)
{
	struct captured *captured = &net->sent[net->count];

	if (len == -ENOTCONN)
		return;
	assert_in_range(len, SESSION_OVERHEAD, sizeof(captured->bytes));
	assert_in_range(net->count, 0, CAPTURED_MAX - 1);
	*captured = (struct captured){ .len = len, .from = from, .to_life = net->life[!from] };
	memcpy(captured->bytes, bytes, len);
	net->count++;
	if (draw(net, 10) < 7)
		pass(net, net->count - 1, !from);
}

static void pass(struct network *net, int number, int to)
{
	static const uint8_t nobody[8];
	struct captured *captured = &net->sent[number];
	bool first = !memcmp(captured->bytes + 16, nobody, sizeof(nobody));
	uint8_t bytes[SESSION_DATAGRAM_MAX];
	struct session_datagram datagram;

	if (session_take(net->end[to], captured->bytes, captured->len, &datagram) != SESSION_TAKEN)
		return;
	assert_int_not_equal(to, captured->from);
	if (first) { /* asks for an answer, and is worth nothing else, however often it comes */
		assert_true(datagram.answer_to && !datagram.began && !datagram.len);
	} else { /* once, and by the life that it was meant for */
		assert_false(captured->taken);
		assert_int_equal(captured->to_life, net->life[to]);
		captured->taken = true;
	}
	if (datagram.kind == CHANNEL_SYNC) {
		assert_memory_equal(datagram.data, &number, sizeof(number));
		net->data++;
	}
	if (datagram.answer_to)
		transmit(net, to, bytes, session_answer(net->end[to], datagram.answer_to, bytes));
	if (datagram.began)
		transmit(net, to, bytes, session_seal(net->end[to], CHANNEL_HELLO, NULL, 0, bytes));
}

static void restart(struct network *net, int end)
{
	session_free(net->end[end]);
	net->end[end] = session_new(&net->secrets, end ? end_b : end_a, end ? end_a : end_b);
	net->life[end]++;
}

static void a_datagram_is_taken_once_whoever_restarts(void **state)
{
	static struct network net;
	uint8_t bytes[SESSION_DATAGRAM_MAX];

	(void)state;
	net = (struct network){ .secrets = secrets_of(KEY_A "\n" KEY_B), .seed = 20261129 };
	restart(&net, 0);
	restart(&net, 1);
	for (int step = 0; step < STEPS; step++) {
		int end = draw(&net, 2);
		unsigned int what = draw(&net, 100);

		if (what < 2)
			restart(&net, end);
		else if (what < 3)
			session_rekey(net.end[end], &net.secrets);
		else if (what < 15)
			transmit(&net, end, bytes, session_hello(net.end[end], bytes));
		else if (what < 40)
			transmit(&net, end, bytes,
				 session_seal(net.end[end], CHANNEL_SYNC, &net.count,
					      sizeof(net.count), bytes));
		else if (net.count)
			pass(&net, draw(&net, net.count), end);
	}
	assert_true(net.data > 500 && net.life[0] > 20 && net.life[1] > 20);
	/* secret, tags and sequence: all that key and nonce are made of, beside the addresses */
	for (int i = 0; i < net.count; i++) {
		for (int j = i + 1; j < net.count; j++)
			assert_false(net.sent[i].from == net.sent[j].from &&
				     !memcmp(net.sent[i].bytes + 4, net.sent[j].bytes + 4, 28));
	}
	session_free(net.end[0]);
	session_free(net.end[1]);
}

static void a_datagram_is_for_one_peer(void **state)
{
	struct secrets secrets = secrets_of(KEY_A);
	struct session *a = session_new(&secrets, end_a, end_b);
	struct session *c = session_new(&secrets, end_c, end_a);
	uint8_t hello[SESSION_DATAGRAM_MAX];
	struct session_datagram datagram;
	int len = session_hello(a, hello);

	(void)state;
	/* sent to b, and carried to c */
	assert_int_equal(session_take(c, hello, len, &datagram), SESSION_FORGED);
	session_free(a);
	session_free(c);
}

static void a_new_key_comes_without_a_break(void **state)
{
	struct secrets both = secrets_of(KEY_A "\n" KEY_B), turned = secrets_of(KEY_B "\n" KEY_A);
	struct secrets last = secrets_of("# comment\n\n" KEY_B "\n");
	struct session_datagram datagram;
	uint8_t bytes[SESSION_DATAGRAM_MAX];
	struct pair pair = new_pair();
	int len;

	(void)state;
	open_ends(&pair);
	shake_hands(&pair);
	session_rekey(pair.a, &both);
	assert_hears(&pair, true, "1");
	session_rekey(pair.b, &both);
	assert_hears(&pair, false, "2");
	session_rekey(pair.a, &turned);
	assert_hears(&pair, true, "3");
	session_rekey(pair.b, &turned);
	len = say(pair.b, "4", bytes);
	session_rekey(pair.a, &last);
	assert_int_equal(session_take(pair.a, bytes, len, &datagram), SESSION_TAKEN);
	assert_hears(&pair, true, "5");
	session_rekey(pair.b, &pair.secrets); /* one that was left behind */
	len = say(pair.b, "6", bytes);
	assert_int_equal(session_take(pair.a, bytes, len, &datagram), SESSION_KEY_UNKNOWN);
	free_pair(&pair);
}

static void what_is_no_datagram_says_so(void **state)
{
	struct session_datagram datagram;
	uint8_t bytes[SESSION_DATAGRAM_MAX];
	struct pair pair = new_pair();
	int len;

	(void)state;
	open_ends(&pair);
	shake_hands(&pair);
	len = say(pair.a, "x", bytes);
	bytes[2] = SESSION_VERSION + 1;
	assert_int_equal(session_take(pair.b, bytes, len, &datagram), SESSION_VERSION_OF);
	bytes[0] = 'N';
	assert_int_equal(session_take(pair.b, bytes, len, &datagram), SESSION_MALFORMED);
	len = session_seal(pair.a, CHANNEL_SYNC, bytes, SESSION_DATA_MAX + 1, bytes);
	assert_int_equal(len, -EMSGSIZE);
	len = session_seal(pair.a, CHANNEL_KINDS, "x", 1, bytes);
	assert_int_equal(session_take(pair.b, bytes, len, &datagram), SESSION_MALFORMED);
	free_pair(&pair);
}

static void keys_are_read_or_refused(void **state)
{
	char path[] = "/tmp/natxdp-key-XXXXXX";
	static const char *const wrong[] = {
		"",	   "# only\n",	     "123",
		KEY_A "0", KEY_A "\n" KEY_A, KEY_A "\n" KEY_B "\n" KEY_B,
		"g" KEY_A
	};
	int fd = mkstemp(path);
	struct secrets secrets;
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		err.text[0] = '\0';
		assert_true(secrets_parse(&secrets, wrong[i], "key", &err) < 0);
		assert_non_null(strstr(err.text, "key: "));
		assert_null(strstr(err.text, "112233")); /* an error shows no key */
	}
	assert_int_equal(write(fd, KEY_A "\r\n" KEY_B, 2 * 64 + 2), 2 * 64 + 2);
	fchmod(fd, 0644);
	assert_int_equal(secrets_read(&secrets, path, &err), -EACCES);
	assert_non_null(strstr(err.text, "chmod"));
	fchmod(fd, 0640);
	assert_int_equal(secrets_read(&secrets, path, &err), 0);
	assert_int_equal(secrets.count, 2);
	assert_int_equal(secrets_find(&secrets, secrets.id[1]), 1);
	assert_int_equal(secrets_find(&secrets, secrets.id[0] ^ 1), -1);
	unlink(path);
	close(fd);
	assert_int_equal(secrets_read(&secrets, path, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_hellos_open_both_ends),
		cmocka_unit_test(sessions_open_whatever_hello_is_lost),
		cmocka_unit_test(a_copy_is_refused_and_order_is_free),
		cmocka_unit_test(a_changed_bit_is_a_forgery),
		cmocka_unit_test(nothing_recorded_opens_a_session),
		cmocka_unit_test(a_datagram_is_taken_once_whoever_restarts),
		cmocka_unit_test(a_datagram_is_for_one_peer),
		cmocka_unit_test(a_new_key_comes_without_a_break),
		cmocka_unit_test(what_is_no_datagram_says_so),
		cmocka_unit_test(keys_are_read_or_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
