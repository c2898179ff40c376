/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "driver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <aws/autoscaling.h>
#include <aws/cloudwatch.h>
#include <aws/dynamodb.h>
#include <aws/elb.h>
#include <aws/logs.h>
#include <aws/ssm.h>

static void fill_metric(const cJSON *from, struct aws_metric *metric,
			struct aws_dimension *dimensions, double *values, double *counts)
{
	const cJSON *item;

	*metric = (struct aws_metric){
		.name = args_text(from, "name"),
		.unit = args_text(from, "unit"),
		.timestamp = (int64_t)args_number(from, "timestamp"),
		.resolution_s = (unsigned int)args_number(from, "resolution"),
		.dimensions = dimensions,
		.value = args_number(from, "value"),
	};
	cJSON_ArrayForEach(item, cJSON_GetObjectItem(from, "dimensions")) {
		dimensions[metric->dimension_count].name = item->string;
		dimensions[metric->dimension_count++].value = item->valuestring;
	}
	if (cJSON_HasObjectItem(from, "values")) {
		metric->kind = AWS_METRIC_VALUES;
		metric->values = values;
		cJSON_ArrayForEach(item, cJSON_GetObjectItem(from, "values"))
			values[metric->value_count++] = item->valuedouble;
		if (cJSON_HasObjectItem(from, "counts"))
			metric->counts = counts;
		cJSON_ArrayForEach(item, cJSON_GetObjectItem(from, "counts"))
			*counts++ = item->valuedouble;
	} else if (cJSON_HasObjectItem(from, "sum")) {
		metric->kind = AWS_METRIC_STATISTICS;
		metric->statistics.samples = args_number(from, "samples");
		metric->statistics.sum = args_number(from, "sum");
		metric->statistics.minimum = args_number(from, "minimum");
		metric->statistics.maximum = args_number(from, "maximum");
	}
}

/* metrics: [{...}], or the first one `repeat` times */
static int64_t put_metric_data(struct aws_client *client, const cJSON *args,
			       const struct aws_caller *caller)
{
	static double values[AWS_METRIC_VALUES_MAX], counts[AWS_METRIC_VALUES_MAX];
	struct aws_dimension dimensions[AWS_METRIC_DIMENSIONS_MAX];
	unsigned int i, repeat = (unsigned int)args_number(args, "repeat");
	struct aws_metric_batch batch;
	struct aws_metric metric;
	const cJSON *item;
	int err = aws_metrics_begin(&batch, args_text(args, "namespace"));

	cJSON_ArrayForEach(item, cJSON_GetObjectItem(args, "metrics")) {
		fill_metric(item, &metric, dimensions, values, counts);
		for (i = 0; !err && i < (repeat ? repeat : 1); i++)
			err = aws_metrics_add(&batch, &metric);
	}
	if (err) {
		aws_metrics_drop(&batch);
		return err;
	}
	return aws_metrics_put(client, &batch, caller);
}

static int64_t create_log_group(struct aws_client *client, const cJSON *args,
				const struct aws_caller *caller)
{
	return aws_logs_create_group(client, args_text(args, "group"), caller);
}

static int64_t create_log_stream(struct aws_client *client, const cJSON *args,
				 const struct aws_caller *caller)
{
	return aws_logs_create_stream(client, args_text(args, "group"), args_text(args, "stream"),
				      caller);
}

static int64_t put_log_events(struct aws_client *client, const cJSON *args,
			      const struct aws_caller *caller)
{
	struct aws_log_batch batch;
	const cJSON *item;
	int err = aws_logs_begin(&batch, args_text(args, "group"), args_text(args, "stream"));

	cJSON_ArrayForEach(item, cJSON_GetObjectItem(args, "events")) {
		const char *message = args_text(item, "message");

		if (!err)
			err = aws_logs_add(&batch, (int64_t)args_number(item, "time"), message,
					   strlen(message));
	}
	if (err) {
		aws_logs_drop(&batch);
		return err;
	}
	return aws_logs_put(client, &batch, caller);
}

typedef int64_t (*targets_function)(struct aws_client *client, const char *group,
				    unsigned int count, const struct aws_target_id *targets,
				    const struct aws_caller *caller);

