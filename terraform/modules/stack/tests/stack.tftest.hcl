# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

# Nobody's keys: with the real provider these tests fail instead of making
# anything. They are for a provider that answers offline.
provider "aws" {
  region     = "eu-west-1"
  access_key = "offline"
  secret_key = "offline"
}

variables {
  name            = "egress"
  ami_id          = "ami-0123456789abcdef0"
  network         = { azs = ["eu-west-1a", "eu-west-1b", "eu-west-1c"] }
  lambda_packages = { arm64 = "./versions.tf" }
}

run "gwlb_without_the_control_plane" {
  command = plan

  variables {
    mode            = "gwlb"
    lambda_packages = {}
  }

  expect_failures = [var.lambda_packages]
}

run "every_private_subnet_has_a_way_out" {
  assert {
    condition     = length(module.nat.route_tables) == 3 && toset(values(module.nat.route_tables)) == toset(var.network.azs)
    error_message = "The NAT has a default route for the route table of each zone."
  }
  assert {
    condition     = toset(keys(module.lambda[0].functions)) == toset(["nat-health-probe", "nat-route-failover", "asg-lifecycle-handler", "eip-recover", "config-guard", "nat-probe-runner", "nat-janitor", "nat-isolate"])
    error_message = "The control plane is there."
  }
  assert {
    condition     = contains(module.observability.alarms, "egress-reachability-eu-west-1c") && contains(module.observability.alarms, "egress-function-nat-janitor")
    error_message = "Zones and functions are watched."
  }
  assert {
    condition     = length(output.public_ips) == 3 && alltrue([for ips in values(output.public_ips) : length(ips) == 1])
    error_message = "Each zone has its public address."
  }
}

run "the_agents_alone" {
  state_key = "alone"

  variables {
    lambda_packages = {}
    probes          = false
    mode            = "eip"
  }

  assert {
    condition     = length(module.lambda) == 0 && length(module.probes) == 0 && length(output.functions) == 0
    error_message = "Without packages there is no control plane."
  }
}
