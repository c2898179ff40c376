/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Auto Scaling: lifecycle actions, groups, health of instances. */
#ifndef NATXDP_AWS_AUTOSCALING_H
#define NATXDP_AWS_AUTOSCALING_H

#include <stdbool.h>
#include <stddef.h>

#include "client.h"
#include "ec2.h"

/* Named by token, or by instance if that is NULL. */
struct aws_lifecycle_action {
	const char *hook;
	const char *group;
	const char *token;
	const char *instance;
};

struct aws_group_instance {
	const char *id;
	const char *zone;
	const char *lifecycle_state; /* "InService", "Terminating:Wait", ... */
	const char *health;	     /* "Healthy", "Unhealthy" */
};

struct aws_group {
	const char *name;
	unsigned int minimum, maximum, desired;
	size_t instance_count;
	const struct aws_group_instance *instances;
	size_t tag_count;
	const struct aws_tag *tags;
};

struct aws_groups {
	size_t count;
	const struct aws_group *items;
	const char *next_token;
};

/* CONTINUE, or ABANDON */
int64_t aws_autoscaling_complete(struct aws_client *client,
				 const struct aws_lifecycle_action *action, bool go_on,
				 const struct aws_caller *caller);
int64_t aws_autoscaling_heartbeat(struct aws_client *client,
				  const struct aws_lifecycle_action *action,
				  const struct aws_caller *caller);
/* All groups if @count is 0. -> struct aws_groups */
int64_t aws_autoscaling_describe_groups(struct aws_client *client, unsigned int count,
					const char *const *names, const char *next_token,
					const struct aws_caller *caller);
int64_t aws_autoscaling_set_health(struct aws_client *client, const char *instance, bool healthy,
				   bool respect_grace_period, const struct aws_caller *caller);

#endif
