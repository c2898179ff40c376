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

# A plan takes its time whatever it refuses: of each variable one bad value at a time.
run "refused_together_1" {
  command = plan

  variables {
    # a name too long
    name = "a-name-that-is-longer-than-twenty"
    # an nlb as mode
    mode = "nlb"
    # an id of something else
    vpc_id = "subnet-0123456789abcdef0"
    # another fleet in agent settings
    agent_settings = { ha_node = "other" }
    # ranges that are none
    private_cidrs = ["10.0.0.0/33"]
    # a processor unknown
    architecture = "armv7"
    # no image
    ami_id = null
    # a port too high
    agent_port = 70000
    # a profile unknown
    profile = "linux"
    # a table too small
    max_flows = 10
    # settings that are variables
    settings = { external = "1.2.3.4" }
    # a retention that aws has not
    log_retention_days = 31
    # an alias of a key
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:alias/natxdp"
    # a name in the place of a policy
    permissions_boundary_arn = "boundary"
  }

  expect_failures = [var.name, var.mode, var.vpc_id, var.agent_settings, var.private_cidrs, var.architecture, var.ami_id, var.agent_port, var.profile, var.max_flows, var.settings, var.log_retention_days, var.kms_key_arn, var.permissions_boundary_arn]
}

run "refused_together_2" {
  command = plan

  variables {
    # a name in capitals
    name = "Egress"
    # no zones
    azs = {}
    # the internet as private
    private_cidrs = ["0.0.0.0/0"]
    # an arm instance as x86
    architecture = "x86_64"
    # two images
    ami_ssm_parameter = "/natxdp/ami"
    # no address
    eips_per_az = 0
    # one port for two
    peer_port = 9469
    # a range in the middle
    no_nat_cidrs = ["10.1.0.0/8"]
  }

  expect_failures = [var.name, var.azs, var.private_cidrs, var.instance_type, var.ami_id, var.eips_per_az, var.peer_port, var.no_nat_cidrs]
}

run "refused_together_3" {
  command = plan

  variables {
    # a region as zone
    azs = { eu-west-1 = { public_subnet_id = "subnet-1", route_table_ids = [] } }
    # no ranges
    private_cidrs = []
    # an x86 instance as arm
    instance_type = "c6in.large"
  }

  expect_failures = [var.azs, var.private_cidrs, var.instance_type]
}

run "a_subnet_that_is_none" {
  command = plan

  variables {
    azs = { eu-west-1a = { public_subnet_id = "vpc-1", route_table_ids = [] } }
  }

  expect_failures = [var.azs]
}

run "a_subnet_with_a_range_of_none" {
  command = plan

  variables {
    azs = { eu-west-1a = { public_subnet_id = "subnet-1", public_subnet_cidr = "10.0.0.5/24", route_table_ids = [] } }
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

run "refused_together_9" {
  command = plan

  variables {
    # failover of a table of somebody else
    manage_routes         = false
    failover_route_tables = ["rtb-0cccccccccccccccc"]
    # addresses for one zone only
    eip_allocation_ids = { eu-west-1a = ["eipalloc-1"] }
    # spot everywhere
    spot_azs = ["eu-west-1a", "eu-west-1b"]
  }

  expect_failures = [var.failover_route_tables, var.eip_allocation_ids, var.spot_azs]
}

run "standby_nodes_behind_gwlb" {
  command = plan

  variables {
    mode          = "gwlb"
    launch_hook   = true
    standby_nodes = true
    fleet         = { desired = 1.5 }
  }

  expect_failures = [var.standby_nodes, var.fleet]
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
    # before Nitro
    architecture  = "x86_64"
    instance_type = "m4.large"
    # a range in the middle
    private_cidrs = ["10.0.1.0/16"]
  }

  expect_failures = [var.fleet, var.instance_type, var.private_cidrs]
}

run "gwlb_without_the_hook" {
  command = plan

  variables {
    mode = "gwlb"
    # a flow by less than its hosts
    fleet = { stickiness = "source_ip" }
  }

  expect_failures = [var.launch_hook, var.fleet]
}
