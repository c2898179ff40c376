# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

# Nobody's keys: with the real provider these tests fail instead of making
# anything. They are for a provider that answers offline.
provider "aws" {
  region     = "eu-west-1"
  access_key = "offline"
  secret_key = "offline"
}

variables {
  name          = "egress"
  vpc_id        = "vpc-0123456789abcdef0"
  ami_id        = "ami-0123456789abcdef0"
  private_cidrs = ["10.0.0.0/16"]
  azs = {
    eu-west-1a = { public_subnet_id = "subnet-0aaaaaaaaaaaaaaa1", public_subnet_cidr = "10.0.0.0/24", route_table_ids = ["rtb-0aaaaaaaaaaaaaaa1", "rtb-0aaaaaaaaaaaaaaa2"], private_cidrs = ["10.0.16.0/20"] }
    eu-west-1b = { public_subnet_id = "subnet-0bbbbbbbbbbbbbbb1", public_subnet_cidr = "10.0.1.0/24", route_table_ids = ["rtb-0bbbbbbbbbbbbbbb1"], private_cidrs = ["10.0.32.0/20"] }
  }
}


run "a_name_too_long" {
  command = plan

  variables {
    name = "a-name-that-is-longer-than-twenty"
  }

  expect_failures = [var.name]
}

run "a_name_in_capitals" {
  command = plan

  variables {
    name = "Egress"
  }

  expect_failures = [var.name]
}

run "an_nlb_as_mode" {
  command = plan

  variables {
    mode = "nlb"
  }

  expect_failures = [var.mode]
}

run "an_id_of_something_else" {
  command = plan

  variables {
    vpc_id = "subnet-0123456789abcdef0"
  }

  expect_failures = [var.vpc_id]
}

run "no_zones" {
  command = plan

  variables {
    azs = {}
  }

  expect_failures = [var.azs]
}

run "a_region_as_zone" {
  command = plan

  variables {
    azs = { eu-west-1 = { public_subnet_id = "subnet-1", route_table_ids = [] } }
  }

  expect_failures = [var.azs]
}

run "a_subnet_that_is_none" {
  command = plan

  variables {
    azs = { eu-west-1a = { public_subnet_id = "vpc-1", route_table_ids = [] } }
  }

  expect_failures = [var.azs]
}

run "a_route_table_in_two_zones" {
  command = plan

  variables {
    azs = {
      eu-west-1a = { public_subnet_id = "subnet-1", route_table_ids = ["rtb-1"], private_cidrs = ["10.0.16.0/20"] }
      eu-west-1b = { public_subnet_id = "subnet-2", route_table_ids = ["rtb-1"], private_cidrs = ["10.0.32.0/20"] }
    }
  }

  expect_failures = [var.azs]
}

run "a_zone_whose_hosts_nobody_knows" {
  command = plan

  variables {
    azs = {
      eu-west-1a = { public_subnet_id = "subnet-1", route_table_ids = ["rtb-1"], private_cidrs = ["10.0.16.0/20"] }
      eu-west-1b = { public_subnet_id = "subnet-2", route_table_ids = ["rtb-2"] }
    }
  }

  expect_failures = [var.azs]
}

run "a_range_in_two_zones" {
  command = plan

  variables {
    azs = {
      eu-west-1a = { public_subnet_id = "subnet-1", route_table_ids = ["rtb-1"], private_cidrs = ["10.0.16.0/20"] }
      eu-west-1b = { public_subnet_id = "subnet-2", route_table_ids = ["rtb-2"], private_cidrs = ["10.0.16.0/20"] }
    }
  }

  expect_failures = [var.azs]
}

run "a_range_of_a_zone_that_is_none" {
  command = plan

  variables {
    azs = { eu-west-1a = { public_subnet_id = "subnet-1", route_table_ids = ["rtb-1"], private_cidrs = ["10.0.17.0/20"] } }
  }

  expect_failures = [var.azs]
}

run "failover_of_a_table_of_somebody_else" {
  command = plan

  variables {
    manage_routes         = false
    failover_route_tables = ["rtb-0cccccccccccccccc"]
  }

  expect_failures = [var.failover_route_tables]
}

run "another_fleet_in_agent_settings" {
  command = plan

  variables {
    agent_settings = { ha_node = "other" }
  }

  expect_failures = [var.agent_settings]
}

run "ranges_that_are_none" {
  command = plan

  variables {
    private_cidrs = ["10.0.0.0/33"]
  }

  expect_failures = [var.private_cidrs]
}

run "the_internet_as_private" {
  command = plan

  variables {
    private_cidrs = ["0.0.0.0/0"]
  }

  expect_failures = [var.private_cidrs]
}

run "no_ranges" {
  command = plan

  variables {
    private_cidrs = []
  }

  expect_failures = [var.private_cidrs]
}

run "a_processor_unknown" {
  command = plan

  variables {
    architecture = "armv7"
  }

  expect_failures = [var.architecture]
}

run "an_arm_instance_as_x86" {
  command = plan

  variables {
    architecture = "x86_64"
  }

  expect_failures = [var.instance_type]
}

run "an_x86_instance_as_arm" {
  command = plan

  variables {
    instance_type = "c6in.large"
  }

  expect_failures = [var.instance_type]
}

run "no_image" {
  command = plan

  variables {
    ami_id = null
  }

  expect_failures = [var.ami_id]
}

run "two_images" {
  command = plan

  variables {
    ami_ssm_parameter = "/natxdp/ami"
  }

  expect_failures = [var.ami_id]
}

run "no_address" {
  command = plan

  variables {
    eips_per_az = 0
  }

  expect_failures = [var.eips_per_az]
}

run "addresses_for_one_zone_only" {
  command = plan

  variables {
    eip_allocation_ids = { eu-west-1a = ["eipalloc-1"] }
  }

  expect_failures = [var.eip_allocation_ids]
}

run "standby_nodes_behind_gwlb" {
  command = plan

  variables {
    mode          = "gwlb"
    launch_hook   = true
    standby_nodes = true
  }

  expect_failures = [var.standby_nodes]
}

run "spot_everywhere" {
  command = plan

  variables {
    spot_azs = ["eu-west-1a", "eu-west-1b"]
  }

  expect_failures = [var.spot_azs]
}

run "spot_in_a_foreign_zone" {
  command = plan

  variables {
    spot_azs = ["eu-west-1c"]
  }

  expect_failures = [var.spot_azs]
}

run "a_fleet_upside_down" {
  command = plan

  variables {
    fleet = { min = 3, desired = 2 }
  }

  expect_failures = [var.fleet]
}

run "gwlb_without_the_hook" {
  command = plan

  variables {
    mode = "gwlb"
  }

  expect_failures = [var.launch_hook]
}

run "a_port_too_high" {
  command = plan

  variables {
    agent_port = 70000
  }

  expect_failures = [var.agent_port]
}

run "one_port_for_two" {
  command = plan

  variables {
    peer_port = 9469
  }

  expect_failures = [var.peer_port]
}

run "a_profile_unknown" {
  command = plan

  variables {
    profile = "linux"
  }

  expect_failures = [var.profile]
}

run "a_table_too_small" {
  command = plan

  variables {
    max_flows = 10
  }

  expect_failures = [var.max_flows]
}

run "settings_that_are_variables" {
  command = plan

  variables {
    settings = { external = "1.2.3.4" }
  }

  expect_failures = [var.settings]
}

run "a_retention_that_aws_has_not" {
  command = plan

  variables {
    log_retention_days = 31
  }

  expect_failures = [var.log_retention_days]
}
