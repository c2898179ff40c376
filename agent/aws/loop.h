/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the AWS client wants of the event loop that it lives in: watched file
 * descriptors, one timer, clocks and chance. The client has no thread and
 * never waits; it only acts inside the functions that its owner calls.
 */
#ifndef NATXDP_AWS_LOOP_H
#define NATXDP_AWS_LOOP_H

#include <stdint.h>

struct aws_loop {
	void *ctx; /* the first argument of each function below */

	/*
	 * Watches @fd, level-triggered, for @events (a mask of EPOLLIN and
	 * EPOLLOUT), in place of what it was watched for before; 0: no more.
	 * When something happens (EPOLLERR and EPOLLHUP too), the loop calls
	 * aws_client_ready(). @fd may be closed after it was unwatched, and
	 * its number used anew. Returns 0 or -errno.
	 */
	int (*watch)(void *ctx, int fd, uint32_t events);

	/*
	 * Calls aws_client_wake() once, @delay_ms from now (0: as soon as
	 * possible, but not from inside of arm); replaces what was armed
	 * before. Negative: disarms.
	 */
	void (*arm)(void *ctx, int64_t delay_ms);

	/* NULL: the system's (CLOCK_MONOTONIC, CLOCK_REALTIME, getrandom). */
	int64_t (*monotonic_ms)(void *ctx);
	int64_t (*wall_ms)(void *ctx);
	uint32_t (*random)(void *ctx);
};

#endif
