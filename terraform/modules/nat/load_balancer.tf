# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# eni: an internal NLB, which is no way for packets but the place where health,
# registration and weights of the zones are seen and set. gwlb: the way.

resource "aws_security_group" "nlb" {
  count = var.mode == "eni" ? 1 : 0

  name        = "${var.name}-nlb"
  description = "natxdp ${var.name}: health checks"
  vpc_id      = var.vpc_id
  tags        = merge(local.tags, { Name = "${var.name}-nlb" })
}

resource "aws_vpc_security_group_ingress_rule" "nlb" {
  for_each = var.mode == "eni" ? toset(local.private_cidrs) : toset([])

  security_group_id = aws_security_group.nlb[0].id
  description       = "Health page, for hosts of the VPC"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = var.agent_port
  to_port           = var.agent_port
  tags              = local.tags
}

resource "aws_vpc_security_group_egress_rule" "nlb" {
  count = var.mode == "eni" ? 1 : 0

  security_group_id            = aws_security_group.nlb[0].id
  description                  = "Health page of the nodes"
  referenced_security_group_id = aws_security_group.node.id
  ip_protocol                  = "tcp"
  from_port                    = var.agent_port
  to_port                      = var.agent_port
  tags                         = local.tags
}

resource "aws_lb" "fleet" {
  count = var.mode == "eip" ? 0 : 1

  name                             = var.name
  internal                         = local.gwlb ? null : true
  load_balancer_type               = local.gwlb ? "gateway" : "network"
  security_groups                  = local.gwlb ? null : [aws_security_group.nlb[0].id]
  subnets                          = [for az in local.azs : var.azs[az].public_subnet_id]
  enable_cross_zone_load_balancing = local.gwlb ? var.fleet.cross_zone : true
  enable_deletion_protection       = var.deletion_protection
  tags                             = merge(local.tags, { Name = var.name })
}

# A target group a zone, so that a zone can be weighted; behind GWLB one group,
# since its listener forwards to one.
resource "aws_lb_target_group" "node" {
  for_each = var.mode == "eip" ? toset([]) : toset(local.gwlb ? ["all"] : local.azs)

  # 32 characters are allowed, and eu-west-1a has ten of them.
  name                 = local.gwlb ? var.name : "${var.name}-${substr(each.key, -2, 2)}"
  vpc_id               = var.vpc_id
  target_type          = "instance"
  protocol             = local.gwlb ? "GENEVE" : "TCP"
  port                 = local.gwlb ? 6081 : var.agent_port
  deregistration_delay = local.gwlb ? 350 : 30

  # Five seconds and two failures are the least that AWS offers. Not /readyz: a target
  # that fails loses all its flows at once (rebalance), one that leaves the group keeps
  # them for deregistration_delay, and that is how a node drains.
  health_check {
    protocol            = "HTTP"
    path                = "/healthz"
    port                = tostring(var.agent_port)
    matcher             = "200"
    interval            = 5
    timeout             = 4
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }

  dynamic "stickiness" {
    for_each = local.gwlb && var.fleet.stickiness != "5-tuple" ? [var.fleet.stickiness] : []

    content {
      enabled = true
      type    = stickiness.value
    }
  }

  # Without it GWLB goes on sending a dead node the flows that it had.
  dynamic "target_failover" {
    for_each = local.gwlb ? ["rebalance"] : []

    content {
      on_deregistration = target_failover.value
      on_unhealthy      = target_failover.value
    }
  }

  tags = merge(local.tags, { "natxdp:az" = each.key })
}

resource "aws_lb_listener" "fleet" {
  count = var.mode == "eip" ? 0 : 1

  load_balancer_arn        = aws_lb.fleet[0].arn
  port                     = local.gwlb ? null : var.agent_port
  protocol                 = local.gwlb ? null : "TCP"
  tcp_idle_timeout_seconds = local.gwlb ? var.fleet.idle_timeout : null

  default_action {
    type             = "forward"
    target_group_arn = local.gwlb ? aws_lb_target_group.node["all"].arn : null

    dynamic "forward" {
      for_each = local.gwlb ? [] : ["zones"]

      content {
        dynamic "target_group" {
          for_each = aws_lb_target_group.node

          content {
            arn    = target_group.value.arn
            weight = 100
          }
        }
      }
    }
  }

  tags = local.tags

  lifecycle {
    # The agents and nat-route-failover move the weights.
    ignore_changes = [default_action]
  }
}

resource "aws_vpc_endpoint_service" "gwlb" {
  count = local.gwlb ? 1 : 0

  acceptance_required        = false
  gateway_load_balancer_arns = [aws_lb.fleet[0].arn]
  tags                       = merge(local.tags, { Name = var.name })
}

resource "aws_vpc_endpoint" "gwlb" {
  for_each = local.gwlb ? var.azs : {}

  vpc_id            = var.vpc_id
  vpc_endpoint_type = "GatewayLoadBalancer"
  service_name      = aws_vpc_endpoint_service.gwlb[0].service_name
  subnet_ids        = [each.value.public_subnet_id]
  tags              = merge(local.tags, { Name = "${var.name}-${each.key}", "natxdp:az" = each.key })
}
