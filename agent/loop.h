/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The event loop: descriptors and timers, one thread, nothing that waits
 * elsewhere. A callback may watch, unwatch and stop as it likes.
 */
#ifndef NATXDP_AGENT_LOOP_H
#define NATXDP_AGENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

typedef void (*loop_ready)(void *ctx, int fd, uint32_t events);
typedef void (*loop_fired)(void *ctx);

/* NULL without memory or descriptors; errno says which. */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* Level-triggered; replaces what @fd was watched for; no events: no more. 0 or -errno. */
int loop_watch(struct loop *loop, int fd, uint32_t events, loop_ready ready, void *ctx);

/* Until loop_stop(). Returns 0 or -errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* A timer is a descriptor of the loop, or -errno. */
int loop_timer(struct loop *loop, loop_fired fired, void *ctx);
void loop_timer_free(struct loop *loop, int timer);

/* Once, @ms from now; negative: not at all. */
void loop_timer_once(int timer, int64_t ms);

/* Every @ms, from now on. */
void loop_timer_every(int timer, uint32_t ms);

/* Whenever the wall clock is a multiple of @ms, also after it was set. */
int loop_wall_timer(struct loop *loop, uint32_t ms, loop_fired fired, void *ctx);

int64_t loop_monotonic_ms(void);
int64_t loop_wall_ms(void);

#endif
