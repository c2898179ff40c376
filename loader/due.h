/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Asking the sweeper to look at buckets now instead of when it has planned to.
 * The data plane sets due times meanwhile. A whole group is written at once,
 * so each of its times becomes now: the sweeper may come too early, which
 * costs it one look, but never too late.
 */
#ifndef NATXDP_DUE_H
#define NATXDP_DUE_H

#include <stdint.h>

struct nat;

/* Each returns 0 or -errno. @now: table_ticks_now(). */
int due_bucket(const struct nat *nat, uint32_t bucket, uint32_t now);

/* Every bucket that has anything. */
int due_all(const struct nat *nat, uint32_t now);

#endif
