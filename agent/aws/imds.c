/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "imds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"
#include "http.h"
#include "retry.h"
#include "timer.h"

enum {
	READS_MAX = 16,
	BUDGET_MS = 5000,
	CONNECT_MS = 1000,
	ATTEMPT_MS = 2000,
	BACKOFF_MS = 50,
	BACKOFF_MAX_MS = 1000,
	TOKEN_TTL_S = 21600, /* the longest that there is */
	TOKEN_SPARE_S = 300, /* a new one this long before the old one ends */
	TOKEN_MAX = 256,
	PATH_MAX_LENGTH = 192,
	ENDPOINT_MAX = 256,
};

struct read {
	struct read *next;
	struct aws_imds *imds;
	int64_t number;
	int64_t deadline_ms;
	unsigned int retries;
	bool getting_token; /* what the exchange is for */
	bool refused;	    /* its token, once */
	char path[PATH_MAX_LENGTH];
	struct aws_exchange *exchange;
	struct aws_timer timer;
	aws_imds_done done;
	void *ctx;
};

struct aws_imds {
	struct aws_timers *timers;
	struct aws_http *http;
	bool off;
	char endpoint[ENDPOINT_MAX];
	char token[TOKEN_MAX]; /* "": none */
	int64_t token_until_ms;
	struct read *reads;
	unsigned int count;
	int64_t last_number;
};

static void go_on(void *owner);

static void drop(struct read *read)
{
	struct aws_imds *imds = read->imds;
	struct read **place = &imds->reads;

	while (*place != read)
		place = &(*place)->next;
	*place = read->next;
	imds->count--;
	aws_timer_stop(imds->timers, &read->timer);
	free(read);
}

static void finish(struct read *read, const struct aws_document *document)
{
	aws_imds_done done = read->done;
	void *ctx = read->ctx;

	read->exchange = NULL;
	drop(read);
	done(ctx, document);
}

static void give_up(struct read *read, enum aws_fault fault, int status, const char *why)
{
	struct aws_document document = { .fault = fault, .status = status };

	snprintf(document.message, sizeof(document.message), "instance metadata %s: %s", read->path,
		 why);
	finish(read, &document);
}

static void retry(struct read *read, enum aws_fault fault, int status, const char *why)
{
	struct aws_timers *timers = read->imds->timers;
	int64_t delay = aws_random_upto(timers, aws_backoff_ms(read->retries++, AWS_UNREACHABLE,
							       BACKOFF_MS, BACKOFF_MAX_MS));

	if (aws_now_ms(timers) + delay >= read->deadline_ms)
		give_up(read, fault, status, why);
	else
		aws_timer_start(timers, &read->timer, delay, go_on, read);
}

/* True if @answer ended the try, well or not. */
static bool failed(struct read *read, const struct aws_http_answer *answer)
{
	char why[64];

	if (answer->error) {
		retry(read, answer->error == -ETIMEDOUT ? AWS_TIMED_OUT : AWS_UNREACHABLE,
		      answer->status, answer->message);
		return true;
	}
	if (answer->status < 500 && answer->status != 429)
		return false;
	snprintf(why, sizeof(why), "status %d", answer->status);
	retry(read, AWS_UNAVAILABLE, answer->status, why);
	return true;
}

static bool is_header_value(const char *text)
{
	for (; *text; text++) {
		if (*text <= ' ' || *text > '~')
			return false;
	}
	return true;
}

static void on_token(struct read *read, const struct aws_http_answer *answer)
{
	struct aws_imds *imds = read->imds;

	if (answer->status != 200) {
		/* 403: switched off for the instance; 404: only version 1 there */
		give_up(read, AWS_REFUSED, answer->status,
			"no session token (is IMDSv2 enabled, with enough hops?)");
		return;
	}
	if (!answer->length || answer->length >= TOKEN_MAX || !is_header_value(answer->body)) {
		give_up(read, AWS_BAD_ANSWER, answer->status, "the session token is none");
		return;
	}
	snprintf(imds->token, sizeof(imds->token), "%s", answer->body);
	imds->token_until_ms = aws_now_ms(imds->timers) + (TOKEN_TTL_S - TOKEN_SPARE_S) * 1000LL;
	go_on(read);
}

