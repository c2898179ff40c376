/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The process that follows rtnetlink for a NAT (`natxdp watch`): one a pin
 * directory, known by a file with its process id that it keeps locked.
 */
#ifndef NATXDP_WATCHER_H
#define NATXDP_WATCHER_H

#include <sys/types.h>

struct err;

/* 0 if none runs. */
pid_t watcher_pid(const char *pin_dir);

/* Starts one, detached, and returns when it follows. */
int watcher_start(const char *pin_dir, struct err *err);

/* Ends it and waits until it has ended. No watcher is no error. */
void watcher_stop(const char *pin_dir);

/* Makes this process the watcher; the descriptor holds the lock. */
int watcher_claim(const char *pin_dir, struct err *err);

#endif
