/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#include "ec2.h"

#include <errno.h>
#include <string.h>

#include "results.h"

static int parse_private_address(const cJSON *from, void *to, struct aws_result *result)
{
	struct aws_private_address *address = to;
	const cJSON *association = aws_doc_member(from, "association");

	(void)result;
	address->address = aws_doc_text(from, "privateIpAddress");
	address->primary = aws_doc_bool(from, "primary");
	address->public_ip = aws_doc_text(association, "publicIp");
	address->association = aws_doc_text(association, "associationId");
	return 0;
}

static int parse_interface(const cJSON *from, void *to, struct aws_result *result)
{
	struct aws_interface *interface = to;
	const cJSON *attachment = aws_doc_member(from, "attachment");
	int err;

	interface->id = aws_doc_text(from, "networkInterfaceId");
	interface->vpc = aws_doc_text(from, "vpcId");
	interface->subnet = aws_doc_text(from, "subnetId");
	interface->zone = aws_doc_text(from, "availabilityZone");
	interface->status = aws_doc_text(from, "status");
	interface->description = aws_doc_text(from, "description");
	interface->instance = aws_doc_text(attachment, "instanceId");
	interface->attachment = aws_doc_text(attachment, "attachmentId");
	interface->private_address = aws_doc_text(from, "privateIpAddress");
	interface->source_dest_check = aws_doc_bool(from, "sourceDestCheck");
	err = aws_parse_list(aws_doc_list(from, "privateIpAddressesSet"),
			     sizeof(*interface->addresses), parse_private_address,
			     &interface->addresses, &interface->address_count, result);
	if (err)
		return err;
	return aws_parse_tags(from, "tagSet", &interface->tags, &interface->tag_count, result);
}

int aws_parse_interfaces(const cJSON *answer, struct aws_result *result)
{
	struct aws_interfaces *interfaces = aws_result_alloc(result, 1, sizeof(*interfaces));

	if (!interfaces)
		return -ENOMEM;
	interfaces->next_token = aws_doc_text(answer, "nextToken");
	result->output = interfaces;
	return aws_parse_list(aws_doc_list(answer, "networkInterfaceSet"),
			      sizeof(*interfaces->items), parse_interface, &interfaces->items,
			      &interfaces->count, result);
}

static int parse_instance(const cJSON *from, void *to, struct aws_result *result)
{
	struct aws_instance *instance = to;
	int err;

	instance->id = aws_doc_text(from, "instanceId");
	instance->state = aws_doc_text(aws_doc_member(from, "instanceState"), "name");
	instance->type = aws_doc_text(from, "instanceType");
	instance->zone = aws_doc_text(aws_doc_member(from, "placement"), "availabilityZone");
	instance->vpc = aws_doc_text(from, "vpcId");
	instance->subnet = aws_doc_text(from, "subnetId");
	instance->private_address = aws_doc_text(from, "privateIpAddress");
	instance->launch_time = aws_doc_text(from, "launchTime");
	err = aws_parse_list(aws_doc_list(from, "networkInterfaceSet"),
			     sizeof(*instance->interfaces), parse_interface, &instance->interfaces,
			     &instance->interface_count, result);
	if (err)
		return err;
	return aws_parse_tags(from, "tagSet", &instance->tags, &instance->tag_count, result);
}

/* Instances come in reservations, which nobody asks for: the lists are joined. */
int aws_parse_instances(const cJSON *answer, struct aws_result *result)
{
	struct aws_instances *instances = aws_result_alloc(result, 1, sizeof(*instances));
	const cJSON *reservations = aws_doc_list(answer, "reservationSet"), *reservation, *from;
	struct aws_instance *items;
	size_t count = 0;

	cJSON_ArrayForEach(reservation, reservations) {
		count += (size_t)cJSON_GetArraySize(aws_doc_list(reservation, "instancesSet"));
	}
	items = aws_result_alloc(result, count, sizeof(*items));
	if (!instances || !items)
		return -ENOMEM;
	cJSON_ArrayForEach(reservation, reservations) {
		cJSON_ArrayForEach(from, aws_doc_list(reservation, "instancesSet")) {
			int err = parse_instance(from, &items[instances->count], result);

			if (err)
				return err;
			instances->count++;
		}
	}
	instances->items = items;
	instances->next_token = aws_doc_text(answer, "nextToken");
	result->output = instances;
	return 0;
}

/* Events that are over stay in the list for a while, and say so. */
static size_t count_events(const cJSON *events)
{
	const cJSON *event;
	size_t count = 0;

	cJSON_ArrayForEach(event, events) {
		const char *text = aws_doc_text(event, "description");

		if (strncmp(text, "[Completed]", 11) != 0 && strncmp(text, "[Canceled]", 10) != 0)
			count++;
	}
	return count;
}

