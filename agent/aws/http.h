/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One HTTP exchange at a time and place: the only code that knows libcurl.
 * Nobody else decides here: no retries, no meaning of answers.
 */
#ifndef NATXDP_AWS_HTTP_H
#define NATXDP_AWS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "timer.h"

enum aws_http_limits {
	AWS_HTTP_HEADERS_MAX = 8,
	AWS_HTTP_URL_MAX = 512,
};

struct aws_http;
struct aws_exchange;

/* Makes libcurl sign the request. */
struct aws_signing {
	const char *key;
	const char *secret;
	const char *region;
	const char *service;
};

/* Copied, but for the body. */
struct aws_http_request {
	const char *method; /* "GET", "POST", "PUT" */
	const char *url;
	const char *headers[AWS_HTTP_HEADERS_MAX]; /* "Name: value", NULL after the last */
	const char *body; /* NULL: none; must stay until the exchange ends */
	size_t body_length;
	const struct aws_signing *signing; /* NULL: not signed */
	uint32_t connect_ms;
	uint32_t timeout_ms; /* connecting included */
	size_t answer_max;
	bool direct; /* past any proxy */
	bool fresh;  /* over a new connection: see set_transport() */
};

struct aws_http_answer {
	/*
	 * 0: there is an answer, whole; -ETIMEDOUT; -ECONNREFUSED: no
	 * connection (no address, no route, no TLS); -EPIPE: it broke, or
	 * what came is not HTTP; -EMSGSIZE: too long; -ENOMEM
	 */
	int error;
	bool sent; /* the other side may have got the request */
	int status;
	const char *body; /* ends with 0 */
	size_t length;
	int64_t date_ms;	/* of the Date header; 0: none */
	int64_t retry_after_ms; /* 0: none */
	char error_type[96];	/* x-amzn-errortype */
	char request_id[64];
	char message[256]; /* for people, if error */
};

/* @answer is valid until the function returns. May start and cancel exchanges. */
typedef void (*aws_http_done)(void *ctx, const struct aws_http_answer *answer);

/* Both must outlive what is made. NULL: out of memory. */
struct aws_http *aws_http_new(struct aws_timers *timers, const char *ca_file);
/* Ends what is under way without calling anybody. NULL is fine. */
void aws_http_free(struct aws_http *http);

/* Does not call @done before it returns. NULL: out of memory. */
struct aws_exchange *aws_http_start(struct aws_http *http, const struct aws_http_request *request,
				    aws_http_done done, void *ctx);
void aws_http_cancel(struct aws_exchange *exchange);

void aws_http_ready(struct aws_http *http, int fd, uint32_t events);

/* Added to what time() says from now on; see clock.c. */
void aws_clock_correct(int64_t skew_ms);

#endif
