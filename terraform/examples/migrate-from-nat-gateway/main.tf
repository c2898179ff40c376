# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# From NAT gateways to natxdp, a route table at a time and with a way back. The
# runbook docs/runbooks/migrate-from-nat-gateway.md tells each step.
#
#   1. apply with moved = []: nodes beside the NAT gateways, no route is touched
#   2. move a route table by hand (aws ec2 replace-route: one call, no gap), watch
#   3. name it in moved, plan: no change but the import
#   4. when all are moved: delete the NAT gateways, and release their addresses

provider "aws" {
  region = "eu-west-1"
}

module "nat" {
  source = "../../modules/nat"

  name          = "egress"
  mode          = "eip"
  vpc_id        = var.vpc_id
  private_cidrs = var.private_cidrs
  ami_id        = var.ami_id
  azs           = var.azs
  manage_routes = false

  # Nodes take over from each other for these, and never touch another table.
  failover_route_tables = var.moved
}

# The routes that were moved by hand; after a take-over the agents own them.
import {
  for_each = local.moved
  to       = aws_route.moved[each.key]
  id       = "${each.value.route_table_id}_0.0.0.0/0"
}

resource "aws_route" "moved" {
  for_each = local.moved

  route_table_id         = each.value.route_table_id
  destination_cidr_block = "0.0.0.0/0"
  network_interface_id   = module.nat.network_interface_ids[each.value.az]

  lifecycle {
    ignore_changes = [network_interface_id]
    # A plan that wants to make the route anew has imported another one.
    prevent_destroy = true
  }
}

locals {
  moved = {
    for table, az in merge([for az, facts in var.azs : { for id in facts.route_table_ids : id => az }]...) :
    table => { route_table_id = table, az = az } if contains(var.moved, table)
  }
}
