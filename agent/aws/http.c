/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

enum {
	CONNECTIONS_MAX = 16, /* kept open, idle ones included */
	IDLE_MAX_S = 20,      /* below the idle timeouts of the services' load balancers */
	HEADER_VALUE_MAX = 128,
};

struct aws_http {
	struct aws_timers *timers;
	struct aws_timer timer; /* what libcurl waits for */
	char *ca_file;
	CURLM *multi;
	struct aws_exchange *first;
};

struct aws_exchange {
	struct aws_exchange *next, **link;
	struct aws_http *http;
	CURL *easy;
	struct curl_slist *headers;
	aws_http_done done;
	void *ctx;
	size_t answer_max;
	char *body;
	size_t room;
	bool too_long;
	struct aws_http_answer answer;
	char error[CURL_ERROR_SIZE];
};

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *unused)
{
	struct aws_http *http = ctx;
	const struct aws_loop *loop = &http->timers->loop;
	uint32_t events = 0;

	(void)easy;
	(void)unused;
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= EPOLLIN;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= EPOLLOUT;
	/* If that fails the exchange times out: libcurl would give up all of them. */
	loop->watch(loop->ctx, fd, events);
	return 0;
}

static void end(struct aws_exchange *exchange)
{
	*exchange->link = exchange->next;
	if (exchange->next)
		exchange->next->link = exchange->link;
	curl_multi_remove_handle(exchange->http->multi, exchange->easy);
	curl_easy_cleanup(exchange->easy);
	curl_slist_free_all(exchange->headers);
	free(exchange->body);
	free(exchange);
}

static int error_of(const struct aws_exchange *exchange, CURLcode code)
{
	if (exchange->too_long)
		return -EMSGSIZE;
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
		return -ECONNREFUSED;
	default:
		return -EPIPE;
	}
}

static void finish(struct aws_exchange *exchange, CURLcode code)
{
	struct aws_http_answer *answer = &exchange->answer;
	long status = 0, sent = 0;

	curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(exchange->easy, CURLINFO_REQUEST_SIZE, &sent);
	answer->status = (int)status;
	answer->sent = sent > 0;
	answer->error = error_of(exchange, code);
	answer->body = exchange->body ? exchange->body : "";
	if (answer->error == -EMSGSIZE)
		snprintf(answer->message, sizeof(answer->message),
			 "the answer has more than %zu bytes", exchange->answer_max);
	else if (answer->error)
		snprintf(answer->message, sizeof(answer->message), "%s",
			 exchange->error[0] ? exchange->error : curl_easy_strerror(code));
	exchange->done(exchange->ctx, answer);
	end(exchange);
}

/* No function of libcurl is running here, so that callbacks may call all of ours. */
static void collect(struct aws_http *http)
{
	struct aws_exchange *exchange;
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&exchange);
		finish(exchange, message->data.result);
	}
}

static void on_time(void *owner)
{
	struct aws_http *http = owner;
	int running;

	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(http);
}

void aws_http_ready(struct aws_http *http, int fd, uint32_t events)
{
	int running, what = 0;

	if (events & EPOLLIN)
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		what |= CURL_CSELECT_ERR;
	curl_multi_socket_action(http->multi, fd, what, &running);
	collect(http);
}

static int on_timer(CURLM *multi, long delay_ms, void *ctx)
{
	struct aws_http *http = ctx;

	(void)multi;
	if (delay_ms < 0)
		aws_timer_stop(http->timers, &http->timer);
	else
		aws_timer_start(http->timers, &http->timer, delay_ms, on_time, http);
	return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx)
{
	struct aws_exchange *exchange = ctx;
	size_t length = size * count, needed = exchange->answer.length + length + 1;

	if (needed > exchange->answer_max + 1) {
		exchange->too_long = true;
		return 0;
	}
	if (needed > exchange->room) {
		size_t room = needed * 2;
		char *grown = realloc(exchange->body, room);

		if (!grown)
			return 0;
		exchange->body = grown;
		exchange->room = room;
	}
	memcpy(exchange->body + exchange->answer.length, data, length);
	exchange->answer.length += length;
	exchange->body[exchange->answer.length] = 0;
	return length;
}

/* Copies the value of the header @name; false if @line is another one. */
static bool header_value(const char *line, size_t length, const char *name, char *value,
			 size_t size)
{
	size_t skip = strlen(name);

	if (length <= skip || strncasecmp(line, name, skip) != 0 || line[skip] != ':')
		return false;
	line += skip + 1;
	length -= skip + 1;
	while (length && (*line == ' ' || *line == '\t')) {
		line++;
		length--;
	}
	while (length && (line[length - 1] == '\r' || line[length - 1] == '\n'))
		length--;
	snprintf(value, size, "%.*s", (int)length, line);
	return true;
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
	struct aws_exchange *exchange = ctx;
	struct aws_http_answer *answer = &exchange->answer;
	size_t length = size * count;
	char value[HEADER_VALUE_MAX];

	if (header_value(line, length, "date", value, sizeof(value))) {
		time_t date = curl_getdate(value, NULL);

		answer->date_ms = date > 0 ? (int64_t)date * 1000 : 0;
	} else if (header_value(line, length, "retry-after", value, sizeof(value))) {
		long seconds = strtol(value, NULL, 10);

		answer->retry_after_ms = seconds > 0 && seconds < 86400 ? seconds * 1000 : 0;
	} else if (header_value(line, length, "x-amzn-errortype", value, sizeof(value))) {
		snprintf(answer->error_type, sizeof(answer->error_type), "%.*s",
			 (int)sizeof(answer->error_type) - 1, value);
	} else if (header_value(line, length, "x-amzn-requestid", value, sizeof(value)) ||
		   header_value(line, length, "x-amz-request-id", value, sizeof(value))) {
		snprintf(answer->request_id, sizeof(answer->request_id), "%.*s",
			 (int)sizeof(answer->request_id) - 1, value);
	}
	return length;
}

