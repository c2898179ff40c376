# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

output "commands" {
  description = "By route table: the command that moves its default route to natxdp."
  value = {
    for table, az in module.nat.route_tables : table =>
    "aws ec2 replace-route --route-table-id ${table} --destination-cidr-block 0.0.0.0/0 --network-interface-id ${module.nat.network_interface_ids[az]}"
  }
}

output "public_ips" {
  description = "By zone: the addresses that servers will see; have them allowed before the first step."
  value       = module.nat.public_ips
}
