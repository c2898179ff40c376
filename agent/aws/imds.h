/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The instance metadata service, version 2 only: a session token, then one
 * document at a time. A document that does not exist is an answer, not a
 * fault: most that are worth watching appear only when something happens.
 */
#ifndef NATXDP_AWS_IMDS_H
#define NATXDP_AWS_IMDS_H

#include <stddef.h>
#include <stdint.h>

#include "client.h"

struct aws_http;
struct aws_timers;

enum aws_imds_limits {
	AWS_IMDS_DOCUMENT_MAX = 64 * 1024,
};

/* Valid until the callback returns. */
struct aws_document {
	enum aws_fault fault; /* AWS_OK also if there is no such document */
	int status;	      /* 200, 404, ... */
	const char *text;     /* ends with 0; NULL unless status is 200 */
	size_t length;
	char message[AWS_MESSAGE_MAX]; /* for people, unless AWS_OK */
};

typedef void (*aws_imds_done)(void *ctx, const struct aws_document *document);

/*
 * Reads @path, e.g. "/latest/meta-data/spot/instance-action", within
 * @budget_ms (0: 5000). Repeats what fails for a moment, and takes a new token
 * when the old one is refused. The callback comes as aws_done does. Returns a
 * positive number, -EAGAIN if 16 wait already, -ENOTSUP if the IMDS is
 * switched off, -ENOMEM.
 */
int64_t aws_imds_get(struct aws_imds *imds, const char *path, uint32_t budget_ms,
		     aws_imds_done done, void *ctx);

void aws_imds_cancel(struct aws_imds *imds, int64_t number);

/*
 * For the client. @endpoint is an URL without a path. Timers and HTTP must
 * outlive it; freeing it (NULL is fine) drops what is under way.
 */
struct aws_imds *aws_imds_new(struct aws_timers *timers, struct aws_http *http,
			      const char *endpoint, bool off);
void aws_imds_free(struct aws_imds *imds);

#endif
