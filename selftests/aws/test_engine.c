/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The queue, the retries and the credentials over simulated hours: clocks and
 * chance are the test's, and instead of libcurl there is a server that answers
 * as the test says. Everything else is the client.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <aws/client.h>
#include <aws/cloudwatch.h>
#include <aws/credentials.h>
#include <aws/ec2.h>
#include <aws/retry.h>
#include <aws/ssm.h>

#include "simnet.h"

#define GOOD_ADDRESSES "<DescribeAddressesResponse><addressesSet/></DescribeAddressesResponse>"
#define THROTTLED "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>"

enum { HOUR_MS = 3600 * 1000 };

static struct {
	unsigned int ended, faults[AWS_FAULTS], maybe_done, again;
	struct aws_result last;
	int64_t longest_ms;
} seen;

static struct aws_client *client;

static void on_done(void *ctx, const struct aws_result *result)
{
	(void)ctx;
	seen.ended++;
	seen.faults[result->fault]++;
	seen.maybe_done += result->maybe_done;
	if (result->duration_ms > seen.longest_ms)
		seen.longest_ms = result->duration_ms;
	seen.last = *result;
}

static const struct aws_caller nobody = { .done = on_done };

static int begin(void **state)
{
	const struct aws_loop loop = { .watch = watch,
				       .arm = arm,
				       .monotonic_ms = monotonic,
				       .wall_ms = wall,
				       .random = chance };
	const struct aws_options options = { .region = "eu-central-1" };

	(void)state;
	memset(&net, 0, sizeof(net));
	memset(&seen, 0, sizeof(seen));
	net.armed_ms = -1;
	net.seed = 1;
	net.wall_ms = 1800000000000;
	net.latency_ms = 20;
	setenv("AWS_ACCESS_KEY_ID", "K", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "S", 1);
	return aws_client_new(&client, &loop, &options);
}

static int finish(void **state)
{
	(void)state;
	aws_client_free(client);
	return 0;
}

static void advance(int64_t by_ms)
{
	int64_t until = net.now_ms + by_ms;

	while (net.armed_ms >= 0 && net.armed_ms <= until) {
		net.now_ms = net.armed_ms > net.now_ms ? net.armed_ms : net.now_ms;
		net.armed_ms = -1;
		aws_client_wake(client);
	}
	net.now_ms = until;
}

static void answer(int status, const char *body)
{
	net.answer = (struct aws_http_answer){ .status = status, .sent = true, .body = body };
}

static int64_t describe(void)
{
	return aws_ec2_describe_addresses(client, &(struct aws_query){ 0 }, &nobody);
}

static int64_t put_metric(const struct aws_caller *caller)
{
	const struct aws_metric metric = { .name = "m", .timestamp = 1800000000, .value = 1 };
	struct aws_metric_batch batch;

	assert_int_equal(aws_metrics_begin(&batch, "NATXDP"), 0);
	assert_int_equal(aws_metrics_add(&batch, &metric), 0);
	return aws_metrics_put(client, &batch, caller);
}

static void test_good(void **state)
{
	(void)state;
	answer(200, GOOD_ADDRESSES);
	assert_true(describe() > 0);
	assert_int_equal(seen.ended, 0); /* never from inside of the call */
	advance(100);
	assert_int_equal(seen.ended, 1);
	assert_int_equal(seen.last.fault, AWS_OK);
	assert_int_equal(seen.last.duration_ms, 20);
	assert_int_equal(net.armed_ms, -1);
}

/* What failed is paid back, so that the quota of retries does not end the test. */
static void pay_back(void)
{
	for (unsigned int i = 0; i < 15; i++) {
		answer(200, GOOD_ADDRESSES);
		describe();
		answer(200, "<PutMetricDataResponse/>");
		put_metric(&nobody);
		advance(100);
	}
}

