# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

# Nobody's keys: with the real provider these tests fail instead of making
# anything. They are for a provider that answers offline.
provider "aws" {
  region     = "eu-west-1"
  access_key = "offline"
  secret_key = "offline"
}

variables {
  name          = "egress"
  vpc_id        = "vpc-0123456789abcdef0"
  ami_id        = "ami-0123456789abcdef0"
  private_cidrs = ["10.0.0.0/16"]
  azs = {
    eu-west-1a = { public_subnet_id = "subnet-0aaaaaaaaaaaaaaa1", public_subnet_cidr = "10.0.0.0/24", route_table_ids = ["rtb-0aaaaaaaaaaaaaaa1", "rtb-0aaaaaaaaaaaaaaa2"], private_cidrs = ["10.0.16.0/20"] }
    eu-west-1b = { public_subnet_id = "subnet-0bbbbbbbbbbbbbbb1", public_subnet_cidr = "10.0.1.0/24", route_table_ids = ["rtb-0bbbbbbbbbbbbbbb1"], private_cidrs = ["10.0.32.0/20"] }
  }
}


run "imdsv2_is_required" {
  assert {
    condition     = alltrue([for template in aws_launch_template.node : template.metadata_options[0].http_tokens == "required"])
    error_message = "Instances have to require IMDSv2."
  }
  assert {
    condition     = alltrue([for template in aws_launch_template.node : template.metadata_options[0].http_put_response_hop_limit == 1])
    error_message = "Metadata must not be reachable from behind a node."
  }
}

run "nothing_comes_in_from_the_internet" {
  variables {
    mode = "eni"
  }

  assert {
    condition = alltrue([
      for rule in concat(
        values(aws_vpc_security_group_ingress_rule.private), values(aws_vpc_security_group_ingress_rule.peer),
        aws_vpc_security_group_ingress_rule.health, values(aws_vpc_security_group_ingress_rule.nlb),
        values(aws_vpc_security_group_ingress_rule.gwlb), aws_vpc_security_group_ingress_rule.untracked,
      ) : rule.cidr_ipv4 != "0.0.0.0/0" && rule.cidr_ipv6 != "::/0"
    ])
    error_message = "No rule may let 0.0.0.0/0 in."
  }
  assert {
    condition     = toset([for rule in aws_vpc_security_group_ingress_rule.private : rule.cidr_ipv4]) == toset(["10.0.0.0/16"])
    error_message = "Hosts of private_cidrs come in, and no others."
  }
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_ingress_rule.health : rule.from_port == 9469 && rule.to_port == 9469])
    error_message = "Health checks reach the agent's port only."
  }
}

run "untracked_is_asked_for" {
  variables {
    tracked = false
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.untracked) == 1
    error_message = "tracked = false opens the group both ways."
  }
}

run "disks_are_encrypted" {
  assert {
    condition     = alltrue([for template in aws_launch_template.node : template.block_device_mappings[0].ebs[0].encrypted == "true"])
    error_message = "Disks have to be encrypted."
  }
}

run "nodes_are_configured_at_launch" {
  assert {
    condition = alltrue([
      for node, template in aws_launch_template.node :
      [for file in yamldecode(base64decode(template.user_data)).write_files : file.path] == ["/etc/natxdp/natxdp.conf", "/etc/natxdp/natxdpd.conf"]
    ])
    error_message = "user_data writes natxdp.conf and natxdpd.conf."
  }
  assert {
    condition     = strcontains(yamldecode(base64decode(aws_launch_template.node["eu-west-1b"].user_data)).write_files[0].content, "\nexternal = ${aws_eip_association.flows["eu-west-1b/0"].private_ip_address}\n")
    error_message = "natxdp.conf names the private address of the zone's Elastic IP."
  }
  assert {
    condition     = strcontains(yamldecode(base64decode(aws_launch_template.node["eu-west-1a"].user_data)).write_files[0].content, "\nhost_ports = 22, 68, 9469, 9470, 61000-65535\n")
    error_message = "natxdp.conf keeps the agent's ports for the host."
  }
  assert {
    condition = alltrue([
      for line in ["nat_id = egress", "http_listen = 0.0.0.0:9469", "cloudwatch_metrics = basic", "record_logs = /natxdp/egress/flows", "imds = on"] :
      contains(split("\n", yamldecode(base64decode(aws_launch_template.node["eu-west-1a"].user_data)).write_files[1].content), line)
    ])
    error_message = "natxdpd.conf lacks what the agent has to know."
  }
  assert {
    condition     = contains(yamldecode(base64decode(aws_launch_template.node["eu-west-1a"].user_data)).runcmd, ["systemctl", "restart", "natxdp.service", "natxdpd.service"])
    error_message = "user_data starts natxdp and natxdpd."
  }
  assert {
    condition     = length(base64decode(aws_launch_template.node["eu-west-1a"].user_data)) < 16384
    error_message = "user_data has to fit into 16 KiB."
  }
}

