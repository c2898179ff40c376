# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# The nodes: what an instance is, and the groups that keep them alive.

locals {
  # Ports of the host's own services; flows never get them, and packets to them
  # reach the agent. The last range is for connections of the host itself.
  host_ports = "22, 68, ${min(var.agent_port, var.peer_port)}, ${max(var.agent_port, var.peer_port)}, 61000-65535"

  # A line of these files has at most 190 bytes; one that begins with a blank goes on
  # with the list of the line before.
  list_separator = ",\n  "
  word_separator = "\n  "

  # The fleet as natxdpd knows it, the same for all of its nodes. The first node of a
  # zone is the one whose home it is. Which instance has an interface is looked up.
  fleet_conf = local.failover ? merge({
    ha_mode          = var.mode
    ha_nodes         = join(local.list_separator, [for node, facts in local.nodes : "${node} ${facts.az} ${local.addresses[node][0]}:${var.peer_port} auto ${aws_network_interface.node[node].id}"])
    ha_routes        = join(local.list_separator, [for key in sort(keys(local.failover_tables)) : "${local.failover_tables[key].az} ${local.failover_tables[key].id} 0.0.0.0/0"])
    ha_addresses     = join(local.list_separator, [for slot in local.slots : join(local.word_separator, concat(["${slot.az} ${local.allocations[slot.key]}"], [for node in keys(local.nodes) : "${node}=${local.slot_addresses[node][slot.address]}"]))])
    ha_lease_table   = aws_dynamodb_table.lease[0].name
    ha_key_parameter = aws_ssm_parameter.replication_key.name
    },
    var.mode != "eni" ? {} : {
      ha_listener      = aws_lb_listener.fleet[0].arn
      ha_target_groups = join(local.list_separator, [for az in local.azs : "${az} ${aws_lb_target_group.node[az].arn}"])
  }) : {}

  natxdp_conf = {
    for node, facts in local.nodes : node => join("\n", concat(
      ["# Written by Terraform at launch."],
      [for key, value in merge(
        {
          mode         = local.gwlb ? "gwlb" : "routed"
          gwlb_sources = join(local.list_separator, [for az in local.azs : local.subnet_cidr[az]])
          external     = local.gwlb ? "auto" : join(local.list_separator, [for slot in local.slots : local.slot_addresses[node][slot.address] if slot.az == facts.az])
          standby = local.gwlb || length(local.azs) == 1 ? "none" : join(local.list_separator, [
            for slot in local.slots :
            join(local.word_separator, concat(["${local.slot_addresses[node][slot.address]} for"], var.azs[slot.az].private_cidrs)) if slot.az != facts.az
          ])
          inside_prefixes = join(local.list_separator, local.private_cidrs)
          no_nat          = length(var.no_nat_cidrs) == 0 ? "auto" : join(local.list_separator, var.no_nat_cidrs)
          host_ports      = local.host_ports
          max_flows       = tostring(var.max_flows)
          profile         = var.profile
        },
        var.settings,
      ) : "${key} = ${value}"],
      [""],
    ))
  }

  natxdpd_conf = {
    for node, facts in local.nodes : node => join("\n", concat(
      ["# Written by Terraform at launch."],
      [for key, value in merge(
        {
          nat_id             = var.name
          http_listen        = "0.0.0.0:${var.agent_port}"
          cloudwatch_metrics = "basic"
          records            = "close"
          record_logs        = aws_cloudwatch_log_group.node["flows"].name
          talkers            = "20"
          talkers_logs       = aws_cloudwatch_log_group.node["talkers"].name
          imds               = "on"
        },
        local.fleet_conf,
        # A node that its group ends hands over first, or behind GWLB serves its flows until
        # they end, and then tells the group to go on.
        local.failover ? { ha_node = node, ha_group = "${var.name}-${node}", ha_lifecycle_hook = "terminate" } : {},
        local.gwlb ? { ha_target_group = aws_lb_target_group.node["all"].arn, ha_group = "${var.name}-${node}", ha_lifecycle_hook = "terminate" } : {},
        var.agent_settings,
      ) : "${key} = ${value}"],
      [""],
    ))
  }
}

