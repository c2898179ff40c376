/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The body of a request while it is written: grows up to a limit, and
 * remembers that it failed, so that writers need not check each step.
 */
#ifndef NATXDP_AWS_BODY_H
#define NATXDP_AWS_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;

/*
 * libcurl asks "Expect: 100-continue" and waits for the answer from 1 MiB on;
 * the limits of PutMetricData and PutLogEvents are 1 MB and 1 MiB.
 */
enum { AWS_BODY_MAX = 1024 * 1024 - 1 };

/* All zero is an empty body. */
struct aws_body {
	char *data; /* owned */
	size_t length;
	size_t room;
	int error; /* the first: -ENOMEM, -EMSGSIZE */
	bool gzip; /* data is compressed */
};

void aws_body_free(struct aws_body *body);

void aws_body_add(struct aws_body *body, const char *data, size_t length);
void aws_body_add_text(struct aws_body *body, const char *text);

/* Writes @length bytes as a JSON string with its quotes; bad UTF-8 becomes U+FFFD. */
void aws_body_add_json_string(struct aws_body *body, const char *text, size_t length);

/* Writes @object as text and deletes it; NULL counts as out of memory. */
void aws_body_add_json(struct aws_body *body, struct cJSON *object);

/* Compresses what was written so far. */
void aws_body_gzip(struct aws_body *body);

/*
 * Parameters of the Query protocols: &name=value, escaped. A value of NULL is
 * left out. @name is a format.
 */
void aws_form_add(struct aws_body *body, const char *value, const char *name, ...)
	__attribute__((format(printf, 3, 4)));
void aws_form_add_number(struct aws_body *body, double value, const char *name, ...)
	__attribute__((format(printf, 3, 4)));
void aws_form_add_bool(struct aws_body *body, bool value, const char *name, ...)
	__attribute__((format(printf, 3, 4)));

#endif
