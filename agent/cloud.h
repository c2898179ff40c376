/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What goes to AWS: the client in our event loop, and the metrics. Intervals
 * that CloudWatch has not taken yet wait in a bounded queue with the time that
 * they belong to; what has to go when there is no room is counted.
 */
#ifndef NATXDP_AGENT_CLOUD_H
#define NATXDP_AGENT_CLOUD_H

#include <stdint.h>

#include "keep.h"

struct agent;
struct aws_client;
struct cloud;
struct err;

struct cloud *cloud_start(struct agent *agent, struct err *err);
void cloud_stop(struct cloud *cloud);

struct aws_client *cloud_client(struct cloud *cloud);

/* Takes the interval of the agent that ends at @wall, and sends what waits. */
void cloud_interval(struct cloud *cloud, const struct keep_base *base, int64_t wall);

/* Intervals that wait. */
unsigned int cloud_waiting(const struct cloud *cloud);

#endif
