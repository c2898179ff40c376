/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_AT_ONCE = 64 };

struct watched {
	loop_ready ready;
	void *ctx;
	uint32_t generation; /* 0: not watched; an event of an earlier one is not ours */
};

struct loop {
	int epoll;
	bool stop;
	uint32_t generation;
	struct watched *watched; /* by descriptor */
	int room;
};

static int64_t clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t loop_monotonic_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

int64_t loop_wall_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

struct loop *loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll >= 0)
		return loop;
	free(loop);
	return NULL;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	close(loop->epoll);
	free(loop->watched);
	free(loop);
}

static int make_room(struct loop *loop, int fd)
{
	int room = loop->room ? loop->room : 64;
	struct watched *larger;

	while (room <= fd)
		room *= 2;
	if (room == loop->room)
		return 0;
	larger = realloc(loop->watched, room * sizeof(*larger));
	if (!larger)
		return -ENOMEM;
	memset(larger + loop->room, 0, (room - loop->room) * sizeof(*larger));
	loop->watched = larger;
	loop->room = room;
	return 0;
}

static int unwatch(struct loop *loop, int fd)
{
	if (fd >= loop->room || !loop->watched[fd].generation)
		return 0;
	memset(&loop->watched[fd], 0, sizeof(*loop->watched));
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL); /* fails if it is closed already */
	return 0;
}

int loop_watch(struct loop *loop, int fd, uint32_t events, loop_ready ready, void *ctx)
{
	struct epoll_event event = { .events = events };
	struct watched *w;
	int ret;

	if (fd < 0)
		return -EBADF;
	if (!events)
		return unwatch(loop, fd);
	ret = make_room(loop, fd);
	if (ret)
		return ret;
	w = &loop->watched[fd];
	w->ready = ready;
	w->ctx = ctx;
	w->generation = ++loop->generation ? loop->generation : ++loop->generation;
	event.data.u64 = (uint64_t)w->generation << 32 | (uint32_t)fd;
	if (!epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event) ||
	    (errno == ENOENT && !epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event)))
		return 0;
	ret = -errno;
	w->generation = 0;
	return ret;
}

static void dispatch(struct loop *loop, const struct epoll_event *event)
{
	int fd = (int)(uint32_t)event->data.u64;

	if (fd < loop->room && loop->watched[fd].generation == event->data.u64 >> 32)
		loop->watched[fd].ready(loop->watched[fd].ctx, fd, event->events);
}

int loop_run(struct loop *loop)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int count;

	while (!loop->stop) {
		count = epoll_wait(loop->epoll, events, EVENTS_AT_ONCE, -1);
		if (count < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < count && !loop->stop; i++)
			dispatch(loop, &events[i]);
	}
	loop->stop = false;
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
}

static void arm_wall(int timer, uint32_t period)
{
	int64_t next = (loop_wall_ms() / period + 1) * period;
	struct itimerspec spec = {
		.it_value = { next / 1000, next % 1000 * 1000000 },
		.it_interval = { period / 1000, period % 1000 * 1000000 },
	};

	timerfd_settime(timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL);
}

struct timer {
	loop_fired fired;
	void *ctx;
	uint32_t wall_period; /* ms; 0: monotonic */
};

static void timer_ready(void *ctx, int fd, uint32_t events)
{
	struct timer *timer = ctx;
	uint64_t times;

	(void)events;
	if (read(fd, &times, sizeof(times)) == sizeof(times))
		timer->fired(timer->ctx);
	else if (errno == ECANCELED) /* somebody set the clock */
		arm_wall(fd, timer->wall_period);
}

static int new_timer(struct loop *loop, clockid_t clock, const struct timer *like)
{
	struct timer *timer = malloc(sizeof(*timer));
	int fd, ret;

	if (!timer)
		return -ENOMEM;
	*timer = *like;
	fd = timerfd_create(clock, TFD_NONBLOCK | TFD_CLOEXEC);
	ret = fd < 0 ? -errno : loop_watch(loop, fd, EPOLLIN, timer_ready, timer);
	if (!ret)
		return fd;
	if (fd >= 0)
		close(fd);
	free(timer);
	return ret;
}

int loop_timer(struct loop *loop, loop_fired fired, void *ctx)
{
	struct timer timer = { fired, ctx, 0 };

	return new_timer(loop, CLOCK_MONOTONIC, &timer);
}

int loop_wall_timer(struct loop *loop, uint32_t ms, loop_fired fired, void *ctx)
{
	struct timer timer = { fired, ctx, ms };
	int fd = new_timer(loop, CLOCK_REALTIME, &timer);

	if (fd >= 0)
		arm_wall(fd, ms);
	return fd;
}

void loop_timer_free(struct loop *loop, int timer)
{
	if (timer < 0)
		return;
	free(loop->watched[timer].ctx);
	unwatch(loop, timer);
	close(timer);
}

static void set_monotonic(int timer, int64_t first, uint32_t period)
{
	struct itimerspec spec = {
		.it_value = { first / 1000, first % 1000 * 1000000 },
		.it_interval = { period / 1000, period % 1000 * 1000000 },
	};

	timerfd_settime(timer, 0, &spec, NULL);
}

void loop_timer_once(int timer, int64_t ms)
{
	struct itimerspec now = { .it_value.tv_nsec = 1 }; /* all zero would disarm */

	if (ms)
		set_monotonic(timer, ms < 0 ? 0 : ms, 0);
	else
		timerfd_settime(timer, 0, &now, NULL);
}

void loop_timer_every(int timer, uint32_t ms)
{
	set_monotonic(timer, ms, ms);
}