static int parse_status(const cJSON *from, void *to, struct aws_result *result)
{
	struct aws_instance_status *status = to;

	(void)result;
	status->id = aws_doc_text(from, "instanceId");
	status->zone = aws_doc_text(from, "availabilityZone");
	status->state = aws_doc_text(aws_doc_member(from, "instanceState"), "name");
	status->system = aws_doc_text(aws_doc_member(from, "systemStatus"), "status");
	status->instance = aws_doc_text(aws_doc_member(from, "instanceStatus"), "status");
	status->event_count = count_events(aws_doc_list(from, "eventsSet"));
	return 0;
}

int aws_parse_instance_status(const cJSON *answer, struct aws_result *result)
{
	struct aws_instance_statuses *statuses = aws_result_alloc(result, 1, sizeof(*statuses));

	if (!statuses)
		return -ENOMEM;
	statuses->next_token = aws_doc_text(answer, "nextToken");
	result->output = statuses;
	return aws_parse_list(aws_doc_list(answer, "instanceStatusSet"), sizeof(*statuses->items),
			      parse_status, &statuses->items, &statuses->count, result);
}

static int parse_route(const cJSON *from, void *to, struct aws_result *result)
{
	static const char *const destinations[] = {
		"destinationCidrBlock",
		"destinationIpv6CidrBlock",
		"destinationPrefixListId",
	};
	struct aws_route *route = to;
	size_t i;

	(void)result;
	for (i = 0; i < sizeof(destinations) / sizeof(*destinations); i++) {
		route->destination = aws_doc_text(from, destinations[i]);
		if (*route->destination)
			break;
	}
	route->interface = aws_doc_text(from, "networkInterfaceId");
	route->instance = aws_doc_text(from, "instanceId");
	route->gateway = aws_doc_text(from, "gatewayId");
	route->nat_gateway = aws_doc_text(from, "natGatewayId");
	route->state = aws_doc_text(from, "state");
	return 0;
}

static int parse_route_table(const cJSON *from, void *to, struct aws_result *result)
{
	struct aws_route_table *table = to;
	const cJSON *associations = aws_doc_list(from, "associationSet"), *association;
	const char **subnets;
	int err;

	subnets = aws_result_alloc(result, (size_t)cJSON_GetArraySize(associations),
				   sizeof(*subnets));
	if (!subnets)
		return -ENOMEM;
	cJSON_ArrayForEach(association, associations) {
		const char *subnet = aws_doc_text(association, "subnetId");

		/* the main table of a VPC has an association without one */
		if (*subnet)
			subnets[table->subnet_count++] = subnet;
	}
	table->subnets = subnets;
	table->id = aws_doc_text(from, "routeTableId");
	table->vpc = aws_doc_text(from, "vpcId");
	err = aws_parse_list(aws_doc_list(from, "routeSet"), sizeof(*table->routes), parse_route,
			     &table->routes, &table->route_count, result);
	if (err)
		return err;
	return aws_parse_tags(from, "tagSet", &table->tags, &table->tag_count, result);
}

int aws_parse_route_tables(const cJSON *answer, struct aws_result *result)
{
	struct aws_route_tables *tables = aws_result_alloc(result, 1, sizeof(*tables));

	if (!tables)
		return -ENOMEM;
	tables->next_token = aws_doc_text(answer, "nextToken");
	result->output = tables;
	return aws_parse_list(aws_doc_list(answer, "routeTableSet"), sizeof(*tables->items),
			      parse_route_table, &tables->items, &tables->count, result);
}

static int parse_address(const cJSON *from, void *to, struct aws_result *result)
{
	struct aws_address *address = to;

	address->allocation = aws_doc_text(from, "allocationId");
	address->public_ip = aws_doc_text(from, "publicIp");
	address->association = aws_doc_text(from, "associationId");
	address->interface = aws_doc_text(from, "networkInterfaceId");
	address->instance = aws_doc_text(from, "instanceId");
	address->private_address = aws_doc_text(from, "privateIpAddress");
	return aws_parse_tags(from, "tagSet", &address->tags, &address->tag_count, result);
}

int aws_parse_addresses(const cJSON *answer, struct aws_result *result)
{
	struct aws_addresses *addresses = aws_result_alloc(result, 1, sizeof(*addresses));

	if (!addresses)
		return -ENOMEM;
	result->output = addresses;
	return aws_parse_list(aws_doc_list(answer, "addressesSet"), sizeof(*addresses->items),
			      parse_address, &addresses->items, &addresses->count, result);
}

int aws_parse_association(const cJSON *answer, struct aws_result *result)
{
	struct aws_association *association = aws_result_alloc(result, 1, sizeof(*association));

	if (!association)
		return -ENOMEM;
	association->id = aws_doc_text(answer, "associationId");
	result->output = association;
	return *association->id ? 0 : -EBADMSG;
}
