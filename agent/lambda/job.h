/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One invocation: its event, the time that is left, and the calls that it makes.
 * A function is written from top to bottom: it starts calls, as many as it
 * likes at a time, and waits for all of them.
 */
#ifndef NATXDP_LAMBDA_JOB_H
#define NATXDP_LAMBDA_JOB_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "aws/client.h"
#include "err.h"
#include "say.h"
#include "setup.h"

struct loop;

enum {
	JOB_MARGIN_MS = 500, /* kept back of the deadline, for the answer */
};

struct job {
	const struct setup *setup;
	struct loop *loop;
	struct aws_client *client;
	const cJSON *event;
	int64_t end_ms; /* of CLOCK_MONOTONIC: the deadline without the margin */
	unsigned int pending;
	bool failed;	/* something since the last job_await() */
	struct err err; /* of the first call that failed, or of the function itself */
	cJSON *answer;	/* what the function answers with; an object */
};

/* Milliseconds until everything has to be over; 0: now. */
int64_t job_left_ms(const struct job *job);

/*
 * A call is started by
 *	job_sent(job, aws_ec2_describe_addresses(job->client, &query,
 *						 job_caller(job, on_addresses, &addresses)));
 * @done is called from job_await() with @ctx, exactly once, also if the call
 * could not be made. All of the job's time is the call's budget.
 */
const struct aws_caller *job_caller(struct job *job, aws_done done, void *ctx);
void job_sent(struct job *job, int64_t call);

/* Until all calls have ended. Returns 0, or -EIO if something failed since the last time. */
int job_await(struct job *job);

/* Waits for at most @ms. False if the time is up. */
bool job_pause(struct job *job, int64_t ms);

/*
 * For @done: true if the call went well. Else it is logged, and the job fails
 * with @what as the beginning of the sentence.
 */
bool job_ok(struct job *job, const struct aws_result *result, const char *what);

/* Lets the job fail, but go on; the first reason stays. Returns -error. */
int job_fail(struct job *job, enum exit_status status, int error, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* 0, or -EIO if anything failed so far. */
int job_failure(const struct job *job);

#endif
