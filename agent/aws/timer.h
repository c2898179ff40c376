/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Many timers on the one that the loop has; and the loop's clocks and chance. */
#ifndef NATXDP_AWS_TIMER_H
#define NATXDP_AWS_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "loop.h"

/* All zero is a timer that does not run. Lives in what it belongs to. */
struct aws_timer {
	struct aws_timer *next, **link; /* link: what points here; NULL: does not run */
	int64_t at_ms;
	uint64_t round;
	void (*fire)(void *owner);
	void *owner;
};

struct aws_timers {
	struct aws_loop loop;
	struct aws_timer *first; /* the earliest */
	uint64_t round;
};

void aws_timers_init(struct aws_timers *timers, const struct aws_loop *loop);

/* Calls @fire once, @delay_ms from now; replaces what the timer did before. */
void aws_timer_start(struct aws_timers *timers, struct aws_timer *timer, int64_t delay_ms,
		     void (*fire)(void *owner), void *owner);
void aws_timer_stop(struct aws_timers *timers, struct aws_timer *timer);

/*
 * Fires what is due. What is started meanwhile waits for the next time, so
 * that nothing can keep the loop here.
 */
void aws_timers_run(struct aws_timers *timers);

int64_t aws_now_ms(const struct aws_timers *timers); /* monotonic */
int64_t aws_wall_ms(const struct aws_timers *timers);

/* From 0 to @limit, both included. */
int64_t aws_random_upto(const struct aws_timers *timers, int64_t limit);

#endif
