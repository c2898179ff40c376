# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

output "kms_key_arn" {
  description = "Key for disks, logs, parameters, topics and buckets."
  value       = aws_kms_key.this.arn
}

output "guardduty_detector_id" {
  description = "The detector, if it was made here."
  value       = one(aws_guardduty_detector.this[*].id)
}

output "config_rules" {
  description = "Names of the AWS Config rules."
  value       = concat([for rule in aws_config_config_rule.managed : rule.name], aws_config_config_rule.routes[*].name, aws_config_config_rule.capacity[*].name)
}

output "patch_baseline_id" {
  description = "Patch baseline of the nodes."
  value       = aws_ssm_patch_baseline.this.id
}

output "units_document" {
  description = "Command document that starts the units of a node and proves its data path."
  value       = aws_ssm_document.units.name
}