/*
 * libcurl signs what it is told in headers, sorted as whole lines: names that
 * begin alike must not differ in '-' first, none may be empty (it would be
 * signed and not sent), and the path is "/" without a query, because until 8.x
 * queries were signed as they stand, neither sorted nor escaped.
 */
static CURLcode set_signing(CURL *easy, const struct aws_signing *signing)
{
	char provider[128];
	CURLcode code;

	snprintf(provider, sizeof(provider), "aws:amz:%s:%s", signing->region, signing->service);
	code = curl_easy_setopt(easy, CURLOPT_AWS_SIGV4, provider);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_USERNAME, signing->key);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_PASSWORD, signing->secret);
	return code;
}

static CURLcode set_body(CURL *easy, const struct aws_http_request *request)
{
	CURLcode code = curl_easy_setopt(easy, CURLOPT_POST, 1L);

	/* What comes from a read callback, libcurl would not hash. */
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)request->body_length);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
	return code;
}

static void set_transport(CURL *easy, const struct aws_http *http,
			  const struct aws_http_request *request)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/*
	 * Debian's and Amazon's libcurl resolve names in a thread, and wait for
	 * it when a transfer ends early, unless they are in a hurry to exit.
	 * Then the thread frees its memory itself.
	 */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)IDLE_MAX_S);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "natxdp");
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_ms);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	/*
	 * A request that ended without an answer on a connection that had been
	 * idle, libcurl sends again by itself: the server may just have closed
	 * it. What must not be done twice therefore gets one of its own.
	 */
	if (request->fresh)
		curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	if (request->direct)
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	if (http->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
}

static CURLcode set_up(struct aws_exchange *exchange, const struct aws_http_request *request)
{
	CURL *easy = exchange->easy;
	CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, request->url);
	size_t i;

	for (i = 0; i < AWS_HTTP_HEADERS_MAX && request->headers[i]; i++) {
		struct curl_slist *longer = curl_slist_append(exchange->headers,
							      request->headers[i]);

		if (!longer)
			return CURLE_OUT_OF_MEMORY;
		exchange->headers = longer;
	}
	set_transport(easy, exchange->http, request);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->headers);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->error);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
	if (code == CURLE_OK && request->body)
		code = set_body(easy, request);
	if (code == CURLE_OK)
		code = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	if (code == CURLE_OK && request->signing)
		code = set_signing(easy, request->signing);
	return code;
}

struct aws_exchange *aws_http_start(struct aws_http *http, const struct aws_http_request *request,
				    aws_http_done done, void *ctx)
{
	struct aws_exchange *exchange = calloc(1, sizeof(*exchange));

	if (!exchange)
		return NULL;
	exchange->http = http;
	exchange->done = done;
	exchange->ctx = ctx;
	exchange->answer_max = request->answer_max;
	exchange->easy = curl_easy_init();
	if (!exchange->easy || set_up(exchange, request) != CURLE_OK ||
	    curl_multi_add_handle(http->multi, exchange->easy) != CURLM_OK) {
		curl_easy_cleanup(exchange->easy);
		curl_slist_free_all(exchange->headers);
		free(exchange);
		return NULL;
	}
	exchange->next = http->first;
	exchange->link = &http->first;
	http->first = exchange;
	if (exchange->next)
		exchange->next->link = &exchange->next;
	return exchange;
}

void aws_http_cancel(struct aws_exchange *exchange)
{
	end(exchange);
}

struct aws_http *aws_http_new(struct aws_timers *timers, const char *ca_file)
{
	struct aws_http *http = calloc(1, sizeof(*http));

	if (!http)
		return NULL;
	http->timers = timers;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		goto free_http;
	http->multi = curl_multi_init();
	if (!http->multi)
		goto cleanup_curl;
	if (ca_file) {
		http->ca_file = strdup(ca_file);
		if (!http->ca_file)
			goto cleanup_multi;
	}
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MAX);
	return http;

cleanup_multi:
	curl_multi_cleanup(http->multi);
cleanup_curl:
	curl_global_cleanup();
free_http:
	free(http);
	return NULL;
}

void aws_http_free(struct aws_http *http)
{
	if (!http)
		return;
	while (http->first)
		end(http->first);
	curl_multi_cleanup(http->multi);
	curl_global_cleanup();
	aws_timer_stop(http->timers, &http->timer);
	free(http->ca_file);
	free(http);
}
