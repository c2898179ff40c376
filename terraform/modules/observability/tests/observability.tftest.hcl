# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

# Nobody's keys: with the real provider these tests fail instead of making
# anything. They are for a provider that answers offline.
provider "aws" {
  region     = "eu-west-1"
  access_key = "offline"
  secret_key = "offline"
}

variables {
  name                = "egress"
  azs                 = ["eu-west-1a", "eu-west-1b"]
  vpc_id              = "vpc-0123456789abcdef0"
  functions           = { nat-health-probe = "egress-nat-health-probe" }
  failed_events_queue = "egress-failed-events"
  flow_log_group      = "/natxdp/egress/flows"
}

# Of the agent's list, those that are sent to CloudWatch by default and have the
# dimensions NatId and AvailabilityZone: NAT, BASIC.

run "control_plane_without_its_queue" {
  command = plan

  variables {
    failed_events_queue = null
  }

  expect_failures = [aws_cloudwatch_metric_alarm.failed_events]
}

# A plan takes its time whatever it refuses: of each variable one bad value at a time.
run "refused_together_1" {
  command = plan

  variables {
    # an email that is none
    emails = ["oncall"]
    # a channel by name
    slack = { team_id = "T0123456", channel_id = "#nat" }
    # more than everything
    thresholds = { flow_table = 120 }
    # logs that end before glacier
    flow_logs_expire_days = 30
    # a region as zone
    azs = ["eu-west-1"]
    # peers below zero
    peers = -1
  }

  expect_failures = [var.emails, var.slack, var.thresholds, var.flow_logs_expire_days, var.azs, var.peers]
}

run "metrics_of_alarms_exist" {
  assert {
    condition = length(setsubtract(
      toset(concat(
        [for alarm in aws_cloudwatch_metric_alarm.zone : alarm.metric_name],
        flatten([for alarm in aws_cloudwatch_metric_alarm.drops : [for query in alarm.metric_query : [for metric in query.metric : metric.metric_name]]]),
      )),
      toset(flatten(regexall("METRIC\\([A-Z0-9_]+,\\s*\"([A-Za-z0-9]+)\",\\s*[A-Z_]+,\\s*[A-Z]+,\\s*NAT,\\s*BASIC,", file("../../../agent/metric_list.h")))),
    )) == 0
    error_message = "An alarm has a metric that agent/metric_list.h does not have, or that is not sent by default."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.zone : alarm.namespace == regex("METRIC_NAMESPACE \"([A-Za-z]+)\"", file("../../../agent/metric_list.h"))[0]])
    error_message = "An alarm is not in the namespace of agent/metric_list.h."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.zone : toset(keys(alarm.dimensions)) == toset(["NatId", "AvailabilityZone"])])
    error_message = "Alarms have the dimensions that metrics are sent with."
  }
}

run "metrics_of_the_dashboard_exist" {
  assert {
    condition = length(setsubtract(
      toset(flatten(regexall("\\[\"NATXDP\",\"([A-Za-z0-9]+)\",\"NatId\",\"egress\",\"AvailabilityZone\"", aws_cloudwatch_dashboard.this.dashboard_body))),
      toset(flatten(regexall("METRIC\\([A-Z0-9_]+,\\s*\"([A-Za-z0-9]+)\",\\s*[A-Z_]+,\\s*[A-Z]+,\\s*NAT,\\s*BASIC,", file("../../../agent/metric_list.h")))),
    )) == 0
    error_message = "The dashboard has a metric that agent/metric_list.h does not have, or that is not sent by default."
  }
  assert {
    # The pattern above must not be one that finds nothing.
    condition     = length(regexall("\\[\"NATXDP\",\"([A-Za-z0-9]+)\",\"NatId\",\"egress\",\"AvailabilityZone\"", aws_cloudwatch_dashboard.this.dashboard_body)) == sum([for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : length(try(widget.properties.metrics, []))])
    error_message = "A graph of the dashboard has another form than the test looks for."
  }
  assert {
    # The sixteen metrics of AWS/NATGateway, which everybody knows.
    condition = length(setsubtract([
      "ActiveConnectionCount", "BytesInFromDestination", "BytesInFromSource", "BytesOutToDestination", "BytesOutToSource",
      "ConnectionAttemptCount", "ConnectionEstablishedCount", "ErrorPortAllocation", "IdleTimeoutCount", "PacketsDropCount",
      "PacketsInFromDestination", "PacketsInFromSource", "PacketsOutToDestination", "PacketsOutToSource", "PeakBytesPerSecond", "PeakPacketsPerSecond",
    ], flatten(regexall("\\[\"NATXDP\",\"([A-Za-z0-9]+)\"", aws_cloudwatch_dashboard.this.dashboard_body)))) == 0
    error_message = "The dashboard lacks a metric that a NAT gateway has."
  }
}

