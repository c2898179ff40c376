/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "session.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { WINDOW_WORDS = SESSION_WINDOW / 64 };

struct head {
	char magic[2];
	uint8_t version;
	uint8_t kind;
	uint32_t secret;
	uint64_t from, to, sequence; /* big endian */
};

_Static_assert(sizeof(struct head) == SESSION_HEAD, "head layout");

static const char magic[2] = { 'n', 'x' };

/* One direction of a session; a seal for each secret, made when it is needed. */
struct direction {
	struct seal_purpose purpose;
	struct seal *seal[SECRETS_MAX];
};

struct session {
	const struct secrets *secrets;
	uint8_t mine[18], theirs[18];
	uint64_t offer; /* for the next session */
	uint64_t hellos;
	bool open;
	struct direction in, out;
	uint64_t sequence; /* of the last one sent */
	uint64_t highest;  /* of those that came */
	uint64_t seen[WINDOW_WORDS];
};

static uint64_t new_tag(void)
{
	uint64_t tag = 0;

	while (!tag)
		if (getrandom(&tag, sizeof(tag), 0) != sizeof(tag))
			abort(); /* cannot be: small, and the pool is initialised */
	return tag;
}

static void forget_seals(struct direction *direction)
{
	for (int i = 0; i < SECRETS_MAX; i++) {
		seal_free(direction->seal[i]);
		direction->seal[i] = NULL;
	}
}

static struct seal *seal_of(struct session *session, struct direction *direction, int secret)
{
	struct seal **seal = &direction->seal[secret];

	if (!*seal)
		*seal = seal_new(session->secrets->secret[secret], &direction->purpose,
				 direction == &session->out);
	return *seal;
}

static void set_purpose(const struct session *session, struct seal_purpose *purpose, uint64_t from,
			uint64_t to, bool outward)
{
	purpose->from = from;
	purpose->to = to;
	purpose->reserved = 0;
	memcpy(purpose->from_addr, outward ? session->mine : session->theirs, 18);
	memcpy(purpose->to_addr, outward ? session->theirs : session->mine, 18);
}

struct session *session_new(const struct secrets *secrets, const uint8_t mine[18],
			    const uint8_t theirs[18])
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->secrets = secrets;
	memcpy(session->mine, mine, 18);
	memcpy(session->theirs, theirs, 18);
	session->offer = new_tag();
	return session;
}

void session_free(struct session *session)
{
	if (!session)
		return;
	forget_seals(&session->in);
	forget_seals(&session->out);
	free(session);
}

void session_rekey(struct session *session, const struct secrets *secrets)
{
	session->secrets = secrets;
	forget_seals(&session->in);
	forget_seals(&session->out);
}

bool session_is_open(const struct session *session)
{
	return session->open;
}

/* As RFC 6479: a ring of bits; those that the highest number moves over are cleared. */
static bool is_replay(const struct session *session, uint64_t sequence)
{
	if (!sequence)
		return true;
	if (sequence > session->highest)
		return false;
	if (session->highest - sequence >= SESSION_WINDOW - 64)
		return true;
	return session->seen[sequence / 64 % WINDOW_WORDS] >> (sequence % 64) & 1;
}

static void mark_seen(struct session *session, uint64_t sequence)
{
	uint64_t word = session->highest / 64, last = sequence / 64;

	if (sequence > session->highest) {
		if (last - word > WINDOW_WORDS)
			word = last - WINDOW_WORDS;
		while (word < last)
			session->seen[++word % WINDOW_WORDS] = 0;
		session->highest = sequence;
	}
	session->seen[last % WINDOW_WORDS] |= 1ull << (sequence % 64);
}

static int write_datagram(struct seal *seal, const struct head *head, const void *data, size_t len,
			  uint8_t *out)
{
	if (!seal)
		return -ENOMEM;
	memcpy(out, head, sizeof(*head));
	if (seal_close(seal, be64toh(head->sequence), head, sizeof(*head), data, len,
		       out + sizeof(*head)))
		return -EIO;
	return len + SESSION_OVERHEAD;
}

static struct head new_head(const struct session *session, enum channel_kind kind, uint64_t from,
			    uint64_t to, uint64_t sequence)
{
	struct head head = {
		.magic = { magic[0], magic[1] },
		.version = SESSION_VERSION,
		.kind = kind,
		.secret = session->secrets->id[0],
		.from = htobe64(from),
		.to = htobe64(to),
		.sequence = htobe64(sequence),
	};

	return head;
}

