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

run "every_zone_has_a_way_out" {
  assert {
    condition     = length(module.natxdp.route_tables) == 2 && module.natxdp.mode == "eni"
    error_message = "Both zones have a default route, in the mode of production."
  }
  assert {
    condition     = keys(module.natxdp.public_ips) == ["eu-west-1a", "eu-west-1b"] && length(module.natxdp.functions) == 8 && length(module.natxdp.probes) == 2
    error_message = "Two zones, eight functions, two probes."
  }
}

run "a_role_that_is_none" {
  command = plan

  variables {
    deploy_role_arn = "natxdp-deploy"
  }

  expect_failures = [var.deploy_role_arn]
}