run "a_zone_that_is_down_tells_it_once" {
  assert {
    condition     = alltrue([for key, alarm in aws_cloudwatch_metric_alarm.zone : length(alarm.alarm_actions) == (contains(["health", "conntrack", "failover-error", "reachability", "unreachable"], split("-eu-", key)[0]) ? 0 : 1)])
    error_message = "Urgent alarms tell it by the composite alarm of their zone, and the others by themselves."
  }
  assert {
    condition     = aws_cloudwatch_composite_alarm.zone["eu-west-1a"].alarm_rule == "ALARM(\"egress-health-eu-west-1a\") OR ALARM(\"egress-conntrack-eu-west-1a\") OR ALARM(\"egress-failover-error-eu-west-1a\") OR ALARM(\"egress-unreachable-eu-west-1a\")"
    error_message = "The composite alarm of a zone is not what is listed here."
  }
  assert {
    condition     = toset(aws_cloudwatch_composite_alarm.zone["eu-west-1b"].alarm_actions) == toset([aws_sns_topic.alarms.arn])
    error_message = "Alarms go to the topic."
  }
  assert {
    condition     = aws_cloudwatch_composite_alarm.all[0].alarm_rule == "ALARM(\"egress-health-eu-west-1a\") AND ALARM(\"egress-health-eu-west-1b\")"
    error_message = "All zones down is an alarm of its own."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.zone["reachability-eu-west-1a"].alarm_name == "egress-reachability-eu-west-1a"
    error_message = "Module lambda waits for alarms of this name."
  }
  assert {
    condition     = alltrue([for kind, periods in { reachability = 1, unreachable = 3 } : aws_cloudwatch_metric_alarm.zone["${kind}-eu-west-1a"].period == 10 && aws_cloudwatch_metric_alarm.zone["${kind}-eu-west-1a"].evaluation_periods == periods && aws_cloudwatch_metric_alarm.zone["${kind}-eu-west-1a"].datapoints_to_alarm == periods])
    error_message = "A failover starts at the first value of 10 seconds; people are woken when that has not helped."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.zone["health-eu-west-1a"].treat_missing_data == "breaching"
    error_message = "A node that says nothing is not healthy."
  }
}

run "without_the_control_plane" {
  state_key = "alone"

  variables {
    control_plane       = false
    functions           = {}
    failed_events_queue = null
    peers               = 0
    health_checks       = true
    azs                 = ["eu-west-1a"]
  }

  assert {
    condition     = length([for alarm in aws_cloudwatch_metric_alarm.zone : alarm if contains(["NATReachability", "ConfigDriftCount", "SyncPeerCount"], alarm.metric_name)]) == 0 && length(aws_cloudwatch_metric_alarm.failed_events) == 0 && length(aws_cloudwatch_composite_alarm.all) == 0
    error_message = "What nobody publishes must not be watched."
  }
  assert {
    condition     = aws_route53_health_check.zone["eu-west-1a"].cloudwatch_alarm_name == "egress-health-eu-west-1a"
    error_message = "Without the control plane, health checks follow the nodes' health."
  }
}