run "nodes_know_their_fleet" {
  variables {
    standby_nodes = true
    mode          = "eni"
  }

  assert {
    condition = alltrue([
      for line in concat(
        ["ha_mode = eni", "ha_lease_table = egress-lease", "ha_key_parameter = /natxdp/egress/replication-key"],
        ["ha_node = eu-west-1b-standby", "ha_group = egress-eu-west-1b-standby", "ha_lifecycle_hook = terminate"],
        ["ha_nodes = eu-west-1a eu-west-1a ${aws_network_interface.node["eu-west-1a"].private_ip_list[0]}:9470 auto ${aws_network_interface.node["eu-west-1a"].id},"],
        ["  eu-west-1b-standby eu-west-1b ${aws_network_interface.node["eu-west-1b-standby"].private_ip_list[0]}:9470 auto ${aws_network_interface.node["eu-west-1b-standby"].id}"],
        ["ha_listener = ${aws_lb_listener.fleet[0].arn}", "ha_target_groups = eu-west-1a ${aws_lb_target_group.node["eu-west-1a"].arn},", "  eu-west-1b ${aws_lb_target_group.node["eu-west-1b"].arn}"],
        ["ha_routes = eu-west-1a rtb-0aaaaaaaaaaaaaaa1 0.0.0.0/0,", "  eu-west-1a rtb-0aaaaaaaaaaaaaaa2 0.0.0.0/0,", "  eu-west-1b rtb-0bbbbbbbbbbbbbbb1 0.0.0.0/0"],
        ["ha_addresses = eu-west-1a ${aws_eip.flows["eu-west-1a/0"].id}", "  eu-west-1a=${output.slots["eu-west-1a/0"].addresses["eu-west-1a"]}"],
      ) :
      contains(split("\n", yamldecode(base64decode(aws_launch_template.node["eu-west-1b-standby"].user_data)).write_files[1].content), line)
    ])
    error_message = "natxdpd.conf lacks what a node has to know of its peers."
  }
  assert {
    condition     = strcontains(yamldecode(base64decode(aws_launch_template.node["eu-west-1a"].user_data)).write_files[0].content, "\nstandby = ${output.slots["eu-west-1b/0"].addresses["eu-west-1a"]} for\n  10.0.32.0/20\n")
    error_message = "natxdp.conf names the addresses of the other zone, and whose they are."
  }
  assert {
    condition     = toset([for rule in aws_vpc_security_group_ingress_rule.peer : "${rule.ip_protocol} ${rule.from_port}"]) == toset(["udp 9470", "icmp -1"]) && alltrue([for rule in aws_vpc_security_group_ingress_rule.peer : rule.referenced_security_group_id == aws_security_group.node.id])
    error_message = "Nodes reach each other's agents, and echo each other; nobody else does."
  }
}

run "one_node_has_no_peers" {
  variables {
    azs = { eu-west-1a = { public_subnet_id = "subnet-0aaaaaaaaaaaaaaa1", public_subnet_cidr = "10.0.0.0/24", route_table_ids = ["rtb-0aaaaaaaaaaaaaaa1"] } }
  }

  assert {
    condition     = !strcontains(base64decode(aws_launch_template.node["eu-west-1a"].user_data), "ha_") && length(aws_vpc_security_group_ingress_rule.peer) == 0
    error_message = "One node has nobody to fail over to."
  }
}

run "the_image_can_come_from_a_parameter" {
  variables {
    ami_id            = null
    ami_ssm_parameter = "/natxdp/ami/arm64"
  }

  assert {
    condition     = aws_launch_template.node["eu-west-1a"].image_id == "resolve:ssm:/natxdp/ami/arm64"
    error_message = "The image is read from the parameter at launch."
  }
}

run "a_group_a_node" {
  variables {
    standby_nodes = true
    launch_hook   = true
  }

  assert {
    condition     = toset(keys(aws_autoscaling_group.node)) == toset(["eu-west-1a", "eu-west-1b", "eu-west-1a-standby", "eu-west-1b-standby"])
    error_message = "standby_nodes adds a node to each zone."
  }
  assert {
    condition     = alltrue([for group in aws_autoscaling_group.node : group.min_size == 1 && group.max_size == 1])
    error_message = "A group with a fixed interface has one instance."
  }
  assert {
    condition     = alltrue([for group in aws_autoscaling_group.node : group.instance_maintenance_policy[0].min_healthy_percentage == 0 && !group.capacity_rebalance])
    error_message = "The interface is free for a new instance only when the old one is gone."
  }
  assert {
    condition     = alltrue([for group in aws_autoscaling_group.node : length(group.instance_refresh) == 0])
    error_message = "Groups of one are not refreshed by a change of the launch template: all zones would be down at once."
  }
  assert {
    condition = alltrue([
      for group in aws_autoscaling_group.node :
      toset([for hook in group.initial_lifecycle_hook : hook.lifecycle_transition]) == toset(["autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"])
    ])
    error_message = "Launch and termination wait for their hooks."
  }
  assert {
    condition = alltrue(flatten([
      for group in aws_autoscaling_group.node :
      [for hook in group.initial_lifecycle_hook : hook.default_result == (hook.name == "launch" ? "ABANDON" : "CONTINUE")]
    ]))
    error_message = "A launch that nobody proves is given up, and a termination goes on."
  }
  assert {
    condition     = alltrue([for node, template in aws_launch_template.node : template.network_interfaces[0].network_interface_id == aws_network_interface.node[node].id && template.network_interfaces[0].delete_on_termination == "false"])
    error_message = "The interface outlives the instance."
  }
}

