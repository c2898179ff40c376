/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What is kept about a NAT outside of the kernel, in /run/natxdp: the lock of
 * the loader, how it was loaded, the saved sysctls and NIC settings, the
 * process id of the watcher, and what it counts. The names come from the pin
 * directory, so that several NATs do not meet.
 */
#ifndef NATXDP_RUNDIR_H
#define NATXDP_RUNDIR_H

#include <stdbool.h>
#include <stdint.h>

struct err;

enum { RUN_PATH_MAX = 320 };

/* @kind: "lock", "load", "conf", "sysctl", "nic", "clsact", "hook", "watch", "held" or "agent". */
void rundir_path(char path[RUN_PATH_MAX], const char *pin_dir, const char *kind);

/*
 * The network namespace of this process, to know it again; 0 if that cannot be told. It is the
 * kernel's cookie (since Linux 5.14): the inode of a namespace that is gone is given to the next.
 */
uint64_t rundir_net_namespace(void);

/* Makes the directory. Returns 0 or -errno. */
int rundir_make(void);

/*
 * The lock that keeps two loaders apart; it is gone when the returned file
 * descriptor is closed, also by being killed. Refuses if it is taken for so long:
 * the watcher has it for moments, when the host changes.
 */
enum { LOCK_PATIENCE_MS = 15000 };

int rundir_lock(const char *pin_dir, unsigned int patience_ms, struct err *err);

/* @forget removes the file too: nothing is loaded there any more. */
void rundir_unlock(int fd, const char *pin_dir, bool forget);

#endif
