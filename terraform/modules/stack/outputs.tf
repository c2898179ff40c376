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

output "allow_list" {
  description = "These addresses as ranges in one list, for the firewalls of servers."
  value       = module.nat.allow_list
}

output "management_ips" {
  description = "By node: its own public address, for its calls to AWS."
  value       = module.nat.management_ips
}

output "slots" {
  description = "By slot (zone/number): allocation id of the Elastic IP, and its private address on each node. Empty in gwlb mode."
  value       = module.nat.slots
}

output "security_group_id" {
  description = "Security group of the nodes."
  value       = module.nat.security_group_id
}

output "endpoint_service_name" {
  description = "gwlb mode: the service, for endpoints in other VPCs."
  value       = module.nat.endpoint_service_name
}

output "log_groups" {
  description = "Log groups of the nodes: flows, talkers and system."
  value       = module.nat.log_groups
}

output "kms_key_arn" {
  description = "Key for disks, logs, parameters, topics and buckets."
  value       = module.security.kms_key_arn
}

output "failed_events_queue" {
  description = "Name of the queue of the events that no function could handle. null without the control plane."
  value       = try(module.lambda[0].failed_events_queue.name, null)
}

output "flow_logs_bucket" {
  description = "Bucket of the VPC flow logs."
  value       = module.observability.flow_logs_bucket
}

output "alarms" {
  description = "Names of all alarms."
  value       = module.observability.alarms
}

output "deletion_protection" {
  description = "AWS refuses to delete the load balancer and the lease table."
  value       = var.deletion_protection
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