resource "aws_launch_template" "node" {
  for_each = local.nodes

  name                   = "${var.name}-${each.key}"
  description            = "natxdp ${var.name}: node ${each.key}"
  image_id               = var.ami_id != null ? var.ami_id : "resolve:ssm:${var.ami_ssm_parameter}"
  instance_type          = var.instance_type
  update_default_version = true
  ebs_optimized          = true

  iam_instance_profile {
    arn = aws_iam_instance_profile.node.arn
  }

  metadata_options {
    http_endpoint = "enabled"
    http_tokens   = "required"
    # Nothing in a container or behind this node may ask for its credentials.
    http_put_response_hop_limit = 1
  }

  monitoring {
    enabled = true
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = 8
      encrypted             = true
      kms_key_id            = var.kms_key_arn
      delete_on_termination = true
    }
  }

  network_interfaces {
    device_index                = 0
    network_interface_id        = local.gwlb ? null : aws_network_interface.node[each.key].id
    delete_on_termination       = local.gwlb ? true : false
    associate_public_ip_address = local.gwlb ? true : null
    security_groups             = local.gwlb ? [aws_security_group.node.id] : null

    # Flows that come by GWLB are always tracked: forget them when natxdp does.
    dynamic "connection_tracking_specification" {
      for_each = local.gwlb ? [350] : []

      content {
        tcp_established_timeout = connection_tracking_specification.value
        udp_stream_timeout      = 180
        udp_timeout             = 60
      }
    }
  }

  user_data = base64encode(join("\n", ["#cloud-config", yamlencode({
    write_files = [
      { path = "/etc/natxdp/natxdp.conf", permissions = "0644", content = local.natxdp_conf[each.key] },
      { path = "/etc/natxdp/natxdpd.conf", permissions = "0644", content = local.natxdpd_conf[each.key] },
    ]
    runcmd = [
      ["systemctl", "enable", "natxdp.service", "natxdpd.service"],
      ["systemctl", "restart", "natxdp.service", "natxdpd.service"],
    ]
  })]))

  dynamic "tag_specifications" {
    for_each = toset(local.gwlb ? ["instance", "volume", "network-interface"] : ["instance", "volume"])

    content {
      resource_type = tag_specifications.value
      tags = merge(local.tags, {
        Name          = "${var.name}-${each.key}"
        "natxdp:node" = each.key
        "natxdp:az"   = each.value.az
        "natxdp:role" = each.value.role
        # By this name Patch Manager finds the baseline of module security.
        PatchGroup = var.name
      })
    }
  }

  tags = local.tags

  lifecycle {
    precondition {
      condition     = !local.failover || length(local.nodes) <= 8
      error_message = "At most eight nodes can take over from each other: leave out zones, or standby_nodes."
    }
    precondition {
      condition     = local.gwlb || length(local.slots) <= 64
      error_message = "A node can have at most 64 addresses for flows: lower eips_per_az."
    }
    precondition {
      condition     = !local.failover || length(local.failover_tables) > 0
      error_message = "azs has no route tables at all: nothing would lead to the node that takes over."
    }
    precondition {
      condition     = length(local.natxdp_conf[each.key]) + length(local.natxdpd_conf[each.key]) < 14000
      error_message = "The configuration of a node is larger than the 16 KiB that EC2 takes: name fewer ranges in private_cidrs and no_nat_cidrs, or lower eips_per_az."
    }
  }
}

# What has to be there before the first node, and to stay until the last one is gone.
resource "terraform_data" "after" {
  input = var.after
}

