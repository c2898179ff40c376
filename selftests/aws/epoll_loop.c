/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "epoll_loop.h"

#include <error.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_MAX = 32 };

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int watch(void *ctx, int fd, uint32_t events)
{
	struct epoll_loop *loop = ctx;
	struct epoll_event event = { .events = events, .data.fd = fd };

	if (!events)
		return epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL) ? -errno : 0;
	if (!epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event) ||
	    !epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event))
		return 0;
	return -errno;
}

static void arm(void *ctx, int64_t delay_ms)
{
	struct epoll_loop *loop = ctx;
	struct itimerspec when = { 0 };

	if (delay_ms >= 0) {
		when.it_value.tv_sec = delay_ms / 1000;
		when.it_value.tv_nsec = delay_ms % 1000 * 1000000;
		if (!delay_ms)
			when.it_value.tv_nsec = 1; /* 0 would disarm */
	}
	if (timerfd_settime(loop->timer, 0, &when, NULL))
		error(1, errno, "timerfd_settime");
}

void epoll_loop_open(struct epoll_loop *loop)
{
	struct epoll_event event = { .events = EPOLLIN };

	loop->longest_ms = 0;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	event.data.fd = loop->timer;
	if (loop->epoll < 0 || loop->timer < 0 ||
	    epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->timer, &event))
		error(1, errno, "no event loop");
}

void epoll_loop_close(struct epoll_loop *loop)
{
	close(loop->timer);
	close(loop->epoll);
}

void epoll_loop_hooks(struct epoll_loop *loop, struct aws_loop *hooks)
{
	*hooks = (struct aws_loop){ .ctx = loop, .watch = watch, .arm = arm };
}

bool epoll_loop_turn(struct epoll_loop *loop, struct aws_client *client, int input)
{
	struct epoll_event events[EVENTS_MAX];
	int i, count = epoll_wait(loop->epoll, events, EVENTS_MAX, -1);
	int64_t start = now_ms(), took;
	bool readable = false;
	uint64_t expirations;

	for (i = 0; i < count; i++) {
		int fd = events[i].data.fd;

		if (fd == input) {
			readable = true;
		} else if (fd != loop->timer) {
			aws_client_ready(client, fd, events[i].events);
		} else if (read(loop->timer, &expirations, sizeof(expirations)) > 0) {
			aws_client_wake(client);
		}
	}
	took = now_ms() - start;
	if (took > loop->longest_ms)
		loop->longest_ms = took;
	return readable;
}
