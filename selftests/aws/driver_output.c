/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "driver.h"

#include <aws/autoscaling.h>
#include <aws/dynamodb.h>
#include <aws/ec2.h>
#include <aws/elb.h>
#include <aws/logs.h>
#include <aws/ssm.h>

static void add(cJSON *object, const char *name, const char *value)
{
	cJSON_AddStringToObject(object, name, value);
}

static cJSON *element(cJSON *array)
{
	cJSON *object = cJSON_CreateObject();

	cJSON_AddItemToArray(array, object);
	return object;
}

static void add_tags(cJSON *object, const struct aws_tag *tags, size_t count)
{
	cJSON *map = cJSON_AddObjectToObject(object, "tags");
	size_t i;

	for (i = 0; i < count; i++)
		add(map, tags[i].key, tags[i].value);
}

static void add_interface(cJSON *object, const struct aws_interface *interface)
{
	cJSON *list;
	size_t i;

	add(object, "id", interface->id);
	add(object, "vpc", interface->vpc);
	add(object, "subnet", interface->subnet);
	add(object, "zone", interface->zone);
	add(object, "status", interface->status);
	add(object, "instance", interface->instance);
	add(object, "private_address", interface->private_address);
	cJSON_AddBoolToObject(object, "source_dest_check", interface->source_dest_check);
	list = cJSON_AddArrayToObject(object, "addresses");
	for (i = 0; i < interface->address_count; i++) {
		cJSON *address = element(list);

		add(address, "address", interface->addresses[i].address);
		cJSON_AddBoolToObject(address, "primary", interface->addresses[i].primary);
		add(address, "public_ip", interface->addresses[i].public_ip);
	}
	add_tags(object, interface->tags, interface->tag_count);
}

static void instances(const void *output, cJSON *object)
{
	const struct aws_instances *from = output;
	cJSON *list = cJSON_AddArrayToObject(object, "items"), *interfaces;
	size_t i, j;

	add(object, "next_token", from->next_token);
	for (i = 0; i < from->count; i++) {
		cJSON *item = element(list);

		add(item, "id", from->items[i].id);
		add(item, "state", from->items[i].state);
		add(item, "type", from->items[i].type);
		add(item, "zone", from->items[i].zone);
		add(item, "subnet", from->items[i].subnet);
		add(item, "private_address", from->items[i].private_address);
		add(item, "launch_time", from->items[i].launch_time);
		add_tags(item, from->items[i].tags, from->items[i].tag_count);
		interfaces = cJSON_AddArrayToObject(item, "interfaces");
		for (j = 0; j < from->items[i].interface_count; j++)
			add_interface(element(interfaces), &from->items[i].interfaces[j]);
	}
}

static void interfaces(const void *output, cJSON *object)
{
	const struct aws_interfaces *from = output;
	cJSON *list = cJSON_AddArrayToObject(object, "items");
	size_t i;

	add(object, "next_token", from->next_token);
	for (i = 0; i < from->count; i++)
		add_interface(element(list), &from->items[i]);
}

static void statuses(const void *output, cJSON *object)
{
	const struct aws_instance_statuses *from = output;
	cJSON *list = cJSON_AddArrayToObject(object, "items");
	size_t i;

	for (i = 0; i < from->count; i++) {
		cJSON *item = element(list);

		add(item, "id", from->items[i].id);
		add(item, "state", from->items[i].state);
		add(item, "system", from->items[i].system);
		add(item, "instance", from->items[i].instance);
		cJSON_AddNumberToObject(item, "events", (double)from->items[i].event_count);
	}
}

static void route_tables(const void *output, cJSON *object)
{
	const struct aws_route_tables *from = output;
	cJSON *list = cJSON_AddArrayToObject(object, "items");
	size_t i, j;

	for (i = 0; i < from->count; i++) {
		const struct aws_route_table *table = &from->items[i];
		cJSON *item = element(list), *routes, *subnets;

		add(item, "id", table->id);
		add(item, "vpc", table->vpc);
		add_tags(item, table->tags, table->tag_count);
		subnets = cJSON_AddArrayToObject(item, "subnets");
		for (j = 0; j < table->subnet_count; j++)
			cJSON_AddItemToArray(subnets, cJSON_CreateString(table->subnets[j]));
		routes = cJSON_AddArrayToObject(item, "routes");
		for (j = 0; j < table->route_count; j++) {
			cJSON *route = element(routes);

			add(route, "destination", table->routes[j].destination);
			add(route, "interface", table->routes[j].interface);
			add(route, "gateway", table->routes[j].gateway);
			add(route, "state", table->routes[j].state);
		}
	}
}

static void addresses(const void *output, cJSON *object)
{
	const struct aws_addresses *from = output;
	cJSON *list = cJSON_AddArrayToObject(object, "items");
	size_t i;

	for (i = 0; i < from->count; i++) {
		cJSON *item = element(list);

		add(item, "allocation", from->items[i].allocation);
		add(item, "public_ip", from->items[i].public_ip);
		add(item, "association", from->items[i].association);
		add(item, "interface", from->items[i].interface);
		add(item, "instance", from->items[i].instance);
		add(item, "private_address", from->items[i].private_address);
		add_tags(item, from->items[i].tags, from->items[i].tag_count);
	}
}