static void on_document(struct read *read, const struct aws_http_answer *answer)
{
	struct aws_document document = { .status = answer->status };

	if (answer->status == 401 && !read->refused) {
		/* a token ends when the instance is stopped, too */
		read->refused = true;
		read->imds->token[0] = 0;
		go_on(read);
		return;
	}
	if (answer->status == 200) {
		document.text = answer->body;
		document.length = answer->length;
	} else if (answer->status != 404) {
		give_up(read, AWS_REFUSED, answer->status, "refused");
		return;
	}
	finish(read, &document);
}

static void on_answer(void *ctx, const struct aws_http_answer *answer)
{
	struct read *read = ctx;

	read->exchange = NULL;
	if (failed(read, answer))
		return;
	if (read->getting_token)
		on_token(read, answer);
	else
		on_document(read, answer);
}

/* Gets the token if there is none, else the document. */
static void go_on(void *owner)
{
	struct read *read = owner;
	struct aws_imds *imds = read->imds;
	int64_t left = read->deadline_ms - aws_now_ms(imds->timers);
	char url[AWS_HTTP_URL_MAX], header[TOKEN_MAX + 64];
	struct aws_http_request request = {
		.url = url,
		.headers = { header },
		.connect_ms = CONNECT_MS,
		.timeout_ms = (uint32_t)(left < ATTEMPT_MS ? left : ATTEMPT_MS),
		.answer_max = AWS_IMDS_DOCUMENT_MAX,
		.direct = true,
	};

	if (left <= 0) {
		give_up(read, AWS_TIMED_OUT, 0, "no answer in time");
		return;
	}
	if (imds->token[0] && aws_now_ms(imds->timers) >= imds->token_until_ms)
		imds->token[0] = 0;
	read->getting_token = !imds->token[0];
	if (read->getting_token) {
		request.method = "PUT";
		snprintf(url, sizeof(url), "%slatest/api/token", imds->endpoint);
		snprintf(header, sizeof(header), "X-aws-ec2-metadata-token-ttl-seconds: %d",
			 TOKEN_TTL_S);
	} else {
		request.method = "GET";
		snprintf(url, sizeof(url), "%.*s%s", (int)strlen(imds->endpoint) - 1,
			 imds->endpoint, read->path);
		snprintf(header, sizeof(header), "X-aws-ec2-metadata-token: %s", imds->token);
	}
	read->exchange = aws_http_start(imds->http, &request, on_answer, read);
	if (!read->exchange)
		retry(read, AWS_UNREACHABLE, 0, "out of memory");
}

int64_t aws_imds_get(struct aws_imds *imds, const char *path, uint32_t budget_ms,
		     aws_imds_done done, void *ctx)
{
	struct read *read;

	if (imds->off)
		return -ENOTSUP;
	if (imds->count == READS_MAX)
		return -EAGAIN;
	if (path[0] != '/' || strlen(path) >= PATH_MAX_LENGTH || !is_header_value(path))
		return -EINVAL;
	read = calloc(1, sizeof(*read));
	if (!read)
		return -ENOMEM;
	read->imds = imds;
	read->number = ++imds->last_number;
	read->deadline_ms = aws_now_ms(imds->timers) + (budget_ms ? budget_ms : BUDGET_MS);
	snprintf(read->path, sizeof(read->path), "%s", path);
	read->done = done;
	read->ctx = ctx;
	read->next = imds->reads;
	imds->reads = read;
	imds->count++;
	aws_timer_start(imds->timers, &read->timer, 0, go_on, read);
	return read->number;
}

static void cancel(struct read *read)
{
	if (read->exchange)
		aws_http_cancel(read->exchange);
	drop(read);
}

void aws_imds_cancel(struct aws_imds *imds, int64_t number)
{
	struct read *read = imds->reads;

	while (read && read->number != number)
		read = read->next;
	if (read)
		cancel(read);
}

struct aws_imds *aws_imds_new(struct aws_timers *timers, struct aws_http *http,
			      const char *endpoint, bool off)
{
	struct aws_imds *imds = calloc(1, sizeof(*imds));

	if (!imds)
		return NULL;
	imds->timers = timers;
	imds->http = http;
	imds->off = off;
	if (aws_endpoint_override(endpoint, imds->endpoint, sizeof(imds->endpoint)))
		imds->off = true;
	return imds;
}

void aws_imds_free(struct aws_imds *imds)
{
	if (!imds)
		return;
	while (imds->reads)
		cancel(imds->reads);
	free(imds);
}
