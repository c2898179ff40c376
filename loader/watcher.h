/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The process that works for a NAT beside the kernel (`natxdp watch`): one a pin
 * directory, known by a file with its process id that it keeps locked.
 */
#ifndef NATXDP_WATCHER_H
#define NATXDP_WATCHER_H

#include <stdbool.h>
#include <sys/types.h>

struct err;
struct hold_counters;

/* 0 if none runs. */
pid_t watcher_pid(const char *pin_dir);

/* Starts one, detached, and returns when it follows. */
int watcher_start(const char *pin_dir, struct err *err);

/* Ends it and waits until it has ended. No watcher is no error. */
void watcher_stop(const char *pin_dir);

/* What watchers have counted goes when the NAT goes. */
void watcher_forget(const char *pin_dir);

/* Makes this process the watcher; the descriptor holds the lock. */
int watcher_claim(const char *pin_dir, struct err *err);

/* Counters of this watcher that others can read, from zero. NULL if that fails. */
struct hold_counters *watcher_share_counters(const char *pin_dir);
void watcher_unshare_counters(struct hold_counters *counters);

/* Those of the watcher that runs; false if there are none. */
bool watcher_read_counters(const char *pin_dir, struct hold_counters *counters);

#endif
