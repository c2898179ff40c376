/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "ec2.h"

#include <string.h>

#include "body.h"

static void begin(struct aws_body *body, enum aws_op op)
{
	aws_form_add(body, aws_calls[op].action, "Action");
	aws_form_add(body, aws_services[AWS_EC2].version, "Version");
}

static int64_t describe(struct aws_client *client, enum aws_op op, const char *id_name,
			const struct aws_query *query, const struct aws_caller *caller)
{
	struct aws_body body = { 0 };
	unsigned int i, j;

	begin(&body, op);
	for (i = 0; i < query->id_count; i++)
		aws_form_add(&body, query->ids[i], "%s.%u", id_name, i + 1);
	for (i = 0; i < query->filter_count; i++) {
		aws_form_add(&body, query->filters[i].name, "Filter.%u.Name", i + 1);
		for (j = 0; j < query->filters[i].count; j++)
			aws_form_add(&body, query->filters[i].values[j], "Filter.%u.Value.%u",
				     i + 1, j + 1);
	}
	if (op != AWS_OP_DescribeAddresses) {
		if (query->page_size)
			aws_form_add_number(&body, query->page_size, "MaxResults");
		aws_form_add(&body, query->next_token, "NextToken");
	}
	return aws_call(client, op, &body, caller);
}

int64_t aws_ec2_describe_instances(struct aws_client *client, const struct aws_query *query,
				   const struct aws_caller *caller)
{
	return describe(client, AWS_OP_DescribeInstances, "InstanceId", query, caller);
}

int64_t aws_ec2_describe_instance_status(struct aws_client *client, const struct aws_query *query,
					 const struct aws_caller *caller)
{
	return describe(client, AWS_OP_DescribeInstanceStatus, "InstanceId", query, caller);
}

int64_t aws_ec2_describe_route_tables(struct aws_client *client, const struct aws_query *query,
				      const struct aws_caller *caller)
{
	return describe(client, AWS_OP_DescribeRouteTables, "RouteTableId", query, caller);
}

int64_t aws_ec2_describe_addresses(struct aws_client *client, const struct aws_query *query,
				   const struct aws_caller *caller)
{
	return describe(client, AWS_OP_DescribeAddresses, "AllocationId", query, caller);
}

int64_t aws_ec2_describe_interfaces(struct aws_client *client, const struct aws_query *query,
				    const struct aws_caller *caller)
{
	return describe(client, AWS_OP_DescribeNetworkInterfaces, "NetworkInterfaceId", query,
			caller);
}

static const char *const target_names[] = {
	[AWS_TARGET_INTERFACE] = "NetworkInterfaceId",
	[AWS_TARGET_INSTANCE] = "InstanceId",
	[AWS_TARGET_GATEWAY] = "GatewayId",
	[AWS_TARGET_NAT_GATEWAY] = "NatGatewayId",
	[AWS_TARGET_VPC_ENDPOINT] = "VpcEndpointId",
};

static int64_t set_route(struct aws_client *client, enum aws_op op, const char *table,
			 const char *cidr, enum aws_target kind, const char *target,
			 const struct aws_caller *caller)
{
	struct aws_body body = { 0 };

	begin(&body, op);
	aws_form_add(&body, table, "RouteTableId");
	aws_form_add(&body, cidr,
		     strchr(cidr, ':') ? "DestinationIpv6CidrBlock" : "DestinationCidrBlock");
	aws_form_add(&body, target, "%s", target_names[kind]);
	return aws_call(client, op, &body, caller);
}

int64_t aws_ec2_replace_route(struct aws_client *client, const char *table, const char *cidr,
			      enum aws_target kind, const char *target,
			      const struct aws_caller *caller)
{
	return set_route(client, AWS_OP_ReplaceRoute, table, cidr, kind, target, caller);
}

int64_t aws_ec2_create_route(struct aws_client *client, const char *table, const char *cidr,
			     enum aws_target kind, const char *target,
			     const struct aws_caller *caller)
{
	return set_route(client, AWS_OP_CreateRoute, table, cidr, kind, target, caller);
}