/* Pauses are drawn from [0, base * 2^n], evenly. */
static void test_jitter(void **state)
{
	int64_t sum[3] = { 0 }, most[3] = { 0 }, pause;
	const int64_t bound[3] = { 1000, 2000, 4000 };
	unsigned int round, i, rounds = 400;

	(void)state;
	for (round = 0; round < rounds; round++) {
		answer(400, THROTTLED);
		net.starts = 0;
		assert_true(describe() > 0);
		advance(30000);
		assert_int_equal(net.starts, 4);
		for (i = 0; i < 3; i++) {
			pause = net.started_ms[i + 1] - net.started_ms[i] - net.latency_ms;
			assert_in_range(pause, 0, bound[i]);
			sum[i] += pause;
			most[i] = pause > most[i] ? pause : most[i];
		}
		pay_back();
	}
	for (i = 0; i < 3; i++) {
		/* the mean of even draws is bound / 2, give or take 1.5 % at 400 of them */
		assert_in_range(sum[i] / rounds, bound[i] * 45 / 100, bound[i] * 55 / 100);
		assert_in_range(most[i], bound[i] * 97 / 100, bound[i]);
	}
}

static void test_backoff_is_capped(void **state)
{
	const struct aws_caller patient = { .done = on_done, .budget_ms = HOUR_MS, .attempts = 30 };

	(void)state;
	answer(400, THROTTLED);
	aws_ec2_describe_addresses(client, &(struct aws_query){ 0 }, &patient);
	advance(HOUR_MS);
	assert_int_equal(seen.ended, 1);
	assert_int_equal(seen.last.attempts, 30);
	assert_in_range(seen.last.duration_ms, 0, 30 * (20000 + 20));
}

/* Nine calls a second for an hour of outage of each kind: all end, in time, and nothing stays. */
static void an_hour(const char *what, size_t *heap)
{
	int64_t end = net.now_ms + HOUR_MS;
	unsigned int accepted = 0, refused = 0, before = seen.ended;
	struct aws_stats stats;
	size_t peak = 0;

	while (net.now_ms < end) {
		unsigned int i;

		for (i = 0; i < 9; i++) {
			int64_t number = i == 8 ? put_metric(&nobody) : describe();

			if (number > 0)
				accepted++;
			else
				refused++;
			assert_true(number > 0 || number == -EAGAIN);
		}
		advance(1000);
		aws_client_stats(client, &stats);
		assert_true(stats.in_flight <= 8 && stats.queued <= 136);
		if (mallinfo2().uordblks > peak)
			peak = mallinfo2().uordblks;
	}
	advance(60000);
	aws_client_stats(client, &stats);
	assert_int_equal(seen.ended - before, accepted);
	assert_int_equal(stats.in_flight + stats.queued, 0);
	assert_int_equal(net.open, 0);
	assert_int_equal(net.armed_ms, -1);
	assert_in_range(seen.longest_ms, 0, 30000 + 1);
	if (!*heap)
		*heap = mallinfo2().uordblks;
	assert_in_range(mallinfo2().uordblks, 0, *heap + 64 * 1024);
	assert_in_range(peak, 0, *heap + 512 * 1024);
	print_message("# an hour of %s: %u calls, %u refused, %u tries, peak %zu KiB\n", what,
		      accepted, refused, net.starts, (peak - *heap) / 1024);
	net.starts = 0;
}

static void test_outages(void **state)
{
	size_t heap = 0;
	struct aws_stats stats;
	unsigned int before;

	(void)state;
	answer(200, GOOD_ADDRESSES);
	describe();
	advance(1000);
	net.hangs = true;
	an_hour("silence", &heap);
	net.hangs = false;
	net.answer = (struct aws_http_answer){ .error = -ECONNREFUSED, .message = "refused" };
	an_hour("refused connections", &heap);
	answer(400, THROTTLED);
	an_hour("throttling", &heap);
	answer(500, "oops");
	an_hour("500", &heap);
	answer(200, "<html>");
	an_hour("garbage", &heap);
	net.latency_ms = 9000;
	answer(503, "");
	an_hour("503 after 9 s", &heap);
	/* and when it is over, it is over */
	net.latency_ms = 20;
	answer(200, GOOD_ADDRESSES);
	before = seen.faults[AWS_OK];
	describe();
	advance(100);
	assert_int_equal(seen.faults[AWS_OK], before + 1);
	aws_client_stats(client, &stats);
	assert_true(stats.retries_denied > 0 && stats.queue_full > 0);
}

