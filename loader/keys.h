/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A table of keys over a struct: it reads `key = value` files into the struct,
 * checks them, and prints them. natxdp and natxdpd each have such a table.
 */
#ifndef NATXDP_KEYS_H
#define NATXDP_KEYS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct err;
struct value_kind;

struct setting {
	const char *key;
	const struct value_kind *kind;
	size_t offset;
	const char *initial;
	const char *help;
};

enum { KEYS_MAX = 64 };

struct keys {
	const struct setting *table; /* ends with an entry whose key is NULL */
	void *fields;
	size_t size;	    /* of what @fields is in */
	uint64_t *given;    /* in @fields: bits by index in @table, set by somebody, no default */
	const char *manual; /* where the keys are explained */
};

const struct setting *keys_find(const struct setting *table, const char *key);

/* Fills all of @keys->fields with 0 and then with the defaults. */
void keys_init(const struct keys *keys);

/* @source says in an error where the value came from: "FILE:LINE", "command line". */
int keys_set(const struct keys *keys, const struct setting *setting, const char *text,
	     const char *source, struct err *err);

/*
 * Reads a file over what is there. With @only, every other key is skipped
 * unread, so that a command which needs one value works whatever the state
 * of the rest. On failure the fields are unchanged.
 */
int keys_read(const struct keys *keys, const char *path, const char *only, struct err *err);

/* The printed form reads back the same. */
void keys_print(const struct keys *keys, FILE *out);

#endif
