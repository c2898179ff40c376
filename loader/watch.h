/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Follows rtnetlink, and holds fragments that come too early, until the NAT is
 * unloaded or a signal comes.
 */
#ifndef NATXDP_WATCH_H
#define NATXDP_WATCH_H

struct err;

/* @ready_fd gets a byte when nothing is missed any more; -1 for none. */
int watch_run(const char *pin_dir, int ready_fd, struct err *err);

#endif
