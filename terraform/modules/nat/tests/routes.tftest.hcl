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


run "eip_routes_point_to_the_interface_of_their_zone" {
  assert {
    condition     = toset([for route in aws_route.default : route.route_table_id]) == toset(["rtb-0aaaaaaaaaaaaaaa1", "rtb-0aaaaaaaaaaaaaaa2", "rtb-0bbbbbbbbbbbbbbb1"])
    error_message = "Every route table has to get a default route."
  }
  assert {
    condition = alltrue([
      for route in aws_route.default :
      route.destination_cidr_block == "0.0.0.0/0" && route.vpc_endpoint_id == null &&
      route.network_interface_id == aws_network_interface.node[output.route_tables[route.route_table_id]].id
    ])
    error_message = "In eip mode a default route points to the interface of its zone."
  }
  assert {
    condition     = output.route_tables["rtb-0bbbbbbbbbbbbbbb1"] == "eu-west-1b" && aws_network_interface.node["eu-west-1b"].subnet_id == "subnet-0bbbbbbbbbbbbbbb1"
    error_message = "Traffic has to stay in its zone."
  }
  assert {
    condition     = length(aws_lb.fleet) == 0 && length(aws_vpc_endpoint.gwlb) == 0
    error_message = "eip mode has no load balancer."
  }
}

run "interfaces_forward" {
  assert {
    condition     = alltrue([for eni in aws_network_interface.node : eni.source_dest_check == false])
    error_message = "source_dest_check has to be off: the node forwards packets of others."
  }
  assert {
    condition     = alltrue([for eni in aws_network_interface.node : length(eni.private_ip_list) == 3])
    error_message = "Every interface has a private address for each Elastic IP of each zone."
  }
  assert {
    condition     = aws_ec2_subnet_cidr_reservation.node["eu-west-1b"].cidr_block == "10.0.1.240/28" && aws_network_interface.node["eu-west-1b"].private_ip_list == tolist(["10.0.1.240", "10.0.1.241", "10.0.1.242"])
    error_message = "The addresses of a node are reserved, at the end of its subnet."
  }
  assert {
    condition = alltrue([
      for key, association in aws_eip_association.flows :
      contains(aws_network_interface.node[split("/", key)[0]].private_ip_list, association.private_ip_address) &&
      association.private_ip_address != aws_network_interface.node[split("/", key)[0]].private_ip_list[0]
    ])
    error_message = "Elastic IPs of flows go to secondary addresses; the first one is the node's own."
  }
  assert {
    condition     = length(aws_eip.flows) == 2 && length(aws_eip.management) == 2
    error_message = "One Elastic IP a zone for flows, one a node for management."
  }
}

run "slots_do_not_overlap" {
  variables {
    eips_per_az    = 2
    management_eip = false
    instance_type  = "c7gn.large"
  }

  override_data {
    target = data.aws_ec2_instance_type.node
    values = { maximum_ipv4_addresses_per_interface = 10 }
  }

  assert {
    condition     = length(aws_eip.flows) == 4 && length(distinct([for association in aws_eip_association.flows : association.private_ip_address])) == 4
    error_message = "Each slot has a private address of its own."
  }
  assert {
    condition     = alltrue([for eni in aws_network_interface.node : length(eni.private_ip_list) == 5])
    error_message = "Two zones with two slots each are four addresses on every interface."
  }
  assert {
    condition     = length(aws_eip.management) == 0
    error_message = "management_eip = false makes none."
  }
}

run "too_many_addresses_are_refused" {
  command = plan

  variables {
    eips_per_az = 8
  }

  expect_failures = [aws_network_interface.node]
}

run "own_addresses_are_used" {
  variables {
    eip_allocation_ids = {
      eu-west-1a = ["eipalloc-0aaaaaaaaaaaaaaa1"]
      eu-west-1b = ["eipalloc-0bbbbbbbbbbbbbbb1"]
    }
  }

  assert {
    condition     = length(aws_eip.flows) == 0 && aws_eip_association.flows["eu-west-1b/0"].allocation_id == "eipalloc-0bbbbbbbbbbbbbbb1"
    error_message = "Elastic IPs that are given are used."
  }
  assert {
    condition     = alltrue([for az, ips in output.public_ips : can(cidrnetmask("${one(ips)}/32"))]) && output.allow_list == sort([for ips in values(output.public_ips) : "${one(ips)}/32"])
    error_message = "Servers can be told the addresses that were there before, too."
  }
}