static void association(const void *output, cJSON *object)
{
	add(object, "id", ((const struct aws_association *)output)->id);
}

static void listeners(const void *output, cJSON *object)
{
	const struct aws_listeners *from = output;
	cJSON *list = cJSON_AddArrayToObject(object, "items");

	for (size_t i = 0; i < from->count; i++) {
		cJSON *item = element(list), *weights;

		add(item, "arn", from->items[i].arn);
		cJSON_AddBoolToObject(item, "forwards", from->items[i].forwards);
		weights = cJSON_AddObjectToObject(item, "weights");
		for (size_t j = 0; j < from->items[i].group_count; j++)
			cJSON_AddNumberToObject(weights, from->items[i].groups[j].target_group,
						from->items[i].groups[j].weight);
	}
}

static void targets(const void *output, cJSON *object)
{
	const struct aws_target_states *from = output;
	cJSON *list = cJSON_AddArrayToObject(object, "items");
	size_t i;

	for (i = 0; i < from->count; i++) {
		cJSON *item = element(list);

		add(item, "id", from->items[i].id);
		cJSON_AddNumberToObject(item, "port", from->items[i].port);
		add(item, "state", from->items[i].state);
		add(item, "reason", from->items[i].reason);
	}
}

static void groups(const void *output, cJSON *object)
{
	const struct aws_groups *from = output;
	cJSON *list = cJSON_AddArrayToObject(object, "items");
	size_t i, j;

	for (i = 0; i < from->count; i++) {
		const struct aws_group *group = &from->items[i];
		cJSON *item = element(list), *members;

		add(item, "name", group->name);
		cJSON_AddNumberToObject(item, "minimum", group->minimum);
		cJSON_AddNumberToObject(item, "maximum", group->maximum);
		cJSON_AddNumberToObject(item, "desired", group->desired);
		add_tags(item, group->tags, group->tag_count);
		members = cJSON_AddArrayToObject(item, "instances");
		for (j = 0; j < group->instance_count; j++) {
			cJSON *member = element(members);

			add(member, "id", group->instances[j].id);
			add(member, "zone", group->instances[j].zone);
			add(member, "lifecycle_state", group->instances[j].lifecycle_state);
			add(member, "health", group->instances[j].health);
		}
	}
}

static void command(const void *output, cJSON *object)
{
	add(object, "id", ((const struct aws_command *)output)->id);
	add(object, "status", ((const struct aws_command *)output)->status);
}

static void invocation(const void *output, cJSON *object)
{
	const struct aws_invocation *from = output;

	add(object, "status", from->status);
	cJSON_AddNumberToObject(object, "exit_code", from->exit_code);
	add(object, "output", from->output);
	add(object, "errors", from->errors);
}

static void parameter(const void *output, cJSON *object)
{
	const struct aws_parameter *from = output;

	add(object, "name", from->name);
	add(object, "value", from->value);
	cJSON_AddNumberToObject(object, "version", (double)from->version);
}

static void parameter_version(const void *output, cJSON *object)
{
	const struct aws_parameter_version *from = output;

	cJSON_AddNumberToObject(object, "version", (double)from->version);
}

static void item(const void *output, cJSON *object)
{
	static const char *const types[] = { "S", "N", "BOOL" };
	const struct aws_item *from = output;
	size_t i;

	for (i = 0; i < from->count; i++) {
		const struct aws_attribute *attribute = &from->attributes[i];
		cJSON *pair = cJSON_AddArrayToObject(object, attribute->name);

		cJSON_AddItemToArray(pair, cJSON_CreateString(types[attribute->type]));
		cJSON_AddItemToArray(pair, cJSON_CreateString(attribute->value));
	}
}

static void log_events(const void *output, cJSON *object)
{
	const struct aws_log_verdict *from = output;

	cJSON_AddNumberToObject(object, "taken_from", from->taken_from);
	cJSON_AddNumberToObject(object, "taken_to", from->taken_to);
}

static void (*const writers[AWS_OPS])(const void *output, cJSON *object) = {
	[AWS_OP_PutLogEvents] = log_events,
	[AWS_OP_DescribeInstances] = instances,
	[AWS_OP_DescribeInstanceStatus] = statuses,
	[AWS_OP_DescribeRouteTables] = route_tables,
	[AWS_OP_DescribeAddresses] = addresses,
	[AWS_OP_AssociateAddress] = association,
	[AWS_OP_DescribeNetworkInterfaces] = interfaces,
	[AWS_OP_DescribeTargetHealth] = targets,
	[AWS_OP_DescribeListeners] = listeners,
	[AWS_OP_DescribeAutoScalingGroups] = groups,
	[AWS_OP_SendCommand] = command,
	[AWS_OP_GetCommandInvocation] = invocation,
	[AWS_OP_GetParameter] = parameter,
	[AWS_OP_PutParameter] = parameter_version,
	[AWS_OP_GetItem] = item,
	[AWS_OP_UpdateItem] = item,
};

cJSON *driver_output(const struct aws_result *result)
{
	cJSON *object = cJSON_CreateObject();

	if (result->output && writers[result->op])
		writers[result->op](result->output, object);
	return object;
}
