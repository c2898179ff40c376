/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The regular work: samples, intervals, walks over the table. */
#ifndef NATXDP_AGENT_SAMPLING_H
#define NATXDP_AGENT_SAMPLING_H

struct agent;

int sampling_start(struct agent *agent);
void sampling_stop(struct agent *agent);

#endif
