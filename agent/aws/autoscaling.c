/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "autoscaling.h"

#include <errno.h>

#include "body.h"
#include "results.h"

static void begin(struct aws_body *body, enum aws_op op)
{
	aws_form_add(body, aws_calls[op].action, "Action");
	aws_form_add(body, aws_services[AWS_AUTOSCALING].version, "Version");
}

static void add_action(struct aws_body *body, const struct aws_lifecycle_action *action)
{
	aws_form_add(body, action->hook, "LifecycleHookName");
	aws_form_add(body, action->group, "AutoScalingGroupName");
	aws_form_add(body, action->token, "LifecycleActionToken");
	aws_form_add(body, action->instance, "InstanceId");
}

int64_t aws_autoscaling_complete(struct aws_client *client,
				 const struct aws_lifecycle_action *action, bool go_on,
				 const struct aws_caller *caller)
{
	struct aws_body body = { 0 };

	begin(&body, AWS_OP_CompleteLifecycleAction);
	add_action(&body, action);
	aws_form_add(&body, go_on ? "CONTINUE" : "ABANDON", "LifecycleActionResult");
	return aws_call(client, AWS_OP_CompleteLifecycleAction, &body, caller);
}

int64_t aws_autoscaling_heartbeat(struct aws_client *client,
				  const struct aws_lifecycle_action *action,
				  const struct aws_caller *caller)
{
	struct aws_body body = { 0 };

	begin(&body, AWS_OP_RecordLifecycleActionHeartbeat);
	add_action(&body, action);
	return aws_call(client, AWS_OP_RecordLifecycleActionHeartbeat, &body, caller);
}

int64_t aws_autoscaling_describe_groups(struct aws_client *client, unsigned int count,
					const char *const *names, const char *next_token,
					const struct aws_caller *caller)
{
	struct aws_body body = { 0 };
	unsigned int i;

	begin(&body, AWS_OP_DescribeAutoScalingGroups);
	for (i = 0; i < count; i++)
		aws_form_add(&body, names[i], "AutoScalingGroupNames.member.%u", i + 1);
	aws_form_add(&body, next_token, "NextToken");
	return aws_call(client, AWS_OP_DescribeAutoScalingGroups, &body, caller);
}

int64_t aws_autoscaling_set_health(struct aws_client *client, const char *instance, bool healthy,
				   bool respect_grace_period, const struct aws_caller *caller)
{
	struct aws_body body = { 0 };

	begin(&body, AWS_OP_SetInstanceHealth);
	aws_form_add(&body, instance, "InstanceId");
	aws_form_add(&body, healthy ? "Healthy" : "Unhealthy", "HealthStatus");
	aws_form_add_bool(&body, respect_grace_period, "ShouldRespectGracePeriod");
	return aws_call(client, AWS_OP_SetInstanceHealth, &body, caller);
}

static int parse_instance(const cJSON *from, void *to, struct aws_result *result)
{
	struct aws_group_instance *instance = to;

	(void)result;
	instance->id = aws_doc_text(from, "InstanceId");
	instance->zone = aws_doc_text(from, "AvailabilityZone");
	instance->lifecycle_state = aws_doc_text(from, "LifecycleState");
	instance->health = aws_doc_text(from, "HealthStatus");
	return 0;
}

static int parse_group(const cJSON *from, void *to, struct aws_result *result)
{
	struct aws_group *group = to;
	int err;

	group->name = aws_doc_text(from, "AutoScalingGroupName");
	group->minimum = aws_doc_count(from, "MinSize");
	group->maximum = aws_doc_count(from, "MaxSize");
	group->desired = aws_doc_count(from, "DesiredCapacity");
	err = aws_parse_list(aws_doc_list(from, "Instances"), sizeof(*group->instances),
			     parse_instance, &group->instances, &group->instance_count, result);
	return err ? err : aws_parse_tags(from, "Tags", &group->tags, &group->tag_count, result);
}

int aws_parse_groups(const cJSON *answer, struct aws_result *result)
{
	struct aws_groups *groups = aws_result_alloc(result, 1, sizeof(*groups));

	if (!groups)
		return -ENOMEM;
	groups->next_token = aws_doc_text(answer, "NextToken");
	result->output = groups;
	return aws_parse_list(aws_doc_list(answer, "AutoScalingGroups"), sizeof(*groups->items),
			      parse_group, &groups->items, &groups->count, result);
}
