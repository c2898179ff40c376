/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The Lambda runtime API, 2018-06-01: the service hands out events one by one,
 * and takes an answer or an error for each. It freezes the process in between,
 * so nothing else may go on meanwhile, and nothing has to be timed out.
 */
#ifndef NATXDP_LAMBDA_RUNTIME_H
#define NATXDP_LAMBDA_RUNTIME_H

#include <stdint.h>

struct err;
struct runtime;

enum { RUNTIME_REQUEST_MAX = 64 };

/* Valid until the next one is asked for. */
struct runtime_event {
	char request[RUNTIME_REQUEST_MAX];
	int64_t deadline_ms; /* Unix time */
	const char *body;    /* ends with 0 */
};

/* @api: host:port, of AWS_LAMBDA_RUNTIME_API. NULL with @err written on failure. */
struct runtime *runtime_open(const char *api, struct err *err);
void runtime_close(struct runtime *runtime);

/* Waits for an event. Returns 0 or -errno with @err written. */
int runtime_next(struct runtime *runtime, struct runtime_event *event, struct err *err);

/* Each ends an event, but the last, which says that the functions cannot begin at all. */
int runtime_answer(struct runtime *runtime, const struct runtime_event *event, const char *json,
		   struct err *err);
int runtime_fail(struct runtime *runtime, const struct runtime_event *event, const char *type,
		 const char *message, struct err *err);
int runtime_fail_init(struct runtime *runtime, const char *type, const char *message,
		      struct err *err);

#endif
