/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "elb.h"

#include <errno.h>
#include <string.h>

#include "body.h"
#include "results.h"

static void begin(struct aws_body *body, enum aws_op op)
{
	aws_form_add(body, aws_calls[op].action, "Action");
	aws_form_add(body, aws_services[AWS_ELB].version, "Version");
}

static int64_t targets(struct aws_client *client, enum aws_op op, const char *target_group,
		       unsigned int count, const struct aws_target_id *ids,
		       const struct aws_caller *caller)
{
	struct aws_body body = { 0 };
	unsigned int i;

	begin(&body, op);
	aws_form_add(&body, target_group, "TargetGroupArn");
	for (i = 0; i < count; i++) {
		aws_form_add(&body, ids[i].id, "Targets.member.%u.Id", i + 1);
		if (ids[i].port)
			aws_form_add_number(&body, ids[i].port, "Targets.member.%u.Port", i + 1);
	}
	return aws_call(client, op, &body, caller);
}

int64_t aws_elb_register(struct aws_client *client, const char *target_group, unsigned int count,
			 const struct aws_target_id *ids, const struct aws_caller *caller)
{
	return targets(client, AWS_OP_RegisterTargets, target_group, count, ids, caller);
}

int64_t aws_elb_deregister(struct aws_client *client, const char *target_group, unsigned int count,
			   const struct aws_target_id *ids, const struct aws_caller *caller)
{
	return targets(client, AWS_OP_DeregisterTargets, target_group, count, ids, caller);
}

int64_t aws_elb_target_health(struct aws_client *client, const char *target_group,
			      unsigned int count, const struct aws_target_id *ids,
			      const struct aws_caller *caller)
{
	return targets(client, AWS_OP_DescribeTargetHealth, target_group, count, ids, caller);
}

int64_t aws_elb_describe_listener(struct aws_client *client, const char *listener,
				  const struct aws_caller *caller)
{
	struct aws_body body = { 0 };

	begin(&body, AWS_OP_DescribeListeners);
	aws_form_add(&body, listener, "ListenerArns.member.1");
	return aws_call(client, AWS_OP_DescribeListeners, &body, caller);
}

static int64_t weights(struct aws_client *client, enum aws_op op, const char *kind, const char *arn,
		       unsigned int count, const struct aws_weight *weights,
		       const struct aws_caller *caller)
{
	/* ModifyListener has DefaultActions, ModifyRule has Actions */
	const char *actions = op == AWS_OP_ModifyListener ? "DefaultActions" : "Actions";
	struct aws_body body = { 0 };
	unsigned int i;

	begin(&body, op);
	aws_form_add(&body, arn, "%s", kind);
	aws_form_add(&body, "forward", "%s.member.1.Type", actions);
	for (i = 0; i < count; i++) {
		aws_form_add(&body, weights[i].target_group,
			     "%s.member.1.ForwardConfig.TargetGroups.member.%u.TargetGroupArn",
			     actions, i + 1);
		aws_form_add_number(&body, weights[i].weight,
				    "%s.member.1.ForwardConfig.TargetGroups.member.%u.Weight",
				    actions, i + 1);
	}
	return aws_call(client, op, &body, caller);
}

int64_t aws_elb_listener_weights(struct aws_client *client, const char *listener,
				 unsigned int count, const struct aws_weight *groups,
				 const struct aws_caller *caller)
{
	return weights(client, AWS_OP_ModifyListener, "ListenerArn", listener, count, groups,
		       caller);
}

int64_t aws_elb_rule_weights(struct aws_client *client, const char *rule, unsigned int count,
			     const struct aws_weight *groups, const struct aws_caller *caller)
{
	return weights(client, AWS_OP_ModifyRule, "RuleArn", rule, count, groups, caller);
}

static int parse_state(const cJSON *from, void *to, struct aws_result *result)
{
	struct aws_target_state *state = to;
	const cJSON *target = aws_doc_member(from, "Target");
	const cJSON *health = aws_doc_member(from, "TargetHealth");

	(void)result;
	state->id = aws_doc_text(target, "Id");
	state->port = aws_doc_count(target, "Port");
	state->state = aws_doc_text(health, "State");
	state->reason = aws_doc_text(health, "Reason");
	return 0;
}

int aws_parse_target_health(const cJSON *answer, struct aws_result *result)
{
	struct aws_target_states *states = aws_result_alloc(result, 1, sizeof(*states));

	if (!states)
		return -ENOMEM;
	result->output = states;
	return aws_parse_list(aws_doc_list(answer, "TargetHealthDescriptions"),
			      sizeof(*states->items), parse_state, &states->items, &states->count,
			      result);
}

static int parse_weight(const cJSON *from, void *to, struct aws_result *result)
{
	struct aws_weight *weight = to;

	(void)result;
	weight->target_group = aws_doc_text(from, "TargetGroupArn");
	/* what nobody has weighed has the default */
	weight->weight = *aws_doc_text(from, "Weight") ? aws_doc_count(from, "Weight") : 1;
	return 0;
}

static int parse_listener(const cJSON *from, void *to, struct aws_result *result)
{
	const cJSON *actions = aws_doc_list(from, "DefaultActions"), *action;
	struct aws_listener *listener = to;

	listener->arn = aws_doc_text(from, "ListenerArn");
	action = cJSON_GetArrayItem(actions, 0);
	listener->forwards = cJSON_GetArraySize(actions) == 1 &&
			     !strcmp(aws_doc_text(action, "Type"), "forward");
	return aws_parse_list(aws_doc_list(aws_doc_member(action, "ForwardConfig"), "TargetGroups"),
			      sizeof(*listener->groups), parse_weight, &listener->groups,
			      &listener->group_count, result);
}

int aws_parse_listeners(const cJSON *answer, struct aws_result *result)
{
	struct aws_listeners *listeners = aws_result_alloc(result, 1, sizeof(*listeners));

	if (!listeners)
		return -ENOMEM;
	result->output = listeners;
	return aws_parse_list(aws_doc_list(answer, "Listeners"), sizeof(*listeners->items),
			      parse_listener, &listeners->items, &listeners->count, result);
}
