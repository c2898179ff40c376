/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The parts of the client that decide and parse, as tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <aws/body.h>
#include <aws/cloudwatch.h>
#include <aws/credentials.h>
#include <aws/doc.h>
#include <aws/endpoint.h>
#include <aws/logs.h>
#include <aws/retry.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

enum { MINUTE_MS = 60 * 1000 };

static void test_judge(void **state)
{
	static const struct {
		struct aws_attempt attempt;
		enum aws_repeat repeat;
		struct aws_verdict verdict; /* fault, again, at_once, maybe, credentials, skew */
	} rows[] = {
		{ { 0, true, 200, "", 0, 0 }, AWS_ONCE, { AWS_OK, 0, 0, 0, 0, 0 } },
		{ { 0, true, 204, "", 0, 0 }, AWS_AGAIN, { AWS_OK, 0, 0, 0, 0, 0 } },
		/* nothing was sent: harmless, whatever it is */
		{ { -ECONNREFUSED, false, 0, "", 0, 0 },
		  AWS_ONCE,
		  { AWS_UNREACHABLE, 1, 0, 0, 0, 0 } },
		{ { -ETIMEDOUT, false, 0, "", 0, 0 }, AWS_ONCE, { AWS_TIMED_OUT, 1, 0, 0, 0, 0 } },
		/* it was sent: who knows */
		{ { -ETIMEDOUT, true, 0, "", 0, 0 }, AWS_ONCE, { AWS_TIMED_OUT, 0, 0, 1, 0, 0 } },
		{ { -ETIMEDOUT, true, 0, "", 0, 0 }, AWS_AGAIN, { AWS_TIMED_OUT, 1, 0, 1, 0, 0 } },
		{ { -EPIPE, true, 200, "", 0, 0 }, AWS_AGAIN, { AWS_UNREACHABLE, 1, 0, 1, 0, 0 } },
		{ { -EMSGSIZE, true, 200, "", 0, 0 }, AWS_AGAIN, { AWS_BAD_ANSWER, 0, 0, 1, 0, 0 } },
		{ { 0, true, 400, "Throttling", 0, 0 }, AWS_ONCE, { AWS_THROTTLED, 1, 0, 0, 0, 0 } },
		{ { 0, true, 503, "SlowDown", 0, 0 }, AWS_ONCE, { AWS_THROTTLED, 1, 0, 0, 0, 0 } },
		{ { 0, true, 429, "", 0, 0 }, AWS_ONCE, { AWS_THROTTLED, 1, 0, 0, 0, 0 } },
		{ { 0, true, 503, "", 0, 0 }, AWS_ONCE, { AWS_UNAVAILABLE, 1, 0, 0, 0, 0 } },
		{ { 0, true, 500, "InternalFailure", 0, 0 },
		  AWS_ONCE,
		  { AWS_UNAVAILABLE, 0, 0, 1, 0, 0 } },
		{ { 0, true, 504, "", 0, 0 }, AWS_AGAIN, { AWS_UNAVAILABLE, 1, 0, 1, 0, 0 } },
		{ { 0, true, 400, "InternalError", 0, 0 },
		  AWS_AGAIN,
		  { AWS_UNAVAILABLE, 1, 0, 1, 0, 0 } },
		{ { 0, true, 403, "UnauthorizedOperation", 0, 0 },
		  AWS_AGAIN,
		  { AWS_REFUSED, 0, 0, 0, 0, 0 } },
		{ { 0, true, 400, "ExpiredTokenException", 0, 0 },
		  AWS_ONCE,
		  { AWS_REFUSED, 1, 1, 0, 1, 0 } },
		/* RequestExpired is the token or the clock: the Date header tells which */
		{ { 0, true, 400, "RequestExpired", 900, 0 },
		  AWS_ONCE,
		  { AWS_REFUSED, 1, 1, 0, 1, 0 } },
		{ { 0, true, 400, "RequestExpired", 600000, 0 },
		  AWS_ONCE,
		  { AWS_REFUSED, 1, 1, 0, 0, 1 } },
		{ { 0, true, 400, "RequestExpired", 600000, 599000 },
		  AWS_ONCE,
		  { AWS_REFUSED, 1, 1, 0, 1, 0 } },
		{ { 0, true, 403, "AuthFailure", -600000, 0 },
		  AWS_ONCE,
		  { AWS_REFUSED, 1, 1, 0, 0, 1 } },
		{ { 0, true, 403, "AuthFailure", 1000, 0 },
		  AWS_ONCE,
		  { AWS_REFUSED, 0, 0, 0, 0, 0 } },
		{ { 0, true, 403, "AccessDenied", 600000, 0 },
		  AWS_ONCE,
		  { AWS_REFUSED, 0, 0, 0, 0, 0 } },
		{ { 0, true, 302, "", 0, 0 }, AWS_AGAIN, { AWS_BAD_ANSWER, 0, 0, 0, 0, 0 } },
	};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(rows); i++) {
		struct aws_verdict got = aws_judge(&rows[i].attempt, rows[i].repeat);
		const struct aws_verdict *want = &rows[i].verdict;

		if (got.fault != want->fault || got.again != want->again ||
		    got.at_once != want->at_once || got.maybe_done != want->maybe_done ||
		    got.new_credentials != want->new_credentials || got.new_skew != want->new_skew)
			fail_msg("row %zu: fault %s, again %d, at once %d, maybe %d", i,
				 aws_fault_name(got.fault), got.again, got.at_once, got.maybe_done);
	}
}

