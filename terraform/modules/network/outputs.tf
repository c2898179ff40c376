# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

output "vpc_id" {
  description = "The VPC."
  value       = aws_vpc.this.id
}

output "cidr" {
  description = "Address range of the VPC."
  value       = aws_vpc.this.cidr_block
}

output "azs" {
  description = "By zone, what module nat wants to know: public subnet and route tables."
  value = {
    for az in var.azs : az => {
      public_subnet_id   = aws_subnet.public[az].id
      public_subnet_cidr = local.subnets[az].public
      route_table_ids    = [aws_route_table.private[az].id]
      private_cidrs      = [local.subnets[az].private]
    }
  }
}

output "private_subnet_ids" {
  description = "By zone: the private subnet."
  value       = { for az, subnet in aws_subnet.private : az => subnet.id }
}

output "private_cidrs" {
  description = "Address ranges of the private subnets."
  value       = [for az in var.azs : local.subnets[az].private]
}

output "public_subnet_ids" {
  description = "By zone: the public subnet."
  value       = { for az, subnet in aws_subnet.public : az => subnet.id }
}

output "endpoint_security_group_id" {
  description = "Security group of the interface endpoints."
  value       = aws_security_group.endpoints.id
}