resource "aws_autoscaling_group" "node" {
  for_each = local.nodes

  name             = "${var.name}-${each.key}"
  min_size         = local.gwlb ? var.fleet.min : 1
  max_size         = local.gwlb ? var.fleet.max : 1
  desired_capacity = local.gwlb ? var.fleet.desired : 1

  # With an interface that is there already, the zone takes the place of a subnet.
  availability_zones  = local.gwlb ? null : [each.value.az]
  vpc_zone_identifier = local.gwlb ? [var.azs[each.value.az].public_subnet_id] : null

  target_group_arns         = var.mode == "eip" ? null : [aws_lb_target_group.node[local.gwlb ? "all" : each.value.az].arn]
  health_check_type         = var.mode == "eip" ? "EC2" : "ELB"
  health_check_grace_period = 120
  default_instance_warmup   = 60
  # With nobody there who ends the hook, waiting for its instance would end the run.
  wait_for_capacity_timeout = var.launch_hook && length(var.after) == 0 ? "0" : "10m"

  # A new instance can have the interface only when the old one is gone, so
  # Spot's early replacement is for GWLB; elsewhere the agent hands over.
  capacity_rebalance = local.gwlb && contains(var.spot_azs, each.value.az)

  enabled_metrics = ["GroupDesiredCapacity", "GroupInServiceInstances", "GroupPendingInstances", "GroupTerminatingInstances"]

  instance_maintenance_policy {
    min_healthy_percentage = local.gwlb ? 100 : 0
    max_healthy_percentage = local.gwlb ? 200 : 100
  }

  # Only a fleet is refreshed by itself. Groups of one would be all at once, each
  # with nobody left to hand over to: docs/runbooks/deploy.md has the way.
  dynamic "instance_refresh" {
    for_each = local.gwlb ? ["Rolling"] : []

    content {
      strategy = instance_refresh.value

      preferences {
        min_healthy_percentage = 100
        max_healthy_percentage = 200
        auto_rollback          = true
      }
    }
  }

  dynamic "launch_template" {
    for_each = contains(var.spot_azs, each.value.az) ? [] : [aws_launch_template.node[each.key]]

    content {
      id      = launch_template.value.id
      version = launch_template.value.latest_version
    }
  }

  dynamic "mixed_instances_policy" {
    for_each = contains(var.spot_azs, each.value.az) ? [aws_launch_template.node[each.key]] : []

    content {
      instances_distribution {
        on_demand_base_capacity                  = 0
        on_demand_percentage_above_base_capacity = 0
        spot_allocation_strategy                 = "price-capacity-optimized"
      }

      launch_template {
        launch_template_specification {
          launch_template_id = mixed_instances_policy.value.id
          version            = mixed_instances_policy.value.latest_version
        }

        dynamic "override" {
          for_each = distinct(concat([var.instance_type], var.spot_instance_types))

          content {
            instance_type = override.value
          }
        }
      }
    }
  }

  dynamic "warm_pool" {
    for_each = local.gwlb && var.fleet.warm > 0 ? [var.fleet.warm] : []

    content {
      pool_state                  = "Stopped"
      min_size                    = warm_pool.value
      max_group_prepared_capacity = var.fleet.max
    }
  }

  # Hooks of the group itself hold its very first instances too. A launch that
  # nobody proves is given up; a termination goes on after the time is over.
  dynamic "initial_lifecycle_hook" {
    for_each = var.launch_hook ? ["launch"] : []

    content {
      name                 = initial_lifecycle_hook.value
      lifecycle_transition = "autoscaling:EC2_INSTANCE_LAUNCHING"
      heartbeat_timeout    = var.hook_timeout
      default_result       = "ABANDON"
    }
  }

  initial_lifecycle_hook {
    name                 = "terminate"
    lifecycle_transition = "autoscaling:EC2_INSTANCE_TERMINATING"
    heartbeat_timeout    = var.hook_timeout
    default_result       = "CONTINUE"
  }

  # The tags of instances are in the launch template.
  dynamic "tag" {
    for_each = merge(local.tags, { "natxdp:az" = each.value.az, "natxdp:role" = each.value.role })

    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = false
    }
  }

  # The routes first: nodes keep them where they belong, and would make a route that is
  # not there. Until an instance has the interface there is nobody at its end. The addresses
  # and rights, because a node needs them when it starts. And nodes go before all of these.
  depends_on = [
    aws_route.default, aws_eip_association.flows, aws_eip.management, aws_iam_role_policy.node,
    aws_vpc_security_group_egress_rule.all, terraform_data.after,
  ]

  lifecycle {
    # Scaling policies decide it.
    ignore_changes = [desired_capacity]
  }
}

# Bandwidth of instances is counted both ways.
resource "aws_autoscaling_policy" "connections" {
  for_each = local.gwlb ? local.nodes : {}

  name                   = "${var.name}-${each.key}-connections"
  autoscaling_group_name = aws_autoscaling_group.node[each.key].name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    target_value = var.fleet.connections

    customized_metric_specification {
      namespace   = "NATXDP"
      metric_name = "ActiveConnectionCount"
      statistic   = "Average"

      metric_dimension {
        name  = "NatId"
        value = var.name
      }
      metric_dimension {
        name  = "AvailabilityZone"
        value = each.value.az
      }
    }
  }
}

resource "aws_autoscaling_policy" "bandwidth" {
  for_each = local.gwlb ? local.nodes : {}

  name                   = "${var.name}-${each.key}-bandwidth"
  autoscaling_group_name = aws_autoscaling_group.node[each.key].name
  policy_type            = "TargetTrackingScaling"

  target_tracking_configuration {
    # Bytes a minute of one instance.
    target_value = var.fleet.gigabits * 1000 * 1000 * 1000 / 8 * 60

    predefined_metric_specification {
      predefined_metric_type = "ASGAverageNetworkOut"
    }
  }
}
