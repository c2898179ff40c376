# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# What the other files share: who the nodes are, and which addresses they have.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

data "aws_ec2_instance_type" "node" {
  instance_type = var.instance_type
}

locals {
  gwlb = var.mode == "gwlb"
  azs  = sort(keys(var.azs))

  tags = merge(var.tags, {
    "natxdp:nat"    = var.name
    "natxdp:module" = "nat"
  })

  # One group a node: a route has one interface as its target, so a second node
  # in a zone can only stand by. Behind GWLB a group is a zone's fleet.
  nodes = merge(
    { for az in local.azs : az => { az = az, role = local.gwlb ? "fleet" : "active" } },
    var.standby_nodes ? { for az in local.azs : "${az}-standby" => { az = az, role = "standby" } } : {},
  )

  # Pool slots. Slot i of a zone is the i-th Elastic IP of that zone, on whichever
  # node it is at the moment. Every interface has a private address for every
  # slot of every zone, so that a take-over needs AssociateAddress alone.
  slots = flatten([
    for index, az in local.azs : [
      for slot in range(var.eips_per_az) : {
        key = "${az}/${slot}", az = az, slot = slot, address = index * var.eips_per_az + slot
      }
    ]
  ])
  fleet_slots = flatten([
    for az in local.azs : [
      for slot in range(var.fleet.max * var.eips_per_az) : { key = "${az}/${slot}", az = az, slot = slot }
    ]
  ])

  # The last addresses of a public subnet are reserved for the nodes, so that
  # which private address belongs to which slot is decided here and not by the
  # order in which EC2 happens to list them. A block of a reservation has at
  # least 16 addresses, and the very last one is the broadcast address.
  addresses_per_node = 1 + length(local.slots)
  nodes_per_az       = var.standby_nodes ? 2 : 1
  block_bits         = max(4, ceil(log(local.nodes_per_az * local.addresses_per_node + 1, 2)))
  subnet_cidr        = { for az in local.azs : az => coalesce(var.azs[az].public_subnet_cidr, try(data.aws_subnet.public[az].cidr_block, null)) }
  block = local.gwlb ? {} : {
    for az, cidr in local.subnet_cidr : az => cidrsubnet(
      cidr, 32 - local.block_bits - tonumber(split("/", cidr)[1]), pow(2, 32 - local.block_bits - tonumber(split("/", cidr)[1])) - 1
    )
  }

  # By node: its own address, and then one for each slot.
  addresses = local.gwlb ? {} : {
    for node, facts in local.nodes : node => [
      for i in range(local.addresses_per_node) :
      cidrhost(local.block[facts.az], i + (facts.role == "standby" ? local.addresses_per_node : 0))
    ]
  }
  slot_addresses = { for node, addresses in local.addresses : node => slice(addresses, 1, length(addresses)) }

  own_eips = local.gwlb ? local.fleet_slots : length(var.eip_allocation_ids) == 0 ? local.slots : []

  # By slot, the allocation id.
  allocations = local.gwlb ? {} : {
    for slot in local.slots : slot.key => (
      length(var.eip_allocation_ids) == 0 ? aws_eip.flows[slot.key].id : var.eip_allocation_ids[slot.az][slot.slot]
    )
  }

  # By slot, what servers see.
  public_ips = merge(
    { for key, eip in aws_eip.flows : key => eip.public_ip },
    { for key, eip in data.aws_eip.own : key => eip.public_ip },
  )

  # Ids may be known only when they have been made, so they are no keys.
  route_tables = merge([
    for az in local.azs : { for index, id in var.azs[az].route_table_ids : "${az}/${index}" => { az = az, id = id } }
  ]...)

  # Who comes in. The hosts of a zone are known one by one, so that a node which
  # takes the zone over gives them the public addresses that they had.
  zone_cidrs = flatten([for az in local.azs : var.azs[az].private_cidrs])
  private_cidrs = concat(var.private_cidrs, [
    for cidr in local.zone_cidrs : cidr if !anytrue([
      for wide in var.private_cidrs :
      tonumber(split("/", cidr)[1]) >= tonumber(split("/", wide)[1]) && cidrhost("${split("/", cidr)[0]}/${split("/", wide)[1]}", 0) == cidrhost(wide, 0)
    ])
  ])

  # Nodes that can take over from each other. Behind GWLB nobody has to: there the
  # load balancer decides.
  peers = !local.gwlb && length(local.nodes) > 1
  # Nor does anybody touch a route that is not theirs yet.
  failover        = local.peers && (var.manage_routes || length(var.failover_route_tables) > 0)
  failover_tables = var.manage_routes ? local.route_tables : { for key, table in local.route_tables : key => table if contains(var.failover_route_tables, table.id) }

  arn_prefix = "arn:${data.aws_partition.current.partition}"
  ec2_arn    = "${local.arn_prefix}:ec2:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}"
}
