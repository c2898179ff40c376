/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "retry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const throttled_codes[] = {
	"Throttling",
	"ThrottlingException",
	"ThrottledException",
	"RequestThrottled",
	"RequestThrottledException",
	"TooManyRequestsException",
	"ProvisionedThroughputExceededException",
	"TransactionInProgressException",
	"RequestLimitExceeded",
	"BandwidthLimitExceeded",
	"EC2ThrottledException",
	"SlowDown",
	"PriorRequestNotComplete",
	NULL,
};

/* Errors of the service that it reports with a status of 4xx, or may. */
static const char *const unavailable_codes[] = {
	"InternalError",
	"InternalFailure",
	"InternalServerError",
	"InternalServerException",
	"OperationAbortedException",
	"RequestTimeout",
	"RequestTimeoutException",
	"ServiceUnavailable",
	"ServiceUnavailableException",
	"Unavailable",
	NULL,
};

static const char *const expired_codes[] = {
	"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired", NULL,
};

/* Reasons that a wrong clock can have, among others. */
static const char *const clock_codes[] = {
	"RequestTimeTooSkewed",
	"RequestExpired",
	"RequestInTheFuture",
	"SignatureDoesNotMatch",
	"InvalidSignatureException",
	"InvalidSignature",
	"AuthFailure",
	NULL,
};

static bool among(const char *code, const char *const *codes)
{
	for (; *codes; codes++) {
		if (strcmp(code, *codes) == 0)
			return true;
	}
	return false;
}

/* There was no answer, or not a whole one. */
static struct aws_verdict judge_broken(const struct aws_attempt *attempt, enum aws_repeat repeat)
{
	struct aws_verdict verdict = { .fault = AWS_UNREACHABLE };

	if (attempt->error == -ETIMEDOUT)
		verdict.fault = AWS_TIMED_OUT;
	else if (attempt->error == -EMSGSIZE)
		verdict.fault = AWS_BAD_ANSWER;
	verdict.maybe_done = attempt->sent;
	verdict.again = !attempt->sent || repeat == AWS_AGAIN;
	if (attempt->error == -EMSGSIZE)
		verdict.again = false; /* it would be as long the next time */
	return verdict;
}

static struct aws_verdict judge_refusal(const struct aws_attempt *attempt)
{
	struct aws_verdict verdict = { .fault = AWS_REFUSED };
	int64_t off = attempt->skew_ms - attempt->skew_used_ms;

	if (attempt->skew_ms && llabs(off) > AWS_SKEW_MAX_MS && among(attempt->code, clock_codes)) {
		verdict.new_skew = true;
	} else if (among(attempt->code, expired_codes)) {
		verdict.new_credentials = true;
	} else {
		return verdict;
	}
	verdict.again = true;
	verdict.at_once = true;
	return verdict;
}

struct aws_verdict aws_judge(const struct aws_attempt *attempt, enum aws_repeat repeat)
{
	struct aws_verdict verdict = { .fault = AWS_OK };

	if (attempt->error)
		return judge_broken(attempt, repeat);
	if (attempt->status >= 200 && attempt->status < 300)
		return verdict;
	if (attempt->status == 429 || among(attempt->code, throttled_codes)) {
		verdict.fault = AWS_THROTTLED;
		verdict.again = true;
	} else if (attempt->status >= 500 || among(attempt->code, unavailable_codes)) {
		verdict.fault = AWS_UNAVAILABLE;
		/* RFC 9110, 15.6.4: 503 is refused for now; the others may come after the deed */
		verdict.maybe_done = attempt->status != 503;
		verdict.again = !verdict.maybe_done || repeat == AWS_AGAIN;
	} else if (attempt->status < 400) {
		verdict.fault = AWS_BAD_ANSWER; /* 1xx, 3xx: AWS does not redirect calls */
	} else {
		verdict = judge_refusal(attempt);
	}
	return verdict;
}

int64_t aws_backoff_ms(unsigned int retry, enum aws_fault fault, uint32_t base_ms, uint32_t max_ms)
{
	uint64_t most = base_ms;

	if (fault == AWS_THROTTLED)
		most *= AWS_BACKOFF_THROTTLED;
	most <<= retry < 16 ? retry : 16;
	return (int64_t)(most < max_ms ? most : max_ms);
}

int64_t aws_time_for_try(int64_t budget_ms, int64_t attempt_ms)
{
	int64_t least = attempt_ms < AWS_TRY_MIN_MS ? attempt_ms : AWS_TRY_MIN_MS;

	return least < budget_ms / 2 ? least : budget_ms / 2;
}

int aws_quota_take(struct aws_quota *quota, enum aws_fault fault)
{
	int cost = fault == AWS_TIMED_OUT ? AWS_QUOTA_TIMEOUT : AWS_QUOTA_RETRY;

	if (quota->tokens < cost)
		return 0;
	quota->tokens -= cost;
	return cost;
}

void aws_quota_refund(struct aws_quota *quota, int paid)
{
	quota->tokens += paid ? paid : AWS_QUOTA_SUCCESS;
	if (quota->tokens > AWS_QUOTA_FULL)
		quota->tokens = AWS_QUOTA_FULL;
}
