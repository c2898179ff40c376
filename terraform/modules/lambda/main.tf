# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# The control plane: one package, a function a job. The handler's name says
# which; each has a role, a log group and a place for events that failed.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  name    = var.nat.name
  gwlb    = var.nat.mode == "gwlb"
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.region
  prefix  = "arn:${data.aws_partition.current.partition}"
  tags = merge(var.tags, {
    "natxdp:nat"    = local.name
    "natxdp:module" = "lambda"
  })

  functions = {
    nat-health-probe      = { timeout = 60, vpc = true, what = "Proves the egress of each node and publishes NATReachability and Latency." }
    nat-route-failover    = { timeout = 60, vpc = false, what = "Points routes, addresses and weights to healthy nodes when no agent can." }
    asg-lifecycle-handler = { timeout = 240, vpc = false, what = "Proves nodes that start, and hands over from nodes that stop." }
    eip-recover           = { timeout = 60, vpc = false, what = "Associates Elastic IPs again whose node is gone." }
    config-guard          = { timeout = 240, vpc = false, what = "Finds and repairs drift on the nodes." }
    nat-probe-runner      = { timeout = 300, vpc = false, what = "Has probe instances make traffic, and publishes what they measured." }
    nat-janitor           = { timeout = 120, vpc = false, what = "Removes probes, interfaces and addresses that were left over." }
    nat-isolate           = { timeout = 120, vpc = false, what = "Blocks the inside address of a GuardDuty finding on every node." }
  }

  environment = {
    NATXDP_NAT               = local.name
    NATXDP_MODE              = var.nat.mode
    NATXDP_ROUTE_TABLES      = jsonencode(var.nat.route_tables)
    NATXDP_LEASE_TABLE       = try(var.nat.lease_table.name, "")
    NATXDP_LISTENER          = try(var.nat.load_balancer.listener_arn, "")
    NATXDP_TARGET_GROUPS     = jsonencode({ for az, group in var.nat.target_groups : az => group.arn })
    NATXDP_INTERFACES        = jsonencode(var.nat.network_interface_ids)
    NATXDP_SLOTS             = jsonencode(var.nat.slots)
    NATXDP_RESULTS_BUCKET    = var.results_bucket == null ? "" : var.results_bucket
    NATXDP_AGENT_PORT        = tostring(var.nat.agent_port)
    NATXDP_ROUTING_PARAMETER = aws_ssm_parameter.routing.name
    NATXDP_BLOCKED_PARAMETER = aws_ssm_parameter.blocked.name
    NATXDP_DOCUMENTS         = jsonencode(merge({ for use, document in aws_ssm_document.node : use => document.name }, { for use, document in var.probe_documents : use => document.name }))
    NATXDP_PROBE_TARGETS     = join(",", var.probe_targets)
    NATXDP_JANITOR_AGE       = tostring(var.janitor.max_age_hours * 3600)
    NATXDP_DRY_RUN           = tostring(var.janitor.dry_run)
    NATXDP_LOG_LEVEL         = var.log_level
  }
}

resource "aws_lambda_function" "this" {
  for_each = local.functions

  function_name    = "${local.name}-${each.key}"
  description      = each.value.what
  role             = aws_iam_role.this[each.key].arn
  runtime          = "provided.al2023"
  handler          = each.key
  architectures    = [var.architecture]
  filename         = var.packages[var.architecture]
  source_code_hash = filebase64sha256(var.packages[var.architecture])
  timeout          = each.value.timeout
  memory_size      = 128
  kms_key_arn      = var.kms_key_arn
  tags             = local.tags

  environment {
    variables = local.environment
  }

  dead_letter_config {
    target_arn = aws_sqs_queue.failed.arn
  }

  logging_config {
    log_format = "Text"
    log_group  = aws_cloudwatch_log_group.this[each.key].name
  }

  tracing_config {
    mode = "PassThrough"
  }

  dynamic "vpc_config" {
    for_each = each.value.vpc ? [var.private_subnet_ids] : []

    content {
      subnet_ids         = vpc_config.value
      security_group_ids = [aws_security_group.probe.id]
    }
  }

  depends_on = [aws_iam_role_policy.this]
}

# An event is tried again twice, and is old after five minutes: a failover that
# comes later does more harm than good.
resource "aws_lambda_function_event_invoke_config" "this" {
  for_each = local.functions

  function_name                = aws_lambda_function.this[each.key].function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 300
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = local.functions

  name              = "/aws/lambda/${local.name}-${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = local.tags
}

resource "aws_sqs_queue" "failed" {
  name                      = "${local.name}-failed-events"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
  tags                      = local.tags
}

# The health page of the nodes, and the endpoints of AWS.
resource "aws_security_group" "probe" {
  name        = "${local.name}-health-probe"
  description = "natxdp ${local.name}: the health probe"
  vpc_id      = var.vpc_id
  tags        = merge(local.tags, { Name = "${local.name}-health-probe" })
}

resource "aws_vpc_security_group_egress_rule" "probe" {
  for_each = { https = 443, agent = var.nat.agent_port }

  security_group_id = aws_security_group.probe.id
  description       = each.key == "https" ? "Endpoints of AWS" : "Health page of the nodes"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
  tags              = local.tags
}

resource "aws_vpc_security_group_ingress_rule" "nodes" {
  security_group_id            = var.nat.security_group_id
  description                  = "Health page, for nat-health-probe"
  referenced_security_group_id = aws_security_group.probe.id
  ip_protocol                  = "tcp"
  from_port                    = var.nat.agent_port
  to_port                      = var.nat.agent_port
  tags                         = local.tags
}

# Where nat-route-failover keeps what it did, for people.
resource "aws_ssm_parameter" "routing" {
  name           = "/natxdp/${local.name}/routing"
  description    = "State of nat-route-failover"
  type           = "String"
  insecure_value = "{}"
  tags           = local.tags

  lifecycle {
    ignore_changes = [insecure_value]
  }
}

resource "aws_ssm_parameter" "blocked" {
  name           = "/natxdp/${local.name}/blocked"
  description    = "Addresses that nat-isolate has blocked"
  type           = "String"
  insecure_value = "[]"
  tags           = local.tags

  lifecycle {
    ignore_changes = [insecure_value]
  }
}