static void test_backoff(void **state)
{
	(void)state;
	assert_int_equal(aws_backoff_ms(0, AWS_UNAVAILABLE, 100, 20000), 100);
	assert_int_equal(aws_backoff_ms(3, AWS_UNAVAILABLE, 100, 20000), 800);
	assert_int_equal(aws_backoff_ms(3, AWS_THROTTLED, 100, 20000), 8000);
	assert_int_equal(aws_backoff_ms(40, AWS_THROTTLED, 100, 20000), 20000);
	assert_int_equal(aws_backoff_ms(UINT32_MAX, AWS_TIMED_OUT, UINT32_MAX, UINT32_MAX),
			 UINT32_MAX);
}

static void test_quota(void **state)
{
	struct aws_quota quota = { 12 };

	(void)state;
	assert_int_equal(aws_quota_take(&quota, AWS_TIMED_OUT), 10);
	assert_int_equal(aws_quota_take(&quota, AWS_UNAVAILABLE), 0);
	assert_int_equal(quota.tokens, 2);
	aws_quota_refund(&quota, 10);
	aws_quota_refund(&quota, 0);
	assert_int_equal(quota.tokens, 13);
	quota.tokens = AWS_QUOTA_FULL;
	aws_quota_refund(&quota, 10);
	assert_int_equal(quota.tokens, AWS_QUOTA_FULL);
}

static void test_credentials_plan(void **state)
{
	static const struct {
		bool have;
		int64_t left_ms; /* INT64_MAX: for ever */
		bool may_load, use, load;
	} rows[] = {
		{ false, 0, true, false, true },
		{ true, INT64_MAX, true, true, false },
		{ true, 6 * MINUTE_MS, true, true, false },
		{ true, 4 * MINUTE_MS, true, true, true },
		{ true, 4 * MINUTE_MS, false, true, false },
		{ true, MINUTE_MS, true, false, true },
		{ true, -MINUTE_MS, true, false, true },
		{ true, -MINUTE_MS, false, true, false },
	};
	const int64_t now = 1800000000000;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(rows); i++) {
		int64_t expires = rows[i].left_ms == INT64_MAX ? 0 : now + rows[i].left_ms;
		struct aws_credentials_plan plan = aws_credentials_plan(rows[i].have, expires, now,
									rows[i].may_load);

		if (plan.use != rows[i].use || plan.load != rows[i].load)
			fail_msg("row %zu: use %d, load %d", i, plan.use, plan.load);
	}
}

static void test_times(void **state)
{
	(void)state;
	assert_int_equal(aws_parse_time("2027-01-15T08:00:00Z"), 1800000000000);
	assert_int_equal(aws_parse_time("2027-01-15T08:00:00.123Z"), 1800000000000);
	assert_int_equal(aws_parse_time("2027-01-15T08:00:00+00:00"), 1800000000000);
	assert_int_equal(aws_parse_time("2027-01-15T08:00:00"), 0);
	assert_int_equal(aws_parse_time("2027-01-15T08:00:00+01:00"), 0);
	assert_int_equal(aws_parse_time("soon"), 0);
	assert_int_equal(aws_parse_time(""), 0);
}

static void check_json_string(const char *text, size_t length, const char *expected)
{
	struct aws_body body = { 0 };

	aws_body_add_json_string(&body, text, length);
	assert_int_equal(body.length, strlen(expected));
	assert_memory_equal(body.data, expected, body.length);
	aws_body_free(&body);
}