run "flow_logs_are_kept_and_found" {
  assert {
    condition     = one([for rule in aws_s3_bucket_lifecycle_configuration.flow_logs[0].rule : one([for transition in rule.transition : "${transition.days} ${transition.storage_class}"]) if rule.id == "flow-logs"]) == "90 GLACIER"
    error_message = "Flow logs go to Glacier after 90 days."
  }
  assert {
    condition     = aws_s3_bucket_public_access_block.flow_logs[0].restrict_public_buckets && aws_s3_bucket_public_access_block.flow_logs[0].block_public_policy
    error_message = "The bucket is not public."
  }
  assert {
    condition = [for column in aws_glue_catalog_table.flow_logs[0].storage_descriptor[0].columns : column.name] == [
      for field in split(" ", aws_flow_log.this[0].log_format) : replace(trimsuffix(trimprefix(field, "$${"), "}"), "-", "_")
    ]
    error_message = "The table has the fields of the log, in their order."
  }
  assert {
    condition     = aws_flow_log.this[0].traffic_type == "ALL" && aws_flow_log.this[0].destination_options[0].file_format == "parquet"
    error_message = "Flow logs are Parquet, of all traffic."
  }
  assert {
    condition     = toset(keys(aws_athena_named_query.flow_logs)) == toset(["top-talkers", "top-destinations", "rejected", "cross-zone"])
    error_message = "The saved queries are not those that are listed here."
  }
}

run "alarms_reach_people" {
  variables {
    emails      = ["oncall@example.com"]
    slack       = { team_id = "T0123456", channel_id = "C0123456" }
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  }

  assert {
    condition     = aws_sns_topic_subscription.email["oncall@example.com"].topic_arn == aws_sns_topic.alarms.arn && aws_chatbot_slack_channel_configuration.this[0].sns_topic_arns == toset([aws_sns_topic.alarms.arn])
    error_message = "E-mail and Slack listen to the topic."
  }
  assert {
    condition     = aws_sns_topic.alarms.kms_master_key_id == var.kms_key_arn
    error_message = "The topic is encrypted with the key that is given."
  }
  assert {
    condition     = alltrue([for s in jsondecode(aws_sns_topic_policy.alarms.policy).Statement : s.Principal.Service == "cloudwatch.amazonaws.com" if s.Effect == "Allow"])
    error_message = "Only CloudWatch publishes to the topic."
  }
  assert {
    condition     = toset(flatten([for s in jsondecode(aws_iam_role_policy.chat[0].policy).Statement : s.Action])) == toset(["cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "cloudwatch:GetMetricWidgetImage"])
    error_message = "Slack may look at graphs, and nothing else."
  }
}

run "everything_is_tagged" {
  variables {
    tags          = { team = "network" }
    health_checks = true
    slack         = { team_id = "T0123456", channel_id = "C0123456" }
  }

  assert {
    condition = alltrue([
      for tags in concat(
        [for r in aws_cloudwatch_metric_alarm.zone : r.tags], [for r in aws_cloudwatch_metric_alarm.drops : r.tags], [for r in aws_cloudwatch_metric_alarm.function : r.tags],
        [for r in aws_cloudwatch_composite_alarm.zone : r.tags], [for r in aws_route53_health_check.zone : r.tags],
        [aws_sns_topic.alarms.tags, aws_s3_bucket.flow_logs[0].tags, aws_flow_log.this[0].tags, aws_athena_workgroup.this[0].tags, aws_glue_catalog_database.this[0].tags,
        aws_iam_role.chat[0].tags, aws_chatbot_slack_channel_configuration.this[0].tags, aws_cloudwatch_metric_alarm.failed_events[0].tags, aws_cloudwatch_composite_alarm.all[0].tags],
      ) : try(tags["natxdp:nat"] == "egress" && tags["team"] == "network", false)
    ])
    error_message = "A resource lacks its tags."
  }
}