/* targets: {id: port} */
static int64_t targets(struct aws_client *client, const cJSON *args,
		       const struct aws_caller *caller, targets_function function)
{
	struct aws_target_id ids[TEXTS_MAX];
	const cJSON *item;
	unsigned int count = 0;

	cJSON_ArrayForEach(item, cJSON_GetObjectItem(args, "targets"))
		ids[count++] = (struct aws_target_id){ item->string,
						       (unsigned int)item->valuedouble };
	return function(client, args_text(args, "group"), count, ids, caller);
}

static int64_t register_targets(struct aws_client *client, const cJSON *args,
				const struct aws_caller *caller)
{
	return targets(client, args, caller, aws_elb_register);
}

static int64_t deregister_targets(struct aws_client *client, const cJSON *args,
				  const struct aws_caller *caller)
{
	return targets(client, args, caller, aws_elb_deregister);
}

static int64_t target_health(struct aws_client *client, const cJSON *args,
			     const struct aws_caller *caller)
{
	return targets(client, args, caller, aws_elb_target_health);
}

static int64_t describe_listeners(struct aws_client *client, const cJSON *args,
				  const struct aws_caller *caller)
{
	return aws_elb_describe_listener(client, args_text(args, "listener"), caller);
}

static unsigned int weights(const cJSON *args, struct aws_weight *list)
{
	const cJSON *item;
	unsigned int count = 0;

	cJSON_ArrayForEach(item, cJSON_GetObjectItem(args, "weights"))
		list[count++] = (struct aws_weight){ item->string,
						     (unsigned int)item->valuedouble };
	return count;
}

static int64_t modify_listener(struct aws_client *client, const cJSON *args,
			       const struct aws_caller *caller)
{
	struct aws_weight list[TEXTS_MAX];
	unsigned int count = weights(args, list);

	return aws_elb_listener_weights(client, args_text(args, "listener"), count, list, caller);
}

static int64_t modify_rule(struct aws_client *client, const cJSON *args,
			   const struct aws_caller *caller)
{
	struct aws_weight list[TEXTS_MAX];
	unsigned int count = weights(args, list);

	return aws_elb_rule_weights(client, args_text(args, "rule"), count, list, caller);
}

static struct aws_lifecycle_action lifecycle(const cJSON *args)
{
	return (struct aws_lifecycle_action){ args_text(args, "hook"), args_text(args, "group"),
					      args_text(args, "token"),
					      args_text(args, "instance") };
}

static int64_t complete_action(struct aws_client *client, const cJSON *args,
			       const struct aws_caller *caller)
{
	struct aws_lifecycle_action action = lifecycle(args);

	return aws_autoscaling_complete(client, &action, args_flag(args, "go_on"), caller);
}

static int64_t heartbeat(struct aws_client *client, const cJSON *args,
			 const struct aws_caller *caller)
{
	struct aws_lifecycle_action action = lifecycle(args);

	return aws_autoscaling_heartbeat(client, &action, caller);
}

static int64_t describe_groups(struct aws_client *client, const cJSON *args,
			       const struct aws_caller *caller)
{
	const char *names[TEXTS_MAX];
	unsigned int count = args_texts(args, "names", names);

	return aws_autoscaling_describe_groups(client, count, names, args_text(args, "next_token"),
					       caller);
}

static int64_t set_health(struct aws_client *client, const cJSON *args,
			  const struct aws_caller *caller)
{
	return aws_autoscaling_set_health(client, args_text(args, "instance"),
					  args_flag(args, "healthy"), args_flag(args, "grace"),
					  caller);
}

static int64_t send_command(struct aws_client *client, const cJSON *args,
			    const struct aws_caller *caller)
{
	const char *instances[TEXTS_MAX], *lines[TEXTS_MAX];
	unsigned int count = args_texts(args, "instances", instances);
	unsigned int line_count = args_texts(args, "lines", lines);

	return aws_ssm_send_command(client, count, instances, line_count, lines,
				    (unsigned int)args_number(args, "timeout"), caller);
}

static int64_t get_invocation(struct aws_client *client, const cJSON *args,
			      const struct aws_caller *caller)
{
	return aws_ssm_get_command_invocation(client, args_text(args, "command"),
					      args_text(args, "instance"), caller);
}

static int64_t get_parameter(struct aws_client *client, const cJSON *args,
			     const struct aws_caller *caller)
{
	return aws_ssm_get_parameter(client, args_text(args, "name"), caller);
}

