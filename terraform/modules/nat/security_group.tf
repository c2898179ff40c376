# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Who reaches a node: the private hosts, its peers, health checks. Nobody from
# the internet, unless tracking is switched off.

resource "aws_security_group" "node" {
  name        = "${var.name}-node"
  description = "natxdp ${var.name}: nodes"
  vpc_id      = var.vpc_id
  tags        = merge(local.tags, { Name = "${var.name}-node" })
}

resource "aws_vpc_security_group_ingress_rule" "private" {
  for_each = local.gwlb ? toset([]) : toset(local.private_cidrs)

  security_group_id = aws_security_group.node.id
  description       = "Private hosts, to be translated"
  cidr_ipv4         = each.value
  ip_protocol       = "-1"
  tags              = local.tags
}

# Without the echo, a node whose agent alone has died would be taken for dead.
resource "aws_vpc_security_group_ingress_rule" "peer" {
  for_each = local.peers ? {
    agent = { what = "Heartbeats and replication of flows", protocol = "udp", from = var.peer_port, to = var.peer_port }
    echo  = { what = "Echo, which tells a dead node from a dead agent", protocol = "icmp", from = -1, to = -1 }
  } : {}

  security_group_id            = aws_security_group.node.id
  description                  = each.value.what
  referenced_security_group_id = aws_security_group.node.id
  ip_protocol                  = each.value.protocol
  from_port                    = each.value.from
  to_port                      = each.value.to
  tags                         = local.tags
}

resource "aws_vpc_security_group_ingress_rule" "health" {
  count = var.mode == "eni" ? 1 : 0

  security_group_id            = aws_security_group.node.id
  description                  = "Health checks of the load balancer"
  referenced_security_group_id = aws_security_group.nlb[0].id
  ip_protocol                  = "tcp"
  from_port                    = var.agent_port
  to_port                      = var.agent_port
  tags                         = local.tags
}

# A Gateway Load Balancer has no security group; its addresses are those of the
# subnets in which it is.
resource "aws_vpc_security_group_ingress_rule" "gwlb" {
  for_each = local.gwlb ? {
    for pair in setproduct(local.azs, ["geneve", "health"]) : "${pair[0]}/${pair[1]}" => { az = pair[0], use = pair[1] }
  } : {}

  security_group_id = aws_security_group.node.id
  description       = each.value.use == "geneve" ? "GENEVE from the load balancer" : "Health checks of the load balancer"
  cidr_ipv4         = local.subnet_cidr[each.value.az]
  ip_protocol       = each.value.use == "geneve" ? "udp" : "tcp"
  from_port         = each.value.use == "geneve" ? 6081 : var.agent_port
  to_port           = each.value.use == "geneve" ? 6081 : var.agent_port
  tags              = local.tags
}

resource "aws_vpc_security_group_ingress_rule" "untracked" {
  count = var.tracked ? 0 : 1

  security_group_id = aws_security_group.node.id
  description       = "Open both ways, so that EC2 tracks nothing; natxdp drops what nobody asked for"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
  tags              = local.tags
}

resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.node.id
  description       = "The internet, for the private hosts"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
  tags              = local.tags
}
