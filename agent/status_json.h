/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* /status: how the agent and its parts do, as JSON. */
#ifndef NATXDP_AGENT_STATUS_JSON_H
#define NATXDP_AGENT_STATUS_JSON_H

#include <stdio.h>

struct agent;

void status_json_write(const struct agent *agent, FILE *out);

#endif
