/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A loop of epoll and one timerfd, as small as the client needs it. */
#ifndef NATXDP_TEST_EPOLL_LOOP_H
#define NATXDP_TEST_EPOLL_LOOP_H

#include <aws/client.h>

struct epoll_loop {
	int epoll;
	int timer;
	int64_t longest_ms; /* that one turn has taken, waiting left out */
};

/* Exits if it cannot. */
void epoll_loop_open(struct epoll_loop *loop);
void epoll_loop_close(struct epoll_loop *loop);
void epoll_loop_hooks(struct epoll_loop *loop, struct aws_loop *hooks);

/* Waits for one batch of events; returns whether @input is readable. */
bool epoll_loop_turn(struct epoll_loop *loop, struct aws_client *client, int input);

#endif
