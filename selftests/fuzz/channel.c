/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What comes to the agent's socket from the network, and the text of a key
 * file. The first byte says what the rest is: keys; a datagram, as it is; or
 * one whose head is filled in, so that it comes as far as the seal.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "ha/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WHAT_KEYS, WHAT_BYTES, WHAT_SEALED, WHAT_KNOWN, WHATS };

static const uint8_t end_a[18] = { 1 }, end_b[18] = { 2 };
static struct secrets secrets;

static void shake_hands(struct session *a, struct session *b)
{
	uint8_t bytes[SESSION_DATAGRAM_MAX];
	static struct session_datagram datagram;

	session_take(b, bytes, session_hello(a, bytes), &datagram);
	session_take(a, bytes, session_answer(b, datagram.answer_to, bytes), &datagram);
	session_take(b, bytes, session_seal(a, CHANNEL_HELLO, NULL, 0, bytes), &datagram);
	if (!session_is_open(a) || !session_is_open(b))
		abort();
}

static void take(const uint8_t *data, size_t size, int what)
{
	struct session *a = session_new(&secrets, end_a, end_b);
	struct session *b = session_new(&secrets, end_b, end_a);
	static struct session_datagram datagram;
	uint8_t bytes[SESSION_DATAGRAM_MAX];
	enum session_verdict verdict;
	int len;

	shake_hands(a, b);
	len = size < sizeof(bytes) ? size : sizeof(bytes);
	if (what == WHAT_SEALED) { /* real, then changed by what the input says */
		len = session_seal(a, CHANNEL_SYNC, "data", 4, bytes);
		for (int i = 0; i < len && i < (int)size; i++)
			bytes[i] ^= data[i];
		verdict = session_take(b, bytes, len, &datagram);
		for (int i = 0; i < len && i < (int)size; i++) {
			if (data[i] && verdict == SESSION_TAKEN)
				abort(); /* a forgery */
		}
	} else {
		memcpy(bytes, data, len);
		if (what == WHAT_KNOWN && len >= SESSION_HEAD) {
			uint8_t real[SESSION_DATAGRAM_MAX];

			session_seal(a, CHANNEL_SYNC, NULL, 0, real);
			memcpy(bytes, real, 24); /* all but the sequence */
		}
		if (session_take(b, bytes, len, &datagram) == SESSION_TAKEN)
			abort();
	}
	session_free(a);
	session_free(b);
}

static void keys(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct secrets parsed;
	struct err err = { 0 };

	memcpy(text, data, size);
	text[size] = '\0';
	if (!secrets_parse(&parsed, text, "keys", &err) &&
	    (!parsed.count || parsed.count > SECRETS_MAX))
		abort();
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = { 0 };

	if (!secrets.count &&
	    secrets_parse(&secrets,
			  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "key",
			  &err))
		abort();
	if (!size)
		return 0;
	if (*data % WHATS == WHAT_KEYS)
		keys(data + 1, size - 1);
	else
		take(data + 1, size - 1, *data % WHATS);
	return 0;
}
