/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* `natxdpd drain`: asks the agent that runs to hand over or run dry, and waits. */
#ifndef NATXDP_AGENT_DRAIN_H
#define NATXDP_AGENT_DRAIN_H

#include <stdbool.h>

struct err;

/*
 * 0 when nothing is owned here any more, or no flow is left to serve, or at once with @undo.
 * -errno with @err written.
 */
int drain_run(const char *pin_dir, bool undo, unsigned int patience_s, struct err *err);

#endif
