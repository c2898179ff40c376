# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

output "topic_arn" {
  description = "Topic that alarms are published to."
  value       = aws_sns_topic.alarms.arn
}

output "dashboard" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "alarms" {
  description = "Names of all alarms."
  value = sort(concat(
    [for alarm in aws_cloudwatch_metric_alarm.zone : alarm.alarm_name], [for alarm in aws_cloudwatch_metric_alarm.drops : alarm.alarm_name],
    [for alarm in aws_cloudwatch_metric_alarm.function : alarm.alarm_name], aws_cloudwatch_metric_alarm.failed_events[*].alarm_name,
    [for alarm in aws_cloudwatch_composite_alarm.zone : alarm.alarm_name], aws_cloudwatch_composite_alarm.all[*].alarm_name,
  ))
}

output "flow_logs_bucket" {
  description = "Bucket of the VPC flow logs, if there are any."
  value       = one(aws_s3_bucket.flow_logs[*].id)
}

output "athena_workgroup" {
  description = "Workgroup with the saved queries, if there are flow logs."
  value       = one(aws_athena_workgroup.this[*].name)
}
