/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* SSM documents on instances, and what they printed. */
#ifndef NATXDP_LAMBDA_COMMAND_H
#define NATXDP_LAMBDA_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "aws/ssm.h"
#include "fleet.h"

struct commands;
struct job;

enum { COMMAND_OUTPUT_MAX = 24000 }; /* what the API keeps */

struct outcome {
	bool ended;    /* false: no answer in time, or none at all */
	int exit_code; /* -1: not known */
	char status[32];
	char output[COMMAND_OUTPUT_MAX + 1];
	char errors[512];
};

/*
 * Runs @document on each of @instances by one SendCommand each, so that an
 * instance that SSM does not know keeps none of the others from being asked,
 * and waits for all, @wait_ms at most (0: all of the job's time). Fills
 * @outcomes, which has as many. What an instance does not do makes no job fail.
 */
int command_run(struct job *job, const struct aws_document *document, int64_t wait_ms,
		unsigned int count, const char *const *instances, struct outcome *outcomes);

/*
 * The same for those who have something else to do meanwhile: sends, and waits as often as is
 * liked, each time until all have ended or @wait_ms are over; returns how many have not ended.
 * @instances and @outcomes are used until the end. NULL after job_fail().
 */
struct commands *commands_start(struct job *job, const struct aws_document *document,
				unsigned int count, const char *const *instances,
				struct outcome *outcomes);
unsigned int commands_wait(struct commands *commands, int64_t wait_ms);
void commands_end(struct commands *commands);

#endif
