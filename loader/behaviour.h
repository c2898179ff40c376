/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How a NAT that runs treats its flows, for `natxdp status`. */
#ifndef NATXDP_BEHAVIOUR_H
#define NATXDP_BEHAVIOUR_H

#include <cjson/cJSON.h>
#include <netinet/in.h>
#include <stdio.h>

#include <natxdp/config.h>

/* A few lines, the first with @label. */
void behaviour_print(const char *label, const struct natxdp_config *config, FILE *out);

/* NULL if there is no memory. */
cJSON *behaviour_json(const struct natxdp_config *config);

#endif
