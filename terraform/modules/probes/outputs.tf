# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

output "instances" {
  description = "By zone: the probe's instance."
  value       = { for az, instance in aws_instance.this : az => instance.id }
}

output "documents" {
  description = "By use: name and ARN of the command document, for probe_documents of module lambda."
  value       = { for use, document in aws_ssm_document.command : use => { name = document.name, arn = document.arn } }
}

output "automation" {
  description = "Automation document that runs everything on all probes."
  value       = aws_ssm_document.automation.name
}

output "results_bucket" {
  description = "Bucket of the results."
  value       = aws_s3_bucket.results.id
}
