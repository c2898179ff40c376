# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

output "nat" {
  description = "Everything that module stack says of itself."
  value       = module.natxdp
}

output "region" {
  description = "AWS region."
  value       = var.region
}
