/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* In place of libcurl, the clocks and chance: included by the one test that simulates them. */
#ifndef NATXDP_SIMNET_H
#define NATXDP_SIMNET_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <aws/http.h>

enum { STARTS_MAX = 64 };

/* The simulated network: how each exchange ends, and what was begun when. */
struct aws_exchange {
	struct aws_timer timer;
	struct aws_timers *timers;
	aws_http_done done;
	void *ctx;
	struct aws_http_answer answer;
};

static struct {
	int64_t now_ms, wall_ms, armed_ms; /* armed_ms: -1, or when the loop is to wake */
	uint64_t seed;
	struct aws_http_answer answer; /* to everything but the role's credentials */
	int64_t latency_ms;
	bool hangs; /* no answer before the timeout */
	unsigned int starts, open;
	int64_t started_ms[STARTS_MAX];
	int64_t skew_ms;
	struct aws_timers *timers;
} net;

struct aws_http *aws_http_new(struct aws_timers *timers, const char *ca_file)
{
	(void)ca_file;
	net.timers = timers;
	return (struct aws_http *)&net;
}

void aws_http_free(struct aws_http *http)
{
	(void)http;
	assert_int_equal(net.open, 0);
}

void aws_http_ready(struct aws_http *http, int fd, uint32_t events)
{
	(void)http;
	(void)fd;
	(void)events;
}

void aws_clock_correct(int64_t skew_ms)
{
	net.skew_ms = skew_ms;
}

static void arrive(void *owner)
{
	struct aws_exchange *exchange = owner;

	net.open--;
	exchange->done(exchange->ctx, &exchange->answer);
	free(exchange);
}

struct aws_exchange *aws_http_start(struct aws_http *http, const struct aws_http_request *request,
				    aws_http_done done, void *ctx)
{
	struct aws_exchange *exchange = calloc(1, sizeof(*exchange));
	int64_t latency = net.latency_ms;

	(void)http;
	if (net.starts < STARTS_MAX)
		net.started_ms[net.starts] = net.now_ms;
	net.starts++;
	net.open++;
	exchange->timers = net.timers;
	exchange->done = done;
	exchange->ctx = ctx;
	exchange->answer = net.answer;
	if (!exchange->answer.body)
		exchange->answer.body = "";
	exchange->answer.length = strlen(exchange->answer.body);
	if (net.hangs || latency > request->timeout_ms) {
		latency = request->timeout_ms;
		exchange->answer = (struct aws_http_answer){
			.error = -ETIMEDOUT, .sent = true, .body = "", .message = "timed out"
		};
	}
	aws_timer_start(net.timers, &exchange->timer, latency, arrive, exchange);
	return exchange;
}

void aws_http_cancel(struct aws_exchange *exchange)
{
	net.open--;
	aws_timer_stop(exchange->timers, &exchange->timer);
	free(exchange);
}

static int watch(void *ctx, int fd, uint32_t events)
{
	(void)ctx;
	(void)fd;
	(void)events;
	return 0;
}

static void arm(void *ctx, int64_t delay_ms)
{
	(void)ctx;
	net.armed_ms = delay_ms < 0 ? -1 : net.now_ms + delay_ms;
}

static int64_t monotonic(void *ctx)
{
	(void)ctx;
	return net.now_ms;
}

static int64_t wall(void *ctx)
{
	(void)ctx;
	return net.wall_ms + net.now_ms;
}

/* splitmix64 */
static uint32_t chance(void *ctx)
{
	uint64_t z = net.seed += 0x9e3779b97f4a7c15;

	(void)ctx;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (uint32_t)(z ^ (z >> 31));
}

#endif
