/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * EC2: routes, addresses, interfaces and instances. Each function makes one
 * call and returns what aws_call() does; what its result holds in output
 * stands behind the arrow. Strings in outputs are "" where the service said
 * nothing.
 */
#ifndef NATXDP_AWS_EC2_H
#define NATXDP_AWS_EC2_H

#include <stdbool.h>
#include <stddef.h>

#include "client.h"

struct aws_tag {
	const char *key;
	const char *value;
};

/* name is of the API's Filter.N.Name, e.g. "tag:Name" or "vpc-id" */
struct aws_filter {
	const char *name;
	unsigned int count;
	const char *const *values;
};

/* What a Describe call looks for. All may be empty: everything. */
struct aws_query {
	unsigned int id_count;
	const char *const *ids;
	unsigned int filter_count;
	const struct aws_filter *filters;
	unsigned int page_size; /* 0: the service's; not together with ids */
	const char *next_token; /* of the page before; NULL: the first */
};

struct aws_private_address {
	const char *address;
	bool primary;
	const char *public_ip;
	const char *association;
};

struct aws_interface {
	const char *id;
	const char *vpc;
	const char *subnet;
	const char *zone;
	const char *status; /* "available", "in-use" */
	const char *description;
	const char *instance;
	const char *attachment;
	const char *private_address;
	bool source_dest_check;
	size_t address_count;
	const struct aws_private_address *addresses;
	size_t tag_count;
	const struct aws_tag *tags;
};

struct aws_interfaces {
	size_t count;
	const struct aws_interface *items;
	const char *next_token; /* "": this was the last page */
};

struct aws_instance {
	const char *id;
	const char *state; /* "running", ... */
	const char *type;
	const char *zone;
	const char *vpc;
	const char *subnet;
	const char *private_address;
	const char *launch_time; /* ISO 8601 */
	size_t interface_count;
	const struct aws_interface *interfaces;
	size_t tag_count;
	const struct aws_tag *tags;
};

struct aws_instances {
	size_t count;
	const struct aws_instance *items;
	const char *next_token;
};

struct aws_instance_status {
	const char *id;
	const char *zone;
	const char *state;
	const char *system; /* "ok", "impaired", "initializing", "insufficient-data" */
	const char *instance;
	size_t event_count; /* scheduled events that are not over */
};

struct aws_instance_statuses {
	size_t count;
	const struct aws_instance_status *items;
	const char *next_token;
};

struct aws_route {
	const char *destination; /* IPv4 or IPv6 CIDR, or prefix list */
	const char *interface;
	const char *instance;
	const char *gateway; /* internet or virtual private gateway, GWLB endpoint, "local" */
	const char *nat_gateway;
	const char *state; /* "active", "blackhole" */
};

struct aws_route_table {
	const char *id;
	const char *vpc;
	size_t route_count;
	const struct aws_route *routes;
	size_t subnet_count;
	const char *const *subnets; /* that are associated */
	size_t tag_count;
	const struct aws_tag *tags;
};

struct aws_route_tables {
	size_t count;
	const struct aws_route_table *items;
	const char *next_token;
};

struct aws_address {
	const char *allocation;
	const char *public_ip;
	const char *association; /* "": not associated */
	const char *interface;
	const char *instance;
	const char *private_address;
	size_t tag_count;
	const struct aws_tag *tags;
};

struct aws_addresses {
	size_t count;
	const struct aws_address *items;
};

struct aws_association {
	const char *id;
};

/* -> struct aws_instances */
int64_t aws_ec2_describe_instances(struct aws_client *client, const struct aws_query *query,
				   const struct aws_caller *caller);
/* -> struct aws_instance_statuses; running instances only, unless ids are given */
int64_t aws_ec2_describe_instance_status(struct aws_client *client, const struct aws_query *query,
					 const struct aws_caller *caller);
/* -> struct aws_route_tables */
int64_t aws_ec2_describe_route_tables(struct aws_client *client, const struct aws_query *query,
				      const struct aws_caller *caller);
/* -> struct aws_addresses; page_size and next_token are not heeded */
int64_t aws_ec2_describe_addresses(struct aws_client *client, const struct aws_query *query,
				   const struct aws_caller *caller);
/* -> struct aws_interfaces */
int64_t aws_ec2_describe_interfaces(struct aws_client *client, const struct aws_query *query,
				    const struct aws_caller *caller);

/* What a route leads to: the API has a parameter of its own for each kind. */
enum aws_target {
	AWS_TARGET_INTERFACE,
	AWS_TARGET_INSTANCE,
	AWS_TARGET_GATEWAY,
	AWS_TARGET_NAT_GATEWAY,
	AWS_TARGET_VPC_ENDPOINT,
};

/* Replaces, or creates, the route to @cidr (IPv4, or IPv6 if it has a colon) in @table. */
int64_t aws_ec2_replace_route(struct aws_client *client, const char *table, const char *cidr,
			      enum aws_target kind, const char *target,
			      const struct aws_caller *caller);
int64_t aws_ec2_create_route(struct aws_client *client, const char *table, const char *cidr,
			     enum aws_target kind, const char *target,
			     const struct aws_caller *caller);

/*
 * Takes the address from whoever has it, unless @keep: then it is refused with
 * code "Resource.AlreadyAssociated". -> struct aws_association
 */
int64_t aws_ec2_associate_address(struct aws_client *client, const char *allocation,
				  const char *interface, const char *private_address, bool keep,
				  const struct aws_caller *caller);
int64_t aws_ec2_disassociate_address(struct aws_client *client, const char *association,
				     const struct aws_caller *caller);
int64_t aws_ec2_release_address(struct aws_client *client, const char *allocation,
				const struct aws_caller *caller);

/* Takes the addresses from another interface, where they are on one, if @move. */
int64_t aws_ec2_assign_private_addresses(struct aws_client *client, const char *interface,
					 unsigned int count, const char *const *addresses,
					 bool move, const struct aws_caller *caller);
int64_t aws_ec2_delete_interface(struct aws_client *client, const char *interface,
				 const struct aws_caller *caller);

int64_t aws_ec2_set_instance_source_dest_check(struct aws_client *client, const char *instance,
					       bool on, const struct aws_caller *caller);
int64_t aws_ec2_set_interface_source_dest_check(struct aws_client *client, const char *interface,
						bool on, const struct aws_caller *caller);
int64_t aws_ec2_create_tags(struct aws_client *client, const char *resource, unsigned int count,
			    const struct aws_tag *tags, const struct aws_caller *caller);
int64_t aws_ec2_terminate_instance(struct aws_client *client, const char *instance,
				   const struct aws_caller *caller);

#endif
