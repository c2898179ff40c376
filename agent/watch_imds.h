/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Asks the instance metadata service again and again whether this instance is
 * to go, and makes events of what has changed.
 */
#ifndef NATXDP_AGENT_WATCH_IMDS_H
#define NATXDP_AGENT_WATCH_IMDS_H

#include "notice.h"

struct agent;
struct cJSON;
struct watch;

/* NULL without memory. */
struct watch *watch_start(struct agent *agent);
void watch_stop(struct watch *watch);

/* Who is told of each change; more may be added than one. 0 or -ENOSPC. */
typedef void (*watch_hook)(void *ctx, enum notice_kind kind, const struct notice *notice);
int watch_add_hook(struct watch *watch, watch_hook hook, void *ctx);

/* Does a notice of this kind, or of any (NOTICES), say that this instance is to go? */
bool watch_is_leaving(const struct watch *watch, enum notice_kind kind);

/* What a document says; "": nothing, or nothing yet. Valid until the loop goes on. */
const char *watch_text(const struct watch *watch, enum notice_kind kind);

void watch_status(const struct watch *watch, struct cJSON *object);

#endif
