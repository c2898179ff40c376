/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The regular work: samples, intervals, walks over the table. */
#ifndef NATXDP_AGENT_SAMPLING_H
#define NATXDP_AGENT_SAMPLING_H

struct agent;

int sampling_start(struct agent *agent);

/* Interfaces that call the programs of the source. */
unsigned int sampling_attached(const struct agent *agent);

/* The source has other maps: a walk over the old table ends. */
void sampling_follow(struct agent *agent);

void sampling_stop(struct agent *agent);

/* Is the program still on all interfaces? Into agent->health; a few microseconds. */
void sampling_look_at_links(struct agent *agent);

#endif
