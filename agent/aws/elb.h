/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Elastic Load Balancing v2: targets, their health, weights of target groups. */
#ifndef NATXDP_AWS_ELB_H
#define NATXDP_AWS_ELB_H

#include <stdbool.h>
#include <stddef.h>

#include "client.h"

struct aws_target_id {
	const char *id;	   /* instance or address */
	unsigned int port; /* 0: the target group's */
};

struct aws_target_state {
	const char *id;
	unsigned int port;
	const char *state; /* "healthy", "unhealthy", "initial", "draining", "unused", ... */
	const char *reason;
};

struct aws_target_states {
	size_t count;
	const struct aws_target_state *items;
};

struct aws_weight {
	const char *target_group;
	unsigned int weight; /* 0 to 999 */
};

struct aws_listener {
	const char *arn;
	bool forwards; /* its default action does that, and nothing else */
	size_t group_count;
	const struct aws_weight *groups;
};

struct aws_listeners {
	size_t count;
	const struct aws_listener *items;
};

int64_t aws_elb_register(struct aws_client *client, const char *target_group, unsigned int count,
			 const struct aws_target_id *targets, const struct aws_caller *caller);
int64_t aws_elb_deregister(struct aws_client *client, const char *target_group, unsigned int count,
			   const struct aws_target_id *targets, const struct aws_caller *caller);
/* All targets of the group if @count is 0. -> struct aws_target_states */
int64_t aws_elb_target_health(struct aws_client *client, const char *target_group,
			      unsigned int count, const struct aws_target_id *targets,
			      const struct aws_caller *caller);
/* -> struct aws_listeners */
int64_t aws_elb_describe_listener(struct aws_client *client, const char *listener,
				  const struct aws_caller *caller);
/* Makes the listener's default action, or the rule's action, forward by these weights. */
int64_t aws_elb_listener_weights(struct aws_client *client, const char *listener,
				 unsigned int count, const struct aws_weight *weights,
				 const struct aws_caller *caller);
int64_t aws_elb_rule_weights(struct aws_client *client, const char *rule, unsigned int count,
			     const struct aws_weight *weights, const struct aws_caller *caller);

#endif
