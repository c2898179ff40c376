/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Changes to NICs that `natxdp load --fix` makes, and their end: what it was
 * is written to /run/natxdp before anything is changed, so that whoever comes
 * next can put it back, also after a crash.
 */
#ifndef NATXDP_NICFIX_H
#define NATXDP_NICFIX_H

struct err;
struct plan;

/* Changes what keeps the drivers of the interfaces from running XDP, and nothing else. */
int nicfix_apply(const struct plan *plan, struct err *err);

/* Refuses drivers whose XDP takes the machine down, for which there is no fix. */
int nicfix_refuse(const struct plan *plan, struct err *err);

/* After the programs are off. Forgets what it has put back. Returns 0 or -errno. */
int nicfix_restore(const char *pin_dir);

#endif
