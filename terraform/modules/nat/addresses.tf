# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Interfaces, addresses and routes. In the modes eni and eip an interface belongs
# to its group and outlives the instances in it; nothing is ever attached or
# detached while an instance runs.

data "aws_subnet" "public" {
  for_each = { for az, facts in var.azs : az => facts if facts.public_subnet_cidr == null }

  id = each.value.public_subnet_id
}

resource "aws_ec2_subnet_cidr_reservation" "node" {
  for_each = local.gwlb ? {} : var.azs

  description      = "natxdp ${var.name}"
  subnet_id        = each.value.public_subnet_id
  cidr_block       = local.block[each.key]
  reservation_type = "explicit"
}

resource "aws_network_interface" "node" {
  for_each = local.gwlb ? {} : local.nodes

  description       = "natxdp ${var.name} ${each.key}"
  subnet_id         = var.azs[each.value.az].public_subnet_id
  security_groups   = [aws_security_group.node.id]
  source_dest_check = false

  private_ip_list_enabled = true
  private_ip_list         = local.addresses[each.key]

  tags = merge(local.tags, {
    Name          = "${var.name}-${each.key}"
    "natxdp:node" = each.key
  })

  depends_on = [aws_ec2_subnet_cidr_reservation.node]

  lifecycle {
    precondition {
      condition     = local.addresses_per_node <= data.aws_ec2_instance_type.node.maximum_ipv4_addresses_per_interface
      error_message = "An interface of ${var.instance_type} has too few private addresses: it needs one, and one for each Elastic IP of each zone. Lower eips_per_az or take a larger instance_type."
    }
  }
}

resource "aws_eip" "flows" {
  for_each = { for slot in local.own_eips : slot.key => slot }

  domain = "vpc"

  tags = merge(local.tags, {
    Name          = "${var.name}-${replace(each.key, "/", "-")}"
    "natxdp:az"   = each.value.az
    "natxdp:slot" = each.value.slot
    "natxdp:use"  = "flows"
  })
}

# Those that were there before: servers know them, and outputs say them.
data "aws_eip" "own" {
  for_each = length(var.eip_allocation_ids) == 0 ? {} : { for slot in local.slots : slot.key => slot }

  id = var.eip_allocation_ids[each.value.az][each.value.slot]
}

resource "aws_eip_association" "flows" {
  for_each = local.gwlb ? {} : { for slot in local.slots : slot.key => slot }

  allocation_id        = local.allocations[each.key]
  network_interface_id = aws_network_interface.node[each.value.az].id
  private_ip_address   = local.slot_addresses[each.value.az][each.value.address]

  lifecycle {
    # After a take-over the address is where the agents have put it.
    ignore_changes = [network_interface_id, private_ip_address]
  }
}

resource "aws_eip" "management" {
  for_each = var.management_eip && !local.gwlb ? local.nodes : {}

  domain                    = "vpc"
  network_interface         = aws_network_interface.node[each.key].id
  associate_with_private_ip = local.addresses[each.key][0]

  tags = merge(local.tags, {
    Name          = "${var.name}-${each.key}-management"
    "natxdp:node" = each.key
    "natxdp:use"  = "management"
  })
}

# A route of another kind of target is another route: it has to be made anew.
resource "terraform_data" "mode" {
  input = var.mode
}

resource "aws_route" "default" {
  for_each = var.manage_routes ? local.route_tables : {}

  route_table_id         = each.value.id
  destination_cidr_block = "0.0.0.0/0"
  network_interface_id   = local.gwlb ? null : aws_network_interface.node[each.value.az].id
  vpc_endpoint_id        = local.gwlb ? aws_vpc_endpoint.gwlb[each.value.az].id : null

  lifecycle {
    # After a take-over the route points to the node that owns the zone.
    ignore_changes       = [network_interface_id]
    replace_triggered_by = [terraform_data.mode]
  }
}
