# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Alarms and whom they tell. Names of metrics are those of agent/metric_list.h,
# with the dimensions NatId and AvailabilityZone; a test compares them.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  tags = merge(var.tags, {
    "natxdp:nat"    = var.name
    "natxdp:module" = "observability"
  })
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.region
  prefix    = "arn:${data.aws_partition.current.partition}"
  namespace = "NATXDP"

  # By kind: the alarms of a zone. What a node says of itself breaches when it is
  # missing; what only some events publish does not.
  kinds = merge(
    {
      health         = { metric = "NodeHealthy", stat = "Minimum", op = "LessThanThreshold", limit = 1, periods = 2, missing = "breaching", what = "A node's data path is not proven, or the node is silent." }
      ports          = { metric = "ErrorPortAllocation", stat = "Sum", op = "GreaterThanThreshold", limit = 0, periods = 1, missing = "notBreaching", what = "A destination had no external port left: add Elastic IPs." }
      port-use       = { metric = "PortUse", stat = "Maximum", op = "GreaterThanThreshold", limit = var.thresholds.ports, periods = 3, missing = "notBreaching", what = "External ports to one destination run short: add Elastic IPs." }
      flow-table     = { metric = "FlowTableUse", stat = "Maximum", op = "GreaterThanThreshold", limit = var.thresholds.flow_table, periods = 3, missing = "notBreaching", what = "The flow table fills: raise max_flows." }
      cpu            = { metric = "SoftirqUse", stat = "Maximum", op = "GreaterThanThreshold", limit = var.thresholds.softirq, periods = 5, missing = "notBreaching", what = "A CPU is busy with packets: take a larger instance or gwlb mode." }
      load           = { metric = "ActiveConnectionCount", stat = "Maximum", op = "GreaterThanThreshold", limit = var.thresholds.connections, periods = 5, missing = "notBreaching", what = "More connections than planned for." }
      bw-in          = { metric = "BandwidthInAllowanceExceeded", stat = "Sum", op = "GreaterThanThreshold", limit = 0, periods = 3, missing = "notBreaching", what = "EC2 throttles: inbound bandwidth." }
      bw-out         = { metric = "BandwidthOutAllowanceExceeded", stat = "Sum", op = "GreaterThanThreshold", limit = 0, periods = 3, missing = "notBreaching", what = "EC2 throttles: outbound bandwidth." }
      pps            = { metric = "PpsAllowanceExceeded", stat = "Sum", op = "GreaterThanThreshold", limit = 0, periods = 3, missing = "notBreaching", what = "EC2 throttles: packets per second." }
      conntrack      = { metric = "ConntrackAllowanceExceeded", stat = "Sum", op = "GreaterThanThreshold", limit = 0, periods = 1, missing = "notBreaching", what = "EC2 drops connections that its security group cannot track: see variable tracked of module nat." }
      failover       = { metric = "FailoverCount", stat = "Sum", op = "GreaterThanThreshold", limit = 0, periods = 1, missing = "notBreaching", what = "A peer took over this zone." }
      failover-error = { metric = "FailoverErrorCount", stat = "Sum", op = "GreaterThanThreshold", limit = 0, periods = 1, missing = "notBreaching", what = "A step of a take-over failed." }
    },
    var.peers > 0 ? {
      peers    = { metric = "SyncPeerCount", stat = "Minimum", op = "LessThanThreshold", limit = var.peers, periods = 3, missing = "breaching", what = "A node has fewer peers with its flows than it should: connections would not survive it." }
      sync-lag = { metric = "SyncLagMs", stat = "Maximum", op = "GreaterThanThreshold", limit = var.thresholds.sync_lag, periods = 3, missing = "notBreaching", what = "Replication of flows lags." }
    } : {},
    var.control_plane ? {
      reachability = { metric = "NATReachability", stat = "Minimum", op = "LessThanThreshold", limit = var.thresholds.reachability, periods = 1, missing = "missing", what = "Targets are not reached through the zone's node. Starts nat-route-failover, and tells nobody." }
      unreachable  = { metric = "NATReachability", stat = "Minimum", op = "LessThanThreshold", limit = var.thresholds.reachability, periods = 3, missing = "missing", what = "Targets are still not reached through the zone's node: nat-route-failover has not mended it." }
      drift        = { metric = "ConfigDriftCount", stat = "Maximum", op = "GreaterThanThreshold", limit = 0, periods = 3, missing = "notBreaching", what = "A node differs from its configuration and does not converge." }
      lifecycle    = { metric = "LifecycleFailureCount", stat = "Sum", op = "GreaterThanThreshold", limit = 0, periods = 1, missing = "notBreaching", what = "A node was not proven, or could not hand over." }
      isolated     = { metric = "IsolatedAddressCount", stat = "Maximum", op = "GreaterThanThreshold", limit = 0, periods = 1, missing = "notBreaching", what = "An inside address is blocked after a finding of GuardDuty." }
    } : {},
  )
  alarms = merge([
    for az in var.azs : { for kind, facts in local.kinds : "${kind}-${az}" => merge(facts, { az = az, kind = kind }) }
  ]...)

  # What wakes somebody up, what can wait, and what only a function hears: it looks again before it
  # acts, so one value is enough for it, and not for people.
  urgent = concat(["health", "conntrack", "failover-error"], var.control_plane ? ["unreachable"] : [])
  silent = concat(local.urgent, ["reachability"])
}

