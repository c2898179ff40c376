# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

# Nobody's keys: with the real provider these tests fail instead of making
# anything. They are for a provider that answers offline.
provider "aws" {
  region     = "eu-west-1"
  access_key = "offline"
  secret_key = "offline"
}

variables {
  lambda_packages = { arm64 = "./versions.tf" }
}

override_data {
  target = module.natxdp.module.nat.data.aws_ec2_instance_type.node
  values = { maximum_ipv4_addresses_per_interface = 10 }
}

run "a_wrong_account" {
  command = plan

  variables {
    account_id = "1234"
  }

  expect_failures = [var.account_id]
}

run "every_zone_has_a_way_out" {
  assert {
    condition     = length(module.natxdp.route_tables) == 3 && alltrue([for ips in values(module.natxdp.public_ips) : length(ips) == 2])
    error_message = "Three zones with two addresses each."
  }
  assert {
    condition     = length(module.natxdp.functions) == 8 && length(module.natxdp.probes) == 3
    error_message = "Eight functions, three probes."
  }
}
