/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "driver.h"

#include <string.h>

#include <aws/ec2.h>

typedef int64_t (*describe_function)(struct aws_client *client, const struct aws_query *query,
				     const struct aws_caller *caller);

/* ids: [...], filters: {name: [value...]}, page_size, next_token */
static int64_t describe(struct aws_client *client, const cJSON *args,
			const struct aws_caller *caller, describe_function function)
{
	static const char *ids[TEXTS_MAX], *values[8][TEXTS_MAX];
	struct aws_filter filters[8];
	struct aws_query query = { .ids = ids, .filters = filters };
	const cJSON *filter, *all = cJSON_GetObjectItem(args, "filters");

	query.id_count = args_texts(args, "ids", ids);
	cJSON_ArrayForEach(filter, all) {
		unsigned int i = query.filter_count++;

		filters[i] = (struct aws_filter){ .name = filter->string, .values = values[i] };
		filters[i].count = args_texts(all, filter->string, values[i]);
	}
	query.page_size = (unsigned int)args_number(args, "page_size");
	query.next_token = args_text(args, "next_token");
	return function(client, &query, caller);
}

static int64_t describe_instances(struct aws_client *client, const cJSON *args,
				  const struct aws_caller *caller)
{
	return describe(client, args, caller, aws_ec2_describe_instances);
}

static int64_t describe_instance_status(struct aws_client *client, const cJSON *args,
					const struct aws_caller *caller)
{
	return describe(client, args, caller, aws_ec2_describe_instance_status);
}

static int64_t describe_route_tables(struct aws_client *client, const cJSON *args,
				     const struct aws_caller *caller)
{
	return describe(client, args, caller, aws_ec2_describe_route_tables);
}

static int64_t describe_addresses(struct aws_client *client, const cJSON *args,
				  const struct aws_caller *caller)
{
	return describe(client, args, caller, aws_ec2_describe_addresses);
}

static int64_t describe_interfaces(struct aws_client *client, const cJSON *args,
				   const struct aws_caller *caller)
{
	return describe(client, args, caller, aws_ec2_describe_interfaces);
}

static int64_t replace_route(struct aws_client *client, const cJSON *args,
			     const struct aws_caller *caller)
{
	return aws_ec2_replace_route(client, args_text(args, "table"), args_text(args, "cidr"),
				     (enum aws_target)args_number(args, "kind"),
				     args_text(args, "target"), caller);
}

static int64_t create_route(struct aws_client *client, const cJSON *args,
			    const struct aws_caller *caller)
{
	return aws_ec2_create_route(client, args_text(args, "table"), args_text(args, "cidr"),
				    (enum aws_target)args_number(args, "kind"),
				    args_text(args, "target"), caller);
}

static int64_t associate_address(struct aws_client *client, const cJSON *args,
				 const struct aws_caller *caller)
{
	return aws_ec2_associate_address(client, args_text(args, "allocation"),
					 args_text(args, "interface"), args_text(args, "address"),
					 args_flag(args, "keep"), caller);
}

static int64_t disassociate_address(struct aws_client *client, const cJSON *args,
				    const struct aws_caller *caller)
{
	return aws_ec2_disassociate_address(client, args_text(args, "association"), caller);
}

static int64_t release_address(struct aws_client *client, const cJSON *args,
			       const struct aws_caller *caller)
{
	return aws_ec2_release_address(client, args_text(args, "allocation"), caller);
}

static int64_t delete_interface(struct aws_client *client, const cJSON *args,
				const struct aws_caller *caller)
{
	return aws_ec2_delete_interface(client, args_text(args, "interface"), caller);
}

static int64_t assign_addresses(struct aws_client *client, const cJSON *args,
				const struct aws_caller *caller)
{
	const char *addresses[TEXTS_MAX];
	unsigned int count = args_texts(args, "addresses", addresses);

	return aws_ec2_assign_private_addresses(client, args_text(args, "interface"), count,
						addresses, args_flag(args, "move"), caller);
}

static int64_t modify_instance(struct aws_client *client, const cJSON *args,
			       const struct aws_caller *caller)
{
	return aws_ec2_set_instance_source_dest_check(client, args_text(args, "instance"),
						      args_flag(args, "on"), caller);
}

static int64_t modify_interface(struct aws_client *client, const cJSON *args,
				const struct aws_caller *caller)
{
	return aws_ec2_set_interface_source_dest_check(client, args_text(args, "interface"),
						       args_flag(args, "on"), caller);
}

static int64_t create_tags(struct aws_client *client, const cJSON *args,
			   const struct aws_caller *caller)
{
	struct aws_tag tags[TEXTS_MAX];
	const cJSON *item;
	unsigned int count = 0;

	cJSON_ArrayForEach(item, cJSON_GetObjectItem(args, "tags"))
		tags[count++] = (struct aws_tag){ item->string, item->valuestring };
	return aws_ec2_create_tags(client, args_text(args, "resource"), count, tags, caller);
}

static int64_t terminate_instance(struct aws_client *client, const cJSON *args,
				  const struct aws_caller *caller)
{
	return aws_ec2_terminate_instance(client, args_text(args, "instance"), caller);
}

const driver_function driver_ec2_functions[AWS_OPS] = {
	[AWS_OP_DescribeInstances] = describe_instances,
	[AWS_OP_DescribeInstanceStatus] = describe_instance_status,
	[AWS_OP_DescribeRouteTables] = describe_route_tables,
	[AWS_OP_ReplaceRoute] = replace_route,
	[AWS_OP_CreateRoute] = create_route,
	[AWS_OP_DescribeAddresses] = describe_addresses,
	[AWS_OP_AssociateAddress] = associate_address,
	[AWS_OP_DisassociateAddress] = disassociate_address,
	[AWS_OP_ReleaseAddress] = release_address,
	[AWS_OP_DescribeNetworkInterfaces] = describe_interfaces,
	[AWS_OP_DeleteNetworkInterface] = delete_interface,
	[AWS_OP_AssignPrivateIpAddresses] = assign_addresses,
	[AWS_OP_ModifyInstanceAttribute] = modify_instance,
	[AWS_OP_ModifyNetworkInterfaceAttribute] = modify_interface,
	[AWS_OP_CreateTags] = create_tags,
	[AWS_OP_TerminateInstances] = terminate_instance,
};
