# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

output "name" {
  description = "Name of the NAT, which is NatId in its metrics."
  value       = var.name
}

output "mode" {
  description = "Where default routes point."
  value       = var.mode
}

output "azs" {
  description = "Availability zones of the NAT."
  value       = local.azs
}

output "public_ips" {
  description = "By zone: the addresses that servers on the internet see. Empty where they change with the node."
  value = {
    for az in local.azs : az => [for key, ip in local.public_ips : ip if startswith(key, "${az}/")]
  }
}

output "allow_list" {
  description = "The same as ranges in one list, for the firewalls of those servers."
  value       = sort([for ip in values(local.public_ips) : "${ip}/32"])
}

output "allocation_ids" {
  description = "By slot (zone/number): allocation id of the Elastic IP."
  value       = local.gwlb ? { for key, eip in aws_eip.flows : key => eip.id } : local.allocations
}

output "slots" {
  description = "By slot (zone/number): allocation id of the Elastic IP, and the private address that it has on each node. Empty in gwlb mode."
  value = local.gwlb ? {} : {
    for slot in local.slots : slot.key => {
      allocation = local.allocations[slot.key]
      addresses  = { for node, addresses in local.slot_addresses : node => addresses[slot.address] }
    }
  }
}

output "management_ips" {
  description = "By node: its own public address."
  value       = { for node, eip in aws_eip.management : node => eip.public_ip }
}

output "network_interface_ids" {
  description = "By node: its interface. Empty in gwlb mode."
  value       = { for node, eni in aws_network_interface.node : node => eni.id }
}

output "route_tables" {
  description = "By route table: the zone whose node its default route is for."
  value       = { for table in values(local.route_tables) : table.id => table.az }
}

# Not of the groups themselves: functions know their names before there are any.
output "autoscaling_groups" {
  description = "By node: name of its Auto Scaling group."
  value       = { for node in keys(local.nodes) : node => "${var.name}-${node}" }
}

output "security_group_id" {
  description = "Security group of the nodes."
  value       = aws_security_group.node.id
}

output "role_arn" {
  description = "Role of the nodes."
  value       = aws_iam_role.node.arn
}

output "lease_table" {
  description = "DynamoDB table with the owner of each zone: name and ARN. null in gwlb mode."
  value       = one([for table in aws_dynamodb_table.lease : { name = table.name, arn = table.arn }])
}

output "load_balancer" {
  description = "The load balancer: ARN, ARN suffix for metrics, listener. null in eip mode."
  value       = one([for lb in aws_lb.fleet : { arn = lb.arn, arn_suffix = lb.arn_suffix, dns_name = lb.dns_name, listener_arn = aws_lb_listener.fleet[0].arn }])
}

output "target_groups" {
  description = "By zone, or all: the target group's ARN and its suffix for metrics."
  value       = { for az, group in aws_lb_target_group.node : az => { arn = group.arn, arn_suffix = group.arn_suffix } }
}

output "endpoint_service_name" {
  description = "gwlb mode: the service, for endpoints in other VPCs."
  value       = one(aws_vpc_endpoint_service.gwlb[*].service_name)
}

output "log_groups" {
  description = "Log groups of the nodes: flows, talkers and system."
  value       = { for use, group in aws_cloudwatch_log_group.node : use => group.name }
}

output "agent_port" {
  description = "Port of the agents' health page."
  value       = var.agent_port
}

output "replication_key_parameter" {
  description = "Name of the parameter with the replication key."
  value       = aws_ssm_parameter.replication_key.name
}
