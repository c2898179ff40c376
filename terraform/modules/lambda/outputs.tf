# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

output "functions" {
  description = "By job: name of the function."
  value       = { for job, function in aws_lambda_function.this : job => function.function_name }
}

output "failed_events_queue" {
  description = "Queue of the events that no function could handle: name and ARN."
  value       = { name = aws_sqs_queue.failed.name, arn = aws_sqs_queue.failed.arn }
}

output "routing_parameter" {
  description = "Parameter with the state of nat-route-failover, and a person's override."
  value       = aws_ssm_parameter.routing.name
}

output "documents" {
  description = "By use: name of the command document for nodes."
  value       = { for use, document in aws_ssm_document.node : use => document.name }
}
