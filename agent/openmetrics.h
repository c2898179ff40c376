/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * /metrics, with the labels nat_id and zone on everything: OpenMetrics for who
 * asks for it, else the older text format of Prometheus, in which the name of a
 * counter's family has the suffix too.
 */
#ifndef NATXDP_AGENT_OPENMETRICS_H
#define NATXDP_AGENT_OPENMETRICS_H

#include <stdbool.h>
#include <stdio.h>

struct agent;

#define OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

#define PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

void openmetrics_write(const struct agent *agent, bool openmetrics, FILE *out);

#endif