static int64_t put_parameter(struct aws_client *client, const cJSON *args,
			     const struct aws_caller *caller)
{
	return aws_ssm_put_parameter(client, args_text(args, "name"), args_text(args, "value"),
				     args_flag(args, "overwrite"), caller);
}

/* {name: "text"}, {name: 12} or {name: true} */
static unsigned int attributes(const cJSON *from, struct aws_attribute *list,
			       char numbers[TEXTS_MAX][32])
{
	const cJSON *item;
	unsigned int count = 0;

	cJSON_ArrayForEach(item, from) {
		struct aws_attribute *attribute = &list[count];

		attribute->name = item->string;
		if (cJSON_IsNumber(item)) {
			attribute->type = AWS_NUMBER;
			cJSON_PrintPreallocated((cJSON *)item, numbers[count], 32, false);
			attribute->value = numbers[count];
		} else if (cJSON_IsBool(item)) {
			attribute->type = AWS_BOOL;
			attribute->value = cJSON_IsTrue(item) ? "true" : "false";
		} else {
			attribute->type = AWS_STRING;
			attribute->value = item->valuestring;
		}
		count++;
	}
	return count;
}

static int64_t dynamodb(struct aws_client *client, const cJSON *args,
			const struct aws_caller *caller, enum aws_op op)
{
	struct aws_attribute map[TEXTS_MAX], values[TEXTS_MAX];
	char map_numbers[TEXTS_MAX][32], value_numbers[TEXTS_MAX][32];
	struct aws_name names[TEXTS_MAX];
	struct aws_expression expression = {
		.condition = args_text(args, "condition"),
		.update = args_text(args, "update"),
		.names = names,
		.values = values,
	};
	const char *table = args_text(args, "table");
	const cJSON *item;
	unsigned int count = attributes(cJSON_GetObjectItem(args, "map"), map, map_numbers);

	cJSON_ArrayForEach(item, cJSON_GetObjectItem(args, "names"))
		names[expression.name_count++] = (struct aws_name){ item->string,
								    item->valuestring };
	expression.value_count = attributes(cJSON_GetObjectItem(args, "values"), values,
					    value_numbers);
	if (op == AWS_OP_GetItem)
		return aws_dynamodb_get(client, table, count, map, caller);
	if (op == AWS_OP_PutItem)
		return aws_dynamodb_put(client, table, count, map, &expression, caller);
	return aws_dynamodb_update(client, table, count, map, &expression, caller);
}

static int64_t get_item(struct aws_client *client, const cJSON *args,
			const struct aws_caller *caller)
{
	return dynamodb(client, args, caller, AWS_OP_GetItem);
}

static int64_t put_item(struct aws_client *client, const cJSON *args,
			const struct aws_caller *caller)
{
	return dynamodb(client, args, caller, AWS_OP_PutItem);
}

static int64_t update_item(struct aws_client *client, const cJSON *args,
			   const struct aws_caller *caller)
{
	return dynamodb(client, args, caller, AWS_OP_UpdateItem);
}

const driver_function driver_functions[AWS_OPS] = {
	[AWS_OP_PutMetricData] = put_metric_data,
	[AWS_OP_CreateLogGroup] = create_log_group,
	[AWS_OP_CreateLogStream] = create_log_stream,
	[AWS_OP_PutLogEvents] = put_log_events,
	[AWS_OP_RegisterTargets] = register_targets,
	[AWS_OP_DeregisterTargets] = deregister_targets,
	[AWS_OP_DescribeTargetHealth] = target_health,
	[AWS_OP_DescribeListeners] = describe_listeners,
	[AWS_OP_ModifyListener] = modify_listener,
	[AWS_OP_ModifyRule] = modify_rule,
	[AWS_OP_CompleteLifecycleAction] = complete_action,
	[AWS_OP_RecordLifecycleActionHeartbeat] = heartbeat,
	[AWS_OP_DescribeAutoScalingGroups] = describe_groups,
	[AWS_OP_SetInstanceHealth] = set_health,
	[AWS_OP_SendCommand] = send_command,
	[AWS_OP_GetCommandInvocation] = get_invocation,
	[AWS_OP_GetParameter] = get_parameter,
	[AWS_OP_PutParameter] = put_parameter,
	[AWS_OP_GetItem] = get_item,
	[AWS_OP_PutItem] = put_item,
	[AWS_OP_UpdateItem] = update_item,
};
