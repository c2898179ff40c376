# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

output "functions" {
  description = "By job: name of the function."
  value       = { for job, function in aws_lambda_function.this : job => function.function_name }
}

# What module nat waits for: functions that are called, may do their work, and find their documents.
output "ready" {
  description = "For after of module nat: names of the functions, when all that they need is there."
  value       = sort([for function in aws_lambda_function.this : function.function_name])

  depends_on = [
    aws_cloudwatch_event_target.this, aws_lambda_permission.this, aws_lambda_function_event_invoke_config.this,
    aws_sqs_queue_policy.failed, aws_ssm_document.node, aws_vpc_security_group_ingress_rule.nodes,
    aws_vpc_security_group_egress_rule.probe,
  ]
}

output "failed_events_queue" {
  description = "Queue of the events that no function could handle: name and ARN."
  value       = { name = aws_sqs_queue.failed.name, arn = aws_sqs_queue.failed.arn }
}

output "routing_parameter" {
  description = "Parameter in which nat-route-failover notes what it did last."
  value       = aws_ssm_parameter.routing.name
}

output "documents" {
  description = "By use: name of the command document for nodes."
  value       = { for use, document in aws_ssm_document.node : use => document.name }
}
