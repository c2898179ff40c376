/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "timer.h"

#include <stddef.h>
#include <sys/random.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t system_monotonic_ms(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_MONOTONIC);
}

static int64_t system_wall_ms(void *ctx)
{
	(void)ctx;
	return read_clock(CLOCK_REALTIME);
}

/* Only spreads retries: in early boot the time will do. */
static uint32_t system_random(void *ctx)
{
	uint32_t number;

	(void)ctx;
	if (getrandom(&number, sizeof(number), GRND_NONBLOCK) != sizeof(number))
		number = (uint32_t)read_clock(CLOCK_MONOTONIC) * 2654435761u;
	return number;
}

void aws_timers_init(struct aws_timers *timers, const struct aws_loop *loop)
{
	*timers = (struct aws_timers){ .loop = *loop };
	if (!timers->loop.monotonic_ms)
		timers->loop.monotonic_ms = system_monotonic_ms;
	if (!timers->loop.wall_ms)
		timers->loop.wall_ms = system_wall_ms;
	if (!timers->loop.random)
		timers->loop.random = system_random;
}

int64_t aws_now_ms(const struct aws_timers *timers)
{
	return timers->loop.monotonic_ms(timers->loop.ctx);
}

int64_t aws_wall_ms(const struct aws_timers *timers)
{
	return timers->loop.wall_ms(timers->loop.ctx);
}

int64_t aws_random_upto(const struct aws_timers *timers, int64_t limit)
{
	if (limit <= 0)
		return 0;
	return (int64_t)(timers->loop.random(timers->loop.ctx) % ((uint64_t)limit + 1));
}

static void arm(struct aws_timers *timers)
{
	int64_t delay;

	if (!timers->first) {
		timers->loop.arm(timers->loop.ctx, -1);
		return;
	}
	delay = timers->first->at_ms - aws_now_ms(timers);
	timers->loop.arm(timers->loop.ctx, delay > 0 ? delay : 0);
}

static void unlink_timer(struct aws_timer *timer)
{
	*timer->link = timer->next;
	if (timer->next)
		timer->next->link = timer->link;
	timer->link = NULL;
}

void aws_timer_start(struct aws_timers *timers, struct aws_timer *timer, int64_t delay_ms,
		     void (*fire)(void *owner), void *owner)
{
	struct aws_timer **place = &timers->first;

	if (timer->link)
		unlink_timer(timer);
	timer->at_ms = aws_now_ms(timers) + (delay_ms > 0 ? delay_ms : 0);
	timer->round = timers->round;
	timer->fire = fire;
	timer->owner = owner;
	while (*place && (*place)->at_ms <= timer->at_ms)
		place = &(*place)->next;
	timer->next = *place;
	timer->link = place;
	*place = timer;
	if (timer->next)
		timer->next->link = &timer->next;
	arm(timers);
}

void aws_timer_stop(struct aws_timers *timers, struct aws_timer *timer)
{
	bool was_first = timers->first == timer;

	if (!timer->link)
		return;
	unlink_timer(timer);
	if (was_first)
		arm(timers);
}

void aws_timers_run(struct aws_timers *timers)
{
	int64_t now = aws_now_ms(timers);
	uint64_t round = timers->round++;
	struct aws_timer *timer;

	while ((timer = timers->first) && timer->at_ms <= now && timer->round <= round) {
		unlink_timer(timer);
		timer->fire(timer->owner);
	}
	arm(timers);
}