static void test_json_strings(void **state)
{
	(void)state;
	check_json_string("", 0, "\"\"");
	check_json_string("a\"b\\c", 5, "\"a\\\"b\\\\c\"");
	check_json_string("\0\n\x1f\x7f", 4, "\"\\u0000\\u000a\\u001f\x7f\"");
	check_json_string("\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", 9,
			  "\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\"");
	/* too long forms, surrogates, beyond the end, cut off, alone */
	check_json_string("\xc0\x80", 2, "\"\\ufffd\\ufffd\"");
	check_json_string("\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"");
	check_json_string("\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
	check_json_string("\xe2\x82", 2, "\"\\ufffd\\ufffd\"");
	check_json_string("a\x80z", 3, "\"a\\ufffdz\"");
}

static void test_form(void **state)
{
	struct aws_body body = { 0 };

	(void)state;
	aws_form_add(&body, "a b&c=d/e~\xc3\xbc+", "Name.%d", 1);
	aws_form_add(&body, NULL, "Nothing");
	aws_form_add_number(&body, 0.1, "N");
	aws_form_add_number(&body, 4294967296.0, "M");
	aws_form_add_bool(&body, true, "B");
	aws_body_add(&body, "", 1);
	assert_string_equal(body.data, "Name.1=a%20b%26c%3Dd%2Fe~%C3%BC%2B&N=0.10000000000000001"
				       "&M=4294967296&B=true");
	aws_body_free(&body);
}

static void test_body_limit(void **state)
{
	static char text[AWS_BODY_MAX];
	struct aws_body body = { 0 };

	(void)state;
	aws_body_add(&body, text, sizeof(text));
	assert_int_equal(body.error, 0);
	aws_body_add(&body, "x", 1);
	assert_int_equal(body.error, -EMSGSIZE);
	assert_int_equal(body.length, AWS_BODY_MAX);
	aws_body_free(&body);
	assert_int_equal(body.error, 0);
}

static void test_metric_limits(void **state)
{
	static const double values[AWS_METRIC_VALUES_MAX + 1] = { 0 };
	struct aws_metric metric = { .name = "m", .value = 1 };
	struct aws_metric_batch batch;
	int i;

	(void)state;
	assert_int_equal(aws_metrics_begin(&batch, "N"), 0);
	for (i = 0; i < AWS_METRICS_MAX; i++)
		assert_int_equal(aws_metrics_add(&batch, &metric), 0);
	assert_int_equal(aws_metrics_add(&batch, &metric), -ENOSPC);
	aws_metrics_drop(&batch);

	assert_int_equal(aws_metrics_begin(&batch, "N"), 0);
	metric.value = 0.0 / 0.0;
	assert_int_equal(aws_metrics_add(&batch, &metric), -EINVAL);
	metric.value = 1e300;
	assert_int_equal(aws_metrics_add(&batch, &metric), -EINVAL);
	metric = (struct aws_metric){ .name = "m", .kind = AWS_METRIC_VALUES, .values = values };
	assert_int_equal(aws_metrics_add(&batch, &metric), -EINVAL);
	metric.value_count = AWS_METRIC_VALUES_MAX + 1;
	assert_int_equal(aws_metrics_add(&batch, &metric), -EINVAL);
	metric.value_count--;
	metric.resolution_s = 5;
	assert_int_equal(aws_metrics_add(&batch, &metric), -EINVAL);
	metric.resolution_s = 0;
	/* 150 values each: the bytes run out first */
	for (i = 0; !aws_metrics_add(&batch, &metric); i++)
		;
	assert_in_range(i, 100, AWS_METRICS_MAX - 1);
	assert_in_range(batch.body.length, 900 * 1000, 1000 * 1000);
	aws_metrics_drop(&batch);
	assert_int_equal(aws_metrics_put(NULL, &batch, NULL), -ENODATA);
}

static void test_log_limits(void **state)
{
	static char text[AWS_LOG_EVENT_MAX + 1];
	struct aws_log_batch batch;
	int i;

	(void)state;
	assert_int_equal(aws_logs_begin(&batch, "g", "s"), 0);
	assert_int_equal(aws_logs_add(&batch, 1000, "", 0), -EINVAL);
	assert_int_equal(aws_logs_add(&batch, 1000, text, sizeof(text)), -EINVAL);
	assert_int_equal(aws_logs_add(&batch, 1000, "a", 1), 0);
	assert_int_equal(aws_logs_add(&batch, 999, "a", 1), -ENOSPC);
	assert_int_equal(aws_logs_add(&batch, 1000 + AWS_LOG_SPAN_MS, "a", 1), -ENOSPC);
	for (i = 1; i < AWS_LOG_EVENTS_MAX; i++)
		assert_int_equal(aws_logs_add(&batch, 1000, "a", 1), 0);
	assert_int_equal(aws_logs_add(&batch, 1000, "a", 1), -ENOSPC);
	assert_int_equal(batch.count, AWS_LOG_EVENTS_MAX);
	assert_int_equal(batch.bytes, AWS_LOG_EVENTS_MAX * 27);
	aws_logs_drop(&batch);

	/* escapes: 250,000 bytes that become six times as many do not fit any batch */
	assert_int_equal(aws_logs_begin(&batch, "g", "s"), 0);
	assert_int_equal(aws_logs_add(&batch, 1000, text, 250000), -EINVAL);
	assert_int_equal(batch.count, 0);
	memset(text, 'x', sizeof(text));
	for (i = 0; !aws_logs_add(&batch, 1000, text, 250000); i++)
		;
	assert_int_equal(i, 4);
	assert_in_range(batch.body.length, 1000000, AWS_BODY_MAX);
	aws_logs_drop(&batch);
}

static void test_xml(void **state)
{
	static const char text[] =
		"<?xml version=\"1.0\"?><R xmlns=\"u\"><a> x &amp; y </a><list><item><b>1</b></item>"
		"<item><b>2</b></item></list><empty/><one><member>m</member></one></R>";
	cJSON *tree = aws_xml_parse(text, strlen(text));
	const cJSON *list;

	(void)state;
	assert_non_null(tree);
	assert_string_equal(tree->string, "R");
	assert_string_equal(aws_doc_text(tree, "a"), " x & y ");
	list = aws_doc_list(tree, "list");
	assert_int_equal(cJSON_GetArraySize(list), 2);
	assert_int_equal(aws_doc_count(cJSON_GetArrayItem(list, 1), "b"), 2);
	assert_null(aws_doc_list(tree, "empty"));
	assert_string_equal(aws_doc_text(tree, "none"), "");
	assert_string_equal(cJSON_GetArrayItem(aws_doc_list(tree, "one"), 0)->valuestring, "m");
	cJSON_Delete(tree);
}

static void test_bad_documents(void **state)
{
	static const char *const xml[] = {
		"",
		"<",
		"text",
		"<a>",
		"<a></b>",
		"<a/><b/>",
		"<a>&none;</a>",
		/* https://en.wikipedia.org/wiki/Billion_laughs_attack, its first lines */
		"<!DOCTYPE a [<!ENTITY l \"lol\"><!ENTITY m \"&l;&l;\">]><a>&m;</a>",
		"<!DOCTYPE a><a/>",
	};
	static const char *const json[] = { "", "{", "{\"a\":}", "nul", "\"", "[1,2" };
	static char deep[2 * 40 * 3 + 1], wide[2 * AWS_DOC_NODES_MAX + 8];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(xml); i++)
		assert_null(aws_xml_parse(xml[i], strlen(xml[i])));
	for (i = 0; i < COUNT_OF(json); i++)
		assert_null(aws_json_parse(json[i], strlen(json[i])));
	for (i = 0; i < 40; i++) {
		memcpy(deep + i * 3, "<a>", 3);
		wide[i] = '[';
	}
	assert_null(aws_xml_parse(deep, 120));
	assert_null(aws_json_parse(wide, 40));
	wide[0] = '[';
	for (i = 0; i <= AWS_DOC_NODES_MAX; i++)
		memcpy(wide + 1 + 2 * i, "1,", 2);
	memcpy(wide + 2 * i, "]", 1);
	assert_null(aws_json_parse(wide, 2 * i + 1));
}

static void test_overrides(void **state)
{
	static const char *const good[] = { "https://vpce-0a-b.ec2.eu-central-1.vpce.amazonaws.com",
					    "http://127.0.0.1:4566/", "http://[fd00:ec2::254]" };
	static const char *const bad[] = { "",		 "ftp://h",    "https://",    "h",
					   "http://h/p", "http://h?q", "http://u:p@h" };
	char url[64];
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(good); i++) {
		assert_int_equal(aws_endpoint_override(good[i], url, sizeof(url)), 0);
		assert_int_equal(url[strlen(url) - 1], '/');
	}
	for (i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(aws_endpoint_override(bad[i], url, sizeof(url)), -EINVAL);
	assert_int_equal(aws_endpoint_override(good[0], url, 16), -EINVAL);
	assert_int_equal(aws_endpoint(AWS_EC2, "eu-central-1", false, false, url, 8),
			 -ENAMETOOLONG);
	assert_true(aws_region_valid("us-gov-west-1"));
	assert_false(aws_region_valid("eu-central-1/"));
	assert_false(aws_region_valid("x.evil.example"));
	assert_false(aws_region_valid(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge),	      cmocka_unit_test(test_backoff),
		cmocka_unit_test(test_quota),	      cmocka_unit_test(test_credentials_plan),
		cmocka_unit_test(test_times),	      cmocka_unit_test(test_json_strings),
		cmocka_unit_test(test_form),	      cmocka_unit_test(test_body_limit),
		cmocka_unit_test(test_metric_limits), cmocka_unit_test(test_log_limits),
		cmocka_unit_test(test_xml),	      cmocka_unit_test(test_bad_documents),
		cmocka_unit_test(test_overrides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