run "eni_has_a_load_balancer_for_health" {
  variables {
    mode                = "eni"
    deletion_protection = true
  }

  assert {
    condition     = aws_lb.fleet[0].load_balancer_type == "network" && aws_lb.fleet[0].internal
    error_message = "In eni mode the load balancer is a network load balancer, and internal."
  }
  assert {
    condition     = aws_lb.fleet[0].enable_deletion_protection && aws_dynamodb_table.lease[0].deletion_protection_enabled
    error_message = "deletion_protection is for the load balancer and the lease table."
  }
  assert {
    condition     = alltrue([for route in aws_route.default : route.network_interface_id == aws_network_interface.node[output.route_tables[route.route_table_id]].id])
    error_message = "In eni mode a default route points to the interface of its zone, not to the load balancer."
  }
  assert {
    condition     = toset([for group in aws_lb_target_group.node : group.name]) == toset(["egress-1a", "egress-1b"]) && alltrue([for group in aws_lb_target_group.node : group.health_check[0].path == "/healthz"])
    error_message = "A target group a zone, checked by the agent's health page."
  }
  assert {
    condition     = length(aws_lb_listener.fleet[0].default_action[0].forward[0].target_group) == 2
    error_message = "The listener weighs the zones."
  }
  assert {
    condition     = alltrue([for group in aws_autoscaling_group.node : group.health_check_type == "ELB"])
    error_message = "The health page decides about nodes."
  }
}

run "gwlb_routes_point_to_the_endpoint_of_their_zone" {
  state_key = "gwlb"

  variables {
    mode        = "gwlb"
    launch_hook = true
    fleet       = { min = 1, desired = 2, max = 3, cross_zone = false, stickiness = "source_ip_dest_ip" }
  }

  assert {
    condition     = !aws_lb.fleet[0].enable_cross_zone_load_balancing && aws_lb_target_group.node["all"].stickiness[0].type == "source_ip_dest_ip"
    error_message = "Zones and stickiness are as var.fleet says."
  }

  assert {
    condition = alltrue([
      for route in aws_route.default :
      coalesce(route.network_interface_id, "none") == "none" && route.vpc_endpoint_id == aws_vpc_endpoint.gwlb[output.route_tables[route.route_table_id]].id
    ])
    error_message = "In gwlb mode a default route points to the endpoint of its zone."
  }
  assert {
    condition     = aws_lb.fleet[0].load_balancer_type == "gateway" && aws_lb_target_group.node["all"].protocol == "GENEVE" && aws_lb_target_group.node["all"].port == 6081
    error_message = "gwlb mode is a gateway load balancer with GENEVE to port 6081."
  }
  assert {
    condition     = aws_lb_target_group.node["all"].target_failover[0].on_unhealthy == "rebalance"
    error_message = "Flows of a dead node have to go to another one."
  }
  assert {
    condition     = length(aws_network_interface.node) == 0 && length(aws_dynamodb_table.lease) == 0 && length(aws_eip.flows) == 6
    error_message = "A fleet needs no leases and no fixed interfaces, and an Elastic IP for each node that there can be."
  }
  assert {
    condition     = alltrue([for group in aws_autoscaling_group.node : group.max_size == 3 && group.desired_capacity == 2 && length(group.initial_lifecycle_hook) == 2])
    error_message = "The groups follow var.fleet and have both hooks."
  }
  assert {
    condition     = toset([for rule in aws_vpc_security_group_ingress_rule.gwlb : rule.from_port]) == toset([6081, 9469])
    error_message = "The load balancer may send GENEVE and health checks, and nothing else."
  }
  assert {
    condition = alltrue([
      for template in aws_launch_template.node :
      strcontains(yamldecode(base64decode(template.user_data)).write_files[0].content, "\nmode = gwlb\n")
    ])
    error_message = "The nodes have to take GENEVE."
  }
}

run "routes_can_be_left_alone" {
  variables {
    manage_routes = false
  }

  assert {
    condition     = length(aws_route.default) == 0 && length(output.route_tables) == 3
    error_message = "manage_routes = false makes no route."
  }
}

run "another_mode_makes_other_routes" {
  variables {
    mode        = "gwlb"
    launch_hook = true
  }

  assert {
    condition     = alltrue([for route in aws_route.default : startswith(route.vpc_endpoint_id, "vpce-")]) && length(aws_route.default) == 3
    error_message = "From eip to gwlb the default routes move to the endpoints."
  }
}
