/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The inside of the client: client.c owns it, call.c leads calls through it.
 *
 * The way of a call:
 *
 *   QUEUED     until region and credentials are known and its service has a slot
 *   IN_FLIGHT  one try over HTTP
 *   PAUSED     until its retry
 *   ENDING     failed where no callback may be called: it is from the timer
 *
 * Each call has one timer: in QUEUED it is the deadline, in IN_FLIGHT there is
 * none (the exchange has its own), in PAUSED the end of the pause.
 */
#ifndef NATXDP_AWS_CALL_H
#define NATXDP_AWS_CALL_H

#include "body.h"
#include "client.h"
#include "credentials.h"
#include "http.h"
#include "imds.h"
#include "options.h"
#include "retry.h"
#include "timer.h"

enum call_state { CALL_QUEUED, CALL_IN_FLIGHT, CALL_PAUSED, CALL_ENDING };

struct call {
	struct call *next, *previous;
	struct aws_client *client;
	int64_t number;
	const struct aws_call_info *info;
	enum call_state state;
	struct aws_body body;
	struct aws_caller caller;
	int64_t started_ms, deadline_ms;
	int64_t last_start_ms; /* a try that is begun later has no time for an answer */
	unsigned int attempts_max;
	int paid; /* to the quota, for the retry under way */
	int64_t skew_used_ms;
	char key[AWS_KEY_MAX]; /* of the credentials that the try was signed with */
	struct aws_exchange *exchange;
	struct aws_timer timer;
	struct aws_result result; /* so far */
};

struct aws_client {
	struct aws_timers timers;
	struct aws_settings settings;
	struct aws_http *http;
	struct aws_imds *imds;
	struct aws_provider *provider;
	char region[AWS_REGION_MAX];
	int64_t region_read; /* of imds; 0: none */
	struct call *first, *last;
	unsigned int count[AWS_SERVICES]; /* of calls that have not ended */
	size_t bytes[AWS_SERVICES];	  /* of their bodies */
	unsigned int in_flight[AWS_SERVICES];
	struct aws_quota quota[AWS_SERVICES];
	int64_t last_number;
	struct aws_stats stats;
};

/* Owned by @client from now on. */
void aws_call_add(struct aws_client *client, struct call *call);

/* Drops it, without its callback. */
void aws_call_drop(struct call *call);

/* Sends what is queued, as far as it may. Calls no callback. */
void aws_calls_pump(struct aws_client *client, enum aws_service service);

/* Ends all that is queued, from the timer. */
void aws_calls_fail(struct aws_client *client, const char *problem);

/* client.c: false if the region is yet to be found, or those who wait have been failed. */
bool aws_region_known(struct aws_client *client);

#endif
