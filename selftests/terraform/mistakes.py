# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Mistakes that people make, and the check that has to catch each.

A mistake is a name, the file and the text that it replaces (None: the file is
appended to), what stands there instead, the check, and what the check says.
A check is
  validate ROOT          terraform validate
  test ROOT FILE RUN     the run of that name in tests/FILE.tftest.hcl fails
  plan ROOT              terraform plan
  format                 terraform fmt -check
"""

from collections import namedtuple

Mistake = namedtuple("Mistake", "name file old new check says")

NAT = "modules/nat/"
LAMBDA = "modules/lambda/"
OBSERVABILITY = "modules/observability/"
NETWORK = "modules/network/"
SECURITY = "modules/security/"
PROBES = "modules/probes/"

MISTAKES = [
    # The schema of the provider
    Mistake("misspelt attribute", NAT + "addresses.tf", "source_dest_check = false", "source_dst_check = false",
            "validate modules/nat", 'An argument named "source_dst_check" is not expected here'),
    Mistake("misspelt block", NAT + "nodes.tf", "metadata_options {", "metadata_option {",
            "validate modules/nat", 'Blocks of type "metadata_option" are not expected here'),
    Mistake("unknown resource type", NETWORK + "main.tf", 'resource "aws_internet_gateway"', 'resource "aws_internet_gatway"',
            "validate modules/network", "aws_internet_gatway"),
    Mistake("missing required argument", NETWORK + "main.tf", "  route_table_id = aws_route_table.private[each.key].id\n", "",
            "validate modules/network", 'The argument "route_table_id" is required'),
    Mistake("wrong type", NAT + "nodes.tf", "health_check_grace_period = 120", 'health_check_grace_period = "two minutes"',
            "validate modules/nat", "a number is required"),
    Mistake("attribute of another resource", NAT + "outputs.tf", "aws_security_group.node.id\n", "aws_security_group.node.group_id\n",
            "validate modules/nat", 'exported attribute named "group_id"'),
    Mistake("undeclared variable", NAT + "state.tf", "var.log_retention_days", "var.log_retention",
            "validate modules/nat", 'An input variable with the name "log_retention" has not been declared'),
    Mistake("misspelt transition", NAT + "nodes.tf", '"autoscaling:EC2_INSTANCE_TERMINATING"', '"autoscaling:EC2_INSTANCE_TERMINATED"',
            "test modules/nat nodes a_group_a_node", "Launch and termination wait for their hooks."),
    Mistake("retention that CloudWatch does not have", LAMBDA + "main.tf", "retention_in_days = var.log_retention_days", "retention_in_days = 31",
            "validate modules/lambda", "retention_in_days"),
    Mistake("format", NAT + "main.tf", "  azs  = sort(", "  azs = sort(", "format", "modules/nat/main.tf"),

    # Ways in
    Mistake("open ingress", NAT + "security_group.tf", "cidr_ipv4         = each.value\n", 'cidr_ipv4         = "0.0.0.0/0"\n',
            "test modules/nat nodes nothing_comes_in_from_the_internet", "No rule may let 0.0.0.0/0 in."),
    Mistake("health port open to all ports", NAT + "security_group.tf", "  to_port                      = var.agent_port\n", "  to_port                      = 65535\n",
            "test modules/nat nodes nothing_comes_in_from_the_internet", "Health checks reach the agent's port only."),
    Mistake("endpoints open to the world", NETWORK + "endpoints.tf", "cidr_ipv4         = var.cidr", 'cidr_ipv4         = "0.0.0.0/0"',
            "test modules/network network control_paths_do_not_need_the_nat", "Endpoints are for HTTPS from the VPC."),
    Mistake("IMDSv1", NAT + "nodes.tf", 'http_tokens   = "required"', 'http_tokens   = "optional"',
            "test modules/nat nodes imdsv2_is_required", "Instances have to require IMDSv2."),
    Mistake("IMDSv1 on probes", PROBES + "main.tf", 'http_tokens                 = "required"', 'http_tokens                 = "optional"',
            "test modules/probes probes a_probe_is_a_private_host", "Instances have to require IMDSv2."),
    Mistake("public bucket", OBSERVABILITY + "flow_logs.tf", "restrict_public_buckets = true", "restrict_public_buckets = false",
            "test modules/observability observability flow_logs_are_kept_and_found", "The bucket is not public."),
    Mistake("unencrypted disk", NAT + "nodes.tf", "encrypted             = true", "encrypted             = false",
            "test modules/nat nodes disks_are_encrypted", "Disks have to be encrypted."),

    # Too much allowed
    Mistake("all actions of a service", NAT + "iam.tf", '["ec2:CreateRoute", "ec2:ReplaceRoute"]', '["ec2:*"]',
            "test modules/nat iam nodes_may_do_exactly_this_in_eip_mode", "The actions of the nodes' role are not those that are listed here."),
    Mistake("all route tables", NAT + "iam.tf", '[for table in values(local.failover_tables) : "${local.ec2_arn}:route-table/${table.id}"]', '["*"]',
            "test modules/nat iam nodes_may_do_exactly_this_in_eip_mode", "Nodes may move the routes of their NAT, and no others."),
    Mistake("one action more", LAMBDA + "iam.tf", '      addresses = ["ec2:AssociateAddress"]\n      leases    = ["dynamodb:GetItem"]', '      addresses = ["ec2:AssociateAddress", "ec2:ReleaseAddress"]\n      leases    = ["dynamodb:GetItem"]',
            "test modules/lambda iam functions_may_do_exactly_this", "The actions of a function's role are not those that are listed here."),
    Mistake("janitor without its condition", LAMBDA + "iam.tf", '{ "aws:ResourceTag/natxdp:ephemeral" = ["true"] }', "{}",
            "test modules/lambda iam the_janitor_removes_left_overs_only", "nat-janitor may remove only what is tagged as ephemeral."),
    Mistake("commands to any instance", LAMBDA + "iam.tf", '"ssm:resourceTag/natxdp:module" = ["nat"]', '"ssm:resourceTag/natxdp:module" = ["nat", "probes"]',
            "test modules/lambda iam commands_go_to_nodes_of_the_nat", "Commands may go to nodes of this NAT only"),
    Mistake("metrics of any namespace", NAT + "iam.tf", '{ "cloudwatch:namespace" = ["NATXDP"] }', "{}",
            "test modules/nat iam nodes_may_do_exactly_this_in_eip_mode", "Nodes may publish metrics in the namespace NATXDP only."),
    Mistake("key for everybody", SECURITY + "kms.tf", 'identifiers = ["${local.prefix}:iam::${local.account}:root"]', 'identifiers = ["*"]',
            "test modules/security security the_key_rotates_and_is_for_known_services", "The key must not be for everybody."),

    # What is watched
    Mistake("metric that nobody publishes", OBSERVABILITY + "main.tf", 'metric = "FlowTableUse"', 'metric = "FlowTableUsage"',
            "test modules/observability observability metrics_of_alarms_exist", "An alarm has a metric that agent/metric_list.h does not have"),
    Mistake("metric that is not sent by default", OBSERVABILITY + "main.tf", 'metric = "PortUse"', 'metric = "AddressPortUse"',
            "test modules/observability observability metrics_of_alarms_exist", "or that is not sent by default."),
    Mistake("misspelt metric on the dashboard", OBSERVABILITY + "dashboard.tf", '"SoftirqUse"', '"SoftIrqUse"',
            "test modules/observability observability metrics_of_the_dashboard_exist", "The dashboard has a metric that agent/metric_list.h does not have"),
    Mistake("wrong dimension", OBSERVABILITY + "main.tf", "dimensions          = { NatId = var.name, AvailabilityZone = each.value.az }", "dimensions          = { NatId = var.name, AZ = each.value.az }",
            "test modules/observability observability metrics_of_alarms_exist", "Alarms have the dimensions that metrics are sent with."),
    Mistake("scaling by a metric that is none", NAT + "nodes.tf", 'metric_name = "ActiveConnectionCount"', 'metric_name = "ActiveConnections"',
            "test modules/nat nodes a_fleet_scales", "The metric that scales the fleet is not in agent/metric_list.h."),

    # What functions are started by, and with
    Mistake("started when the alarm is over", LAMBDA + "events.tf", 'value = ["ALARM"]', 'value = ["OK"]',
            "test modules/lambda functions who_starts_what", "An alarm that goes off starts it, and not one that ends."),
    Mistake("no time to repair", LAMBDA + "main.tf", "nat-route-failover    = { timeout = 60", "nat-route-failover    = { timeout = 3",
            "test modules/lambda functions eight_functions_from_one_package", "a minute is the least."),
    Mistake("proof that goes around the program", LAMBDA + "documents.tf", '        "natxdp verify --json >/dev/null 2>&1",\n', "",
            "test modules/lambda functions eight_functions_from_one_package", "has to run natxdp verify."),
    Mistake("topic in plain text", OBSERVABILITY + "notify.tf", "kms_master_key_id = var.kms_key_arn", "kms_master_key_id = null",
            "test modules/observability observability alarms_reach_people", "The topic is encrypted with the key that is given."),
    Mistake("lease table that cannot come back", NAT + "state.tf", "point_in_time_recovery {\n    enabled = true", "point_in_time_recovery {\n    enabled = false",
            "test modules/nat nodes the_lease_table_is_one_item_a_zone", "The lease table is encrypted, and can be brought back."),
    Mistake("node that nobody proves", NAT + "nodes.tf", 'default_result       = "ABANDON"', 'default_result       = "CONTINUE"',
            "test modules/nat nodes a_group_a_node", "A launch that nobody proves is given up, and a termination goes on."),

    # Where packets go
    Mistake("source/destination check on", NAT + "addresses.tf", "source_dest_check = false", "source_dest_check = true",
            "test modules/nat routes interfaces_forward", "source_dest_check has to be off"),
    Mistake("routes to one zone", NAT + "addresses.tf", "aws_network_interface.node[each.value.az].id\n  vpc", "aws_network_interface.node[local.azs[0]].id\n  vpc",
            "test modules/nat routes eip_routes_point_to_the_interface_of_their_zone", "In eip mode a default route points to the interface of its zone."),
    Mistake("flows on the node's own address", NAT + "main.tf", "slice(addresses, 1, length(addresses))", "slice(addresses, 0, length(addresses) - 1)",
            "test modules/nat routes interfaces_forward", "Elastic IPs of flows go to secondary addresses"),
    Mistake("all zones replaced at once", NAT + "nodes.tf", 'for_each = local.gwlb ? ["Rolling"] : []', 'for_each = ["Rolling"]',
            "test modules/nat nodes a_group_a_node", "all zones would be down at once"),
    Mistake("agents that cannot echo each other", NAT + "security_group.tf", 'protocol = "icmp"', 'protocol = "tcp"',
            "test modules/nat nodes nodes_know_their_fleet", "Nodes reach each other's agents, and echo each other; nobody else does."),
    Mistake("one name for all nodes", NAT + "nodes.tf", "{ ha_node = node,", "{ ha_node = local.azs[0],",
            "test modules/nat nodes nodes_know_their_fleet", "natxdpd.conf lacks what a node has to know of its peers."),
    Mistake("tag forgotten", NAT + "state.tf", 'hash_key     = "az"\n  tags         = local.tags', 'hash_key     = "az"',
            "test modules/nat nodes everything_is_tagged", "A resource lacks its tags."),

    # What people type
    Mistake("load balancer as mode", "examples/minimal/main.tf", 'name          = "egress"', 'name          = "egress"\n  mode          = "nlb"',
            "plan examples/minimal", "mode must be eni, eip or gwlb. A network load balancer cannot be the target of a route."),
    Mistake("processor that does not fit", "examples/minimal/main.tf", 'name          = "egress"', 'name          = "egress"\n  instance_type = "c6in.large"',
            "plan examples/minimal", "instance_type does not have the processor that architecture asks for."),
    Mistake("the internet as private", "examples/minimal/main.tf", '["10.0.0.0/17"]', '["0.0.0.0/0"]',
            "plan examples/minimal", "private_cidrs must not hold a range wider than /8"),
    Mistake("range that is none", "examples/minimal/main.tf", '["10.0.0.0/17"]', '["10.0.0.0"]',
            "plan examples/minimal", "private_cidrs must be one or more IPv4 ranges such as 10.0.0.0/16."),
    Mistake("no image", "examples/minimal/main.tf", '  ami_id        = "ami-0123456789abcdef0"\n', "",
            "plan examples/minimal", "Give exactly one of ami_id and ami_ssm_parameter."),
]