run "spot_leaves_a_zone_on_demand" {
  variables {
    spot_azs            = ["eu-west-1b"]
    spot_instance_types = ["c6gn.medium"]
  }

  assert {
    condition     = length(aws_autoscaling_group.node["eu-west-1a"].mixed_instances_policy) == 0 && length(aws_autoscaling_group.node["eu-west-1a"].launch_template) == 1
    error_message = "The first zone stays on demand."
  }
  assert {
    condition     = aws_autoscaling_group.node["eu-west-1b"].mixed_instances_policy[0].instances_distribution[0].on_demand_percentage_above_base_capacity == 0
    error_message = "The second zone is Spot."
  }
}

run "a_fleet_scales" {
  state_key = "gwlb"

  variables {
    mode        = "gwlb"
    launch_hook = true
    fleet       = { warm = 1 }
  }

  assert {
    condition     = length(aws_autoscaling_policy.connections) == 2 && length(aws_autoscaling_policy.bandwidth) == 2
    error_message = "Connections and bandwidth each scale the group of a zone."
  }
  assert {
    condition = alltrue([
      for policy in aws_autoscaling_policy.connections :
      contains(regexall("METRIC\\([A-Z_0-9]+,\\s*\"([A-Za-z0-9]+)\"", file("../../../agent/metric_list.h"))[*][0], policy.target_tracking_configuration[0].customized_metric_specification[0].metric_name)
    ])
    error_message = "The metric that scales the fleet is not in agent/metric_list.h."
  }
  assert {
    condition     = aws_autoscaling_group.node["eu-west-1a"].warm_pool[0].pool_state == "Stopped"
    error_message = "Warm nodes are stopped ones."
  }
  assert {
    condition = alltrue([
      for node, conf in local.natxdpd_conf : alltrue([
        for line in ["ha_target_group = ${aws_lb_target_group.node["all"].arn}", "ha_group = egress-${node}", "ha_lifecycle_hook = terminate"] : contains(split("\n", conf), line)
      ])
    ])
    error_message = "A node that its group ends has to know what it leaves, and whom it tells."
  }
}

run "the_lease_table_is_one_item_a_zone" {
  assert {
    condition     = aws_dynamodb_table.lease[0].hash_key == "az" && aws_dynamodb_table.lease[0].billing_mode == "PAY_PER_REQUEST"
    error_message = "The lease table has az as its key, and costs what is used."
  }
  assert {
    condition     = length(aws_dynamodb_table.lease[0].server_side_encryption) == 1 && aws_dynamodb_table.lease[0].server_side_encryption[0].enabled && aws_dynamodb_table.lease[0].point_in_time_recovery[0].enabled
    error_message = "The lease table is encrypted, and can be brought back."
  }
  assert {
    condition     = aws_ssm_parameter.replication_key.type == "SecureString" && length(coalesce(aws_ssm_parameter.replication_key.value, "-")) < 64
    error_message = "The replication key must not be in the state."
  }
}

run "everything_is_tagged" {
  variables {
    mode = "eni"
    tags = { team = "network" }
  }

  assert {
    condition = alltrue([
      for tags in concat(
        [for r in aws_network_interface.node : r.tags], [for r in aws_eip.flows : r.tags], [for r in aws_eip.management : r.tags],
        [for r in aws_launch_template.node : r.tags], [for r in aws_lb_target_group.node : r.tags], [for r in aws_cloudwatch_log_group.node : r.tags],
        [aws_security_group.node.tags, aws_lb.fleet[0].tags, aws_lb_listener.fleet[0].tags, aws_dynamodb_table.lease[0].tags, aws_ssm_parameter.replication_key.tags, aws_iam_role.node.tags, aws_iam_instance_profile.node.tags],
        flatten([for r in aws_launch_template.node : [for s in r.tag_specifications : s.tags]]),
        [for r in aws_autoscaling_group.node : { for tag in r.tag : tag.key => tag.value }],
      ) : try(tags["natxdp:nat"] == "egress" && tags["team"] == "network", false)
    ])
    error_message = "A resource lacks its tags."
  }
}