resource "aws_cloudwatch_metric_alarm" "zone" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.what
  namespace           = local.namespace
  metric_name         = each.value.metric
  dimensions          = { NatId = var.name, AvailabilityZone = each.value.az }
  statistic           = each.value.stat
  comparison_operator = each.value.op
  threshold           = each.value.limit
  # nat-health-probe publishes every ten seconds, and an outage is worth the price of it.
  period              = each.value.metric == "NATReachability" ? 10 : 60
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.periods
  treat_missing_data  = each.value.missing
  # A zone that is down tells it once, by the composite alarm.
  alarm_actions = contains(local.silent, each.value.kind) ? [] : [aws_sns_topic.alarms.arn]
  ok_actions    = contains(local.silent, each.value.kind) ? [] : [aws_sns_topic.alarms.arn]
  tags          = local.tags
}

# AWS asks for an alarm when a NAT gateway drops more than 0.01 %.
resource "aws_cloudwatch_metric_alarm" "drops" {
  for_each = toset(var.azs)

  alarm_name          = "${var.name}-drops-${each.key}"
  alarm_description   = "More packets are dropped than ${var.thresholds.drops} % of those that came."
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.thresholds.drops
  evaluation_periods  = 3
  datapoints_to_alarm = 3
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  tags                = local.tags

  metric_query {
    id          = "share"
    label       = "dropped packets in percent"
    expression  = "IF(fromsource + fromdestination > 0, 100 * dropped / (fromsource + fromdestination), 0)"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { dropped = "PacketsDropCount", fromsource = "PacketsInFromSource", fromdestination = "PacketsInFromDestination" }

    content {
      id = metric_query.key

      metric {
        namespace   = local.namespace
        metric_name = metric_query.value
        dimensions  = { NatId = var.name, AvailabilityZone = each.key }
        period      = 60
        stat        = "Sum"
      }
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "function" {
  for_each = var.functions

  alarm_name          = "${var.name}-function-${each.key}"
  alarm_description   = "${each.key} ends with errors."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = each.value }
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 60
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  tags                = local.tags
}

resource "aws_cloudwatch_metric_alarm" "failed_events" {
  count = var.control_plane ? 1 : 0

  alarm_name          = "${var.name}-failed-events"
  alarm_description   = "Events of the control plane failed for good; they are in the queue."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = var.failed_events_queue }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = 300
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
  tags                = local.tags

  lifecycle {
    precondition {
      condition     = var.failed_events_queue != null
      error_message = "With control_plane, failed_events_queue has to be given."
    }
  }
}

resource "aws_cloudwatch_composite_alarm" "zone" {
  for_each = toset(var.azs)

  alarm_name        = "${var.name}-zone-${each.key}"
  alarm_description = "The NAT of ${each.key} does not work, or is in danger: see docs/runbooks."
  alarm_rule        = join(" OR ", [for kind in local.urgent : "ALARM(\"${aws_cloudwatch_metric_alarm.zone["${kind}-${each.key}"].alarm_name}\")"])
  alarm_actions     = [aws_sns_topic.alarms.arn]
  ok_actions        = [aws_sns_topic.alarms.arn]
  tags              = local.tags
}

# More than one zone at a time is another page of the runbook.
resource "aws_cloudwatch_composite_alarm" "all" {
  count = length(var.azs) > 1 ? 1 : 0

  alarm_name        = "${var.name}-all-zones"
  alarm_description = "The NAT works in no zone: see docs/runbooks."
  alarm_rule        = join(" AND ", [for az in var.azs : "ALARM(\"${aws_cloudwatch_metric_alarm.zone["health-${az}"].alarm_name}\")"])
  alarm_actions     = [aws_sns_topic.alarms.arn]
  ok_actions        = [aws_sns_topic.alarms.arn]
  tags              = local.tags
}

resource "aws_route53_health_check" "zone" {
  for_each = var.health_checks ? toset(var.azs) : toset([])

  type                            = "CLOUDWATCH_METRIC"
  cloudwatch_alarm_name           = aws_cloudwatch_metric_alarm.zone["${var.control_plane ? "unreachable" : "health"}-${each.key}"].alarm_name
  cloudwatch_alarm_region         = local.region
  insufficient_data_health_status = "LastKnownStatus"
  tags                            = merge(local.tags, { Name = "${var.name}-${each.key}" })
}