/* The quota bounds what an outage adds: calls + 500/5 retries, and no more. */
static void test_quota_bounds_load(void **state)
{
	unsigned int i;

	(void)state;
	answer(500, "");
	for (i = 0; i < 2000; i++) {
		assert_true(describe() > 0);
		advance(2000);
	}
	assert_int_equal(seen.ended, 2000);
	assert_int_equal(net.starts, 2000 + AWS_QUOTA_FULL / AWS_QUOTA_RETRY);
}

static void again(void *ctx, const struct aws_result *result)
{
	const struct aws_caller caller = { .done = again };

	on_done(ctx, result);
	seen.again++;
	if (seen.again < 1000)
		aws_ec2_describe_addresses(client, &(struct aws_query){ 0 }, &caller);
}

/* A callback that calls again, with what fails at once, does not keep the loop. */
static void test_callbacks_that_call(void **state)
{
	const struct aws_caller caller = { .done = again };
	unsigned int turns = 0;

	(void)state;
	net.latency_ms = 0;
	answer(403, "");
	aws_ec2_describe_addresses(client, &(struct aws_query){ 0 }, &caller);
	while (net.armed_ms >= 0 && turns < 5000) {
		net.armed_ms = -1;
		aws_client_wake(client);
		turns++;
	}
	assert_int_equal(seen.again, 1000);
	assert_in_range(turns, 1000, 1001);
}

/* Calls that only met refusals did nothing: no last try is begun too late for its answer. */
static void test_no_try_without_time(void **state)
{
	const struct aws_caller hasty = { .done = on_done, .budget_ms = 2000 };

	(void)state;
	net.latency_ms = 50;
	for (unsigned int i = 0; i < 1000; i++) {
		answer(400, THROTTLED);
		assert_true(put_metric(&hasty) > 0);
		advance(2000);
		pay_back();
	}
	assert_int_equal(seen.maybe_done, 0);
	assert_int_equal(seen.faults[AWS_THROTTLED], 1000);
	assert_in_range(net.starts, 1000 * (30 + 1.5), 1000 * (30 + 4));
}

static void test_deadline_in_the_queue(void **state)
{
	unsigned int i;

	(void)state;
	net.hangs = true;
	for (i = 0; i < 68; i++)
		assert_true(describe() > 0);
	assert_int_equal(describe(), -EAGAIN);
	advance(30000);
	assert_int_equal(seen.ended, 68);
	assert_int_equal(seen.faults[AWS_TIMED_OUT], 68);
	assert_in_range(seen.longest_ms, 30000, 30000);
}

/* Bodies are bounded together, not only their number. */
static void test_queued_bytes(void **state)
{
	static char text[400 * 1024];
	unsigned int accepted = 0, i;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	net.hangs = true;
	for (i = 0; i < 60; i++)
		accepted += aws_ssm_put_parameter(client, "n", text, true, &nobody) > 0;
	assert_int_equal(accepted, 10);
	advance(40000);
	assert_int_equal(seen.ended, 10);
}

/* The clock is corrected once, then kept. */
static void test_clock(void **state)
{
	(void)state;
	answer(403,
	       "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>");
	net.answer.date_ms = net.wall_ms + 7200 * 1000;
	describe();
	advance(10000);
	/* the second refusal is not the clock's */
	assert_int_equal(seen.last.attempts, 2);
	assert_int_equal(seen.last.fault, AWS_REFUSED);
	assert_in_range(net.skew_ms, 7200 * 1000 - 100, 7200 * 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, begin, finish)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(good),
					    TEST(jitter),
					    TEST(backoff_is_capped),
					    TEST(outages),
					    TEST(quota_bounds_load),
					    TEST(callbacks_that_call),
					    TEST(no_try_without_time),
					    TEST(deadline_in_the_queue),
					    TEST(queued_bytes),
					    TEST(clock) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