int64_t aws_ec2_associate_address(struct aws_client *client, const char *allocation,
				  const char *interface, const char *private_address, bool keep,
				  const struct aws_caller *caller)
{
	struct aws_body body = { 0 };

	begin(&body, AWS_OP_AssociateAddress);
	aws_form_add(&body, allocation, "AllocationId");
	aws_form_add(&body, interface, "NetworkInterfaceId");
	aws_form_add(&body, private_address, "PrivateIpAddress");
	aws_form_add_bool(&body, !keep, "AllowReassociation");
	return aws_call(client, AWS_OP_AssociateAddress, &body, caller);
}

/* The many calls that have one parameter. */
static int64_t simple(struct aws_client *client, enum aws_op op, const char *name,
		      const char *value, const struct aws_caller *caller)
{
	struct aws_body body = { 0 };

	begin(&body, op);
	aws_form_add(&body, value, "%s", name);
	return aws_call(client, op, &body, caller);
}

int64_t aws_ec2_disassociate_address(struct aws_client *client, const char *association,
				     const struct aws_caller *caller)
{
	return simple(client, AWS_OP_DisassociateAddress, "AssociationId", association, caller);
}

int64_t aws_ec2_release_address(struct aws_client *client, const char *allocation,
				const struct aws_caller *caller)
{
	return simple(client, AWS_OP_ReleaseAddress, "AllocationId", allocation, caller);
}

int64_t aws_ec2_delete_interface(struct aws_client *client, const char *interface,
				 const struct aws_caller *caller)
{
	return simple(client, AWS_OP_DeleteNetworkInterface, "NetworkInterfaceId", interface,
		      caller);
}

int64_t aws_ec2_terminate_instance(struct aws_client *client, const char *instance,
				   const struct aws_caller *caller)
{
	return simple(client, AWS_OP_TerminateInstances, "InstanceId.1", instance, caller);
}

int64_t aws_ec2_assign_private_addresses(struct aws_client *client, const char *interface,
					 unsigned int count, const char *const *addresses,
					 bool move, const struct aws_caller *caller)
{
	struct aws_body body = { 0 };
	unsigned int i;

	begin(&body, AWS_OP_AssignPrivateIpAddresses);
	aws_form_add(&body, interface, "NetworkInterfaceId");
	for (i = 0; i < count; i++)
		aws_form_add(&body, addresses[i], "PrivateIpAddress.%u", i + 1);
	aws_form_add_bool(&body, move, "AllowReassignment");
	return aws_call(client, AWS_OP_AssignPrivateIpAddresses, &body, caller);
}

static int64_t set_source_dest_check(struct aws_client *client, enum aws_op op, const char *name,
				     const char *id, bool on, const struct aws_caller *caller)
{
	struct aws_body body = { 0 };

	begin(&body, op);
	aws_form_add(&body, id, "%s", name);
	aws_form_add_bool(&body, on, "SourceDestCheck.Value");
	return aws_call(client, op, &body, caller);
}

int64_t aws_ec2_set_instance_source_dest_check(struct aws_client *client, const char *instance,
					       bool on, const struct aws_caller *caller)
{
	return set_source_dest_check(client, AWS_OP_ModifyInstanceAttribute, "InstanceId", instance,
				     on, caller);
}

int64_t aws_ec2_set_interface_source_dest_check(struct aws_client *client, const char *interface,
						bool on, const struct aws_caller *caller)
{
	return set_source_dest_check(client, AWS_OP_ModifyNetworkInterfaceAttribute,
				     "NetworkInterfaceId", interface, on, caller);
}

int64_t aws_ec2_create_tags(struct aws_client *client, const char *resource, unsigned int count,
			    const struct aws_tag *tags, const struct aws_caller *caller)
{
	struct aws_body body = { 0 };
	unsigned int i;

	begin(&body, AWS_OP_CreateTags);
	aws_form_add(&body, resource, "ResourceId.1");
	for (i = 0; i < count; i++) {
		aws_form_add(&body, tags[i].key, "Tag.%u.Key", i + 1);
		aws_form_add(&body, tags[i].value, "Tag.%u.Value", i + 1);
	}
	return aws_call(client, AWS_OP_CreateTags, &body, caller);
}
