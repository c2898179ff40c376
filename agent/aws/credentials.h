/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Who the calls are made as: keys from the environment, from the container
 * credentials endpoint (ECS, EKS), or of the instance's role; fetched before
 * they expire. The first source that is there is the only one.
 */
#ifndef NATXDP_AWS_CREDENTIALS_H
#define NATXDP_AWS_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client.h"
#include "timer.h"

struct aws_http;

enum aws_credentials_limits {
	AWS_KEY_MAX = 128,
	AWS_SECRET_MAX = 128,
	AWS_TOKEN_MAX = 8192,		      /* AWS names no limit; seen are 0.5 to 2 KiB */
	AWS_REFRESH_EARLY_MS = 5 * 60 * 1000, /* new ones are there by then */
	AWS_REFRESH_LATE_MS = 60 * 1000,      /* from then on it is worth waiting for them */
};

struct aws_credentials {
	char key[AWS_KEY_MAX];
	char secret[AWS_SECRET_MAX];
	char token[AWS_TOKEN_MAX]; /* "": none */
	int64_t expires_ms;	   /* since 1970; 0: never */
};

/*
 * Reads the document of IMDS and of the container endpoint. Returns 0; -ENOENT
 * if it says that there are none; -EBADMSG if it is something else, or holds
 * what cannot be sent in a header. @credentials is untouched unless 0.
 */
int aws_credentials_parse(const char *text, size_t length, struct aws_credentials *credentials);

/* ISO 8601 in UTC, to milliseconds since 1970; 0 if it is none. */
int64_t aws_parse_time(const char *text);

/* What to do when a call wants credentials. Pure. */
struct aws_credentials_plan {
	bool use;  /* what is there */
	bool load; /* newer ones, meanwhile if use, else first */
};

struct aws_credentials_plan aws_credentials_plan(bool have, int64_t expires_ms, int64_t wall_ms,
						 bool may_load);

struct aws_provider;

/*
 * Called when a load has ended: with NULL, or with what went wrong; @usable
 * says if there are credentials all the same, from before.
 */
typedef void (*aws_provider_changed)(void *ctx, const char *problem, bool usable);

/* All must outlive it. NULL: out of memory. */
struct aws_provider *aws_provider_new(struct aws_timers *timers, struct aws_http *http,
				      struct aws_imds *imds, aws_provider_changed changed,
				      void *ctx);
void aws_provider_free(struct aws_provider *provider);

/* NULL: they are being loaded, and @changed will be called. */
const struct aws_credentials *aws_provider_get(struct aws_provider *provider);

/*
 * AWS said that those with @key have expired. Returns false if there will be
 * no others.
 */
bool aws_provider_expired(struct aws_provider *provider, const char *key);

#endif
