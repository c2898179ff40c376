/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What to make of an answer, and whether and when to try again. Pure
 * functions. The rules are those of the AWS SDKs' standard mode.
 */
#ifndef NATXDP_AWS_RETRY_H
#define NATXDP_AWS_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "client.h"

enum aws_retry_limits {
	/* Of the quota of retries that each service has: a success gives some back. */
	AWS_QUOTA_FULL = 500,
	AWS_QUOTA_RETRY = 5,
	AWS_QUOTA_TIMEOUT = 10,
	AWS_QUOTA_SUCCESS = 1,
	AWS_BACKOFF_THROTTLED = 10, /* times longer than after other failures */
	AWS_TRY_MIN_MS = 1000,
	AWS_SKEW_MAX_MS = 4 * 60 * 1000, /* AWS takes 5 minutes, S3 15 */
};

struct aws_quota {
	int tokens;
};

/* What is known after a try. */
struct aws_attempt {
	int error; /* of struct aws_http_answer */
	bool sent;
	int status;
	const char *code;     /* of the service's error, or "" */
	int64_t skew_ms;      /* the server's clock less ours; 0 if unknown */
	int64_t skew_used_ms; /* what was corrected already */
};

struct aws_verdict {
	enum aws_fault fault;
	bool again;   /* a retry is harmless and may help */
	bool at_once; /* without backoff: what was wrong is mended */
	bool maybe_done;
	bool new_credentials; /* get them before the retry */
	bool new_skew;	      /* take skew_ms over before the retry */
};

struct aws_verdict aws_judge(const struct aws_attempt *attempt, enum aws_repeat repeat);

/*
 * Full jitter: the most to wait before retry number @retry (from 0). The
 * caller draws a number between 0 and this.
 */
int64_t aws_backoff_ms(unsigned int retry, enum aws_fault fault, uint32_t base_ms, uint32_t max_ms);

/*
 * No try is begun with less time than this left: it would be cut off, and after
 * many sure refusals nobody would know whether this last one was done.
 */
int64_t aws_time_for_try(int64_t budget_ms, int64_t attempt_ms);

/* Pays for a retry; returns what it cost, or 0 if there is not enough. */
int aws_quota_take(struct aws_quota *quota, enum aws_fault fault);
/* After a success; @paid for its last retry, 0 if there was none. */
void aws_quota_refund(struct aws_quota *quota, int paid);

#endif
