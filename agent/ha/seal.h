/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What is sent between agents is sealed: encrypted and authenticated by
 * AES-256-GCM under a key that is derived (HKDF-SHA256) from the shared secret for
 * one direction of one session, so that a sequence number is a nonce that
 * never comes twice.
 */
#ifndef NATXDP_AGENT_HA_SEAL_H
#define NATXDP_AGENT_HA_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum {
	SECRET_SIZE = 32,
	SECRETS_MAX = 2, /* one to seal with, and the one before or after it */
	SEAL_TAG = 16,
};

/* The first seals; all are accepted. */
struct secrets {
	uint8_t secret[SECRETS_MAX][SECRET_SIZE];
	uint32_t id[SECRETS_MAX]; /* a fingerprint, which tells nothing of the secret */
	unsigned int count;
};

/*
 * One or two lines of 64 hexadecimal digits, as 'openssl rand -hex 32' prints;
 * empty lines and lines that begin with # do not count. @name says in an
 * error where the text is from. Returns 0 or -errno with @err written.
 */
int secrets_parse(struct secrets *secrets, const char *text, const char *name, struct err *err);

/* The same from a file, which nobody but its owner and group may read. */
int secrets_read(struct secrets *secrets, const char *path, struct err *err);

void secrets_forget(struct secrets *secrets);

/* The index of the secret with this fingerprint, or -1. */
int secrets_find(const struct secrets *secrets, uint32_t id);

/* What a key is derived for; all of it is known to both ends. */
struct seal_purpose {
	uint64_t from, to; /* tags of the session */
	uint8_t from_addr[18], to_addr[18];
	uint32_t reserved; /* 0: no bytes of chance in it */
};

struct seal;

/* NULL without memory. */
struct seal *seal_new(const uint8_t *secret, const struct seal_purpose *purpose, bool sealing);
void seal_free(struct seal *seal);

/*
 * @head is authenticated, @len bytes are encrypted, the tag follows them in
 * @out. Returns 0 or -EIO.
 */
int seal_close(struct seal *seal, uint64_t sequence, const void *head, size_t head_len,
	       const void *data, size_t len, uint8_t *out);

/* @len with the tag. Returns the length without it, or -EBADMSG. */
int seal_open(struct seal *seal, uint64_t sequence, const void *head, size_t head_len,
	      const uint8_t *sealed, size_t len, uint8_t *out);

#endif
