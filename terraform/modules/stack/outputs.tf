# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

output "name" {
  description = "Name of the NAT, which is NatId in its metrics."
  value       = var.name
}

output "mode" {
  description = "Where default routes point."
  value       = module.nat.mode
}

output "vpc_id" {
  description = "The VPC."
  value       = module.network.vpc_id
}

output "private_subnet_ids" {
  description = "By zone: the private subnet."
  value       = module.network.private_subnet_ids
}

output "public_ips" {
  description = "By zone: the addresses that servers on the internet see."
  value       = module.nat.public_ips
}

output "route_tables" {
  description = "By route table: the zone whose node its default route is for."
  value       = module.nat.route_tables
}

output "network_interface_ids" {
  description = "By node: its interface. Empty in gwlb mode."
  value       = module.nat.network_interface_ids
}

output "autoscaling_groups" {
  description = "By node: name of its Auto Scaling group."
  value       = module.nat.autoscaling_groups
}

output "target_groups" {
  description = "By zone, or all: ARN of the target group. Empty in eip mode."
  value       = { for name, group in module.nat.target_groups : name => group.arn }
}

output "lease_table" {
  description = "Name of the DynamoDB table with the owner of each zone. null in gwlb mode."
  value       = try(module.nat.lease_table.name, null)
}

output "functions" {
  description = "By job: name of the function."
  value       = try(module.lambda[0].functions, {})
}

output "probes" {
  description = "By zone: the probe's instance."
  value       = try(module.probes[0].instances, {})
}

output "probe_automation" {
  description = "Automation document that runs all probes."
  value       = try(module.probes[0].automation, null)
}

output "dashboard" {
  description = "Name of the CloudWatch dashboard."
  value       = module.observability.dashboard
}

output "topic_arn" {
  description = "Topic that alarms are published to."
  value       = module.observability.topic_arn
}

output "athena_workgroup" {
  description = "Workgroup with the saved queries on flow logs."
  value       = module.observability.athena_workgroup
}