int session_answer(struct session *session, uint64_t to, uint8_t out[SESSION_DATAGRAM_MAX])
{
	struct head head = new_head(session, CHANNEL_HELLO, session->offer, to, ++session->hellos);
	struct seal_purpose purpose;
	struct seal *seal;
	int ret;

	set_purpose(session, &purpose, session->offer, to, true);
	seal = seal_new(session->secrets->secret[0], &purpose, true);
	ret = write_datagram(seal, &head, NULL, 0, out);
	seal_free(seal);
	return ret;
}

int session_hello(struct session *session, uint8_t out[SESSION_DATAGRAM_MAX])
{
	return session_answer(session, 0, out);
}

int session_seal(struct session *session, enum channel_kind kind, const void *data, size_t len,
		 uint8_t out[SESSION_DATAGRAM_MAX])
{
	struct head head;

	if (!session->open)
		return -ENOTCONN;
	if (len > SESSION_DATA_MAX)
		return -EMSGSIZE;
	head = new_head(session, kind, session->out.purpose.from, session->out.purpose.to,
			++session->sequence);
	return write_datagram(seal_of(session, &session->out, 0), &head, data, len, out);
}

/*
 * The tags are now those of a session. Numbers of what is sent go on after those of the
 * hellos, which were sealed under the same key.
 */
static void begin(struct session *session, uint64_t theirs)
{
	uint64_t mine = session->offer;

	forget_seals(&session->in);
	forget_seals(&session->out);
	set_purpose(session, &session->in.purpose, theirs, mine, false);
	set_purpose(session, &session->out.purpose, mine, theirs, true);
	session->open = true;
	session->sequence = session->hellos;
	session->highest = 0;
	memset(session->seen, 0, sizeof(session->seen));
	session->offer = new_tag();
}

static int open_with(struct seal *seal, const struct head *head, const uint8_t *bytes, size_t len,
		     uint8_t *out)
{
	if (!seal)
		return -ENOMEM;
	return seal_open(seal, be64toh(head->sequence), bytes, SESSION_HEAD, bytes + SESSION_HEAD,
			 len - SESSION_HEAD, out);
}

/* Not of the session that is open: a hello, or the first datagram of a new one. */
static enum session_verdict take_first(struct session *session, const struct head *head, int secret,
				       const uint8_t *bytes, size_t len,
				       struct session_datagram *datagram)
{
	uint64_t from = be64toh(head->from), to = be64toh(head->to);
	struct seal_purpose purpose;
	struct seal *seal;
	int ret;

	if (to ? to != session->offer : head->kind != CHANNEL_HELLO)
		return SESSION_STALE;
	set_purpose(session, &purpose, from, to, false);
	seal = seal_new(session->secrets->secret[secret], &purpose, false);
	ret = open_with(seal, head, bytes, len, datagram->data);
	seal_free(seal);
	if (ret < 0)
		return SESSION_FORGED;
	datagram->len = ret;
	if (!to) {
		datagram->answer_to = from;
		return SESSION_TAKEN;
	}
	begin(session, from);
	datagram->began = true;
	mark_seen(session, be64toh(head->sequence));
	return SESSION_TAKEN;
}

static enum session_verdict take_next(struct session *session, const struct head *head, int secret,
				      const uint8_t *bytes, size_t len,
				      struct session_datagram *datagram)
{
	uint64_t sequence = be64toh(head->sequence);
	int ret;

	if (is_replay(session, sequence))
		return SESSION_REPLAYED;
	ret = open_with(seal_of(session, &session->in, secret), head, bytes, len, datagram->data);
	if (ret < 0)
		return SESSION_FORGED;
	mark_seen(session, sequence);
	datagram->len = ret;
	return SESSION_TAKEN;
}

enum session_verdict session_take(struct session *session, const uint8_t *bytes, size_t len,
				  struct session_datagram *datagram)
{
	struct head head;
	int secret;

	datagram->began = false;
	datagram->answer_to = 0;
	if (len < SESSION_OVERHEAD || len > SESSION_DATAGRAM_MAX)
		return SESSION_MALFORMED;
	memcpy(&head, bytes, sizeof(head));
	if (memcmp(head.magic, magic, sizeof(magic)))
		return SESSION_MALFORMED;
	if (head.version != SESSION_VERSION)
		return SESSION_VERSION_OF;
	if (head.kind >= CHANNEL_KINDS || !head.from)
		return SESSION_MALFORMED;
	secret = secrets_find(session->secrets, head.secret);
	if (secret < 0)
		return SESSION_KEY_UNKNOWN;
	datagram->kind = head.kind;
	if (session->open && be64toh(head.from) == session->in.purpose.from &&
	    be64toh(head.to) == session->in.purpose.to)
		return take_next(session, &head, secret, bytes, len, datagram);
	return take_first(session, &head, secret, bytes, len, datagram);
}
