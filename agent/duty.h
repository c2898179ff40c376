/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What AWS is told of a node that is to go: its target group sends it nothing new, and its
 * Auto Scaling group, which waits for it, may end the instance. What AWS did not answer is
 * asked again at a later call; what it refused is said once.
 */
#ifndef NATXDP_AGENT_DUTY_H
#define NATXDP_AGENT_DUTY_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/client.h"

struct agent;

/* The owner's; all of it may be 0 but for the first four. */
struct duty {
	struct agent *agent;
	struct aws_client *client;     /* outlives the calls */
	const char *instance;	       /* "": the one that the metadata service names */
	const char *who;	       /* begins the lines of the log */
	bool off;		       /* out of the target group, or asked for */
	bool completing, completed;    /* the lifecycle action */
	int64_t off_due, complete_due; /* ms: not before */
};

/* Out of ha_target_group, or back into it; nothing if it is there already. */
void duty_set_off(struct duty *duty, bool off);

/* Auto Scaling may go on, if it waits for us. It may begin to do so when we are ready for long. */
void duty_complete(struct duty *duty);

#endif
