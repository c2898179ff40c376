# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# All modules together, as the environments and the examples have them.

locals {
  control_plane = length(var.lambda_packages) > 0
  # In the modes eni and eip every node holds the flows of all others.
  peers = var.mode == "gwlb" ? 0 : length(var.network.azs) * (var.standby_nodes ? 2 : 1) - 1
}

module "network" {
  source = "../network"

  name         = var.name
  cidr         = var.network.cidr
  azs          = var.network.azs
  endpoint_azs = var.network.endpoint_azs
  interface_endpoints = setunion(
    ["ec2", "ssm", "ssmmessages", "ec2messages", "logs", "monitoring"],
    local.control_plane && var.mode != "eip" ? ["elasticloadbalancing"] : [],
  )
  tags = var.tags
}

module "security" {
  source = "../security"

  permissions_boundary_arn = var.permissions_boundary_arn
  name                     = var.name
  log_group                = "/natxdp/${var.name}/system"
  access_analyzer          = var.account_guards.access_analyzer
  config_recorder          = var.account_guards.config_recorder
  guardduty                = var.account_guards.guardduty
  spare_addresses          = var.mode == "gwlb"
  patch_install            = var.patch_install
  force_destroy            = var.force_destroy
  # A day's work that was a mistake can be undone; a test's key need not wait.
  key_deletion_days = var.force_destroy ? 7 : 30
  tags              = var.tags
}

module "nat" {
  source = "../nat"

  name                     = var.name
  mode                     = var.mode
  vpc_id                   = module.network.vpc_id
  azs                      = module.network.azs
  private_cidrs            = module.network.private_cidrs
  no_nat_cidrs             = [module.network.cidr]
  architecture             = var.architecture
  instance_type            = var.instance_type
  ami_id                   = var.ami_id
  ami_ssm_parameter        = var.ami_ssm_parameter
  eips_per_az              = var.eips_per_az
  standby_nodes            = var.standby_nodes
  eip_allocation_ids       = var.eip_allocation_ids
  management_eip           = var.management_eip
  spot_azs                 = var.spot_azs
  spot_instance_types      = var.spot_instance_types
  tracked                  = var.tracked
  profile                  = var.profile
  deletion_protection      = var.deletion_protection
  fleet                    = var.fleet
  launch_hook              = local.control_plane
  after                    = flatten(module.lambda[*].ready)
  max_flows                = var.max_flows
  settings                 = var.settings
  agent_settings           = var.agent_settings
  kms_key_arn              = module.security.kms_key_arn
  log_retention_days       = var.log_retention_days
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = var.tags
}

module "probes" {
  source = "../probes"
  count  = var.probes ? 1 : 0

  permissions_boundary_arn = var.permissions_boundary_arn
  name                     = var.name
  vpc_id                   = module.network.vpc_id
  subnet_ids               = module.network.private_subnet_ids
  architecture             = var.architecture
  instance_type            = var.architecture == "arm64" ? "t4g.nano" : "t3.nano"
  iperf_server             = var.iperf_server
  kms_key_arn              = module.security.kms_key_arn
  force_destroy            = var.force_destroy
  tags                     = var.tags
}

module "lambda" {
  source = "../lambda"
  count  = local.control_plane ? 1 : 0

  # One by one: the module as a whole is there only when its nodes are, which wait for the functions.
  nat = {
    name                  = module.nat.name
    mode                  = module.nat.mode
    azs                   = module.nat.azs
    route_tables          = module.nat.route_tables
    allocation_ids        = module.nat.allocation_ids
    slots                 = module.nat.slots
    network_interface_ids = module.nat.network_interface_ids
    autoscaling_groups    = module.nat.autoscaling_groups
    lease_table           = module.nat.lease_table
    load_balancer         = module.nat.load_balancer
    target_groups         = module.nat.target_groups
    agent_port            = module.nat.agent_port
    security_group_id     = module.nat.security_group_id
  }
  packages                 = var.lambda_packages
  architecture             = var.architecture
  vpc_id                   = module.network.vpc_id
  private_subnet_ids       = values(module.network.private_subnet_ids)
  probe_documents          = var.probes ? module.probes[0].documents : {}
  results_bucket           = var.probes ? module.probes[0].results_bucket : null
  schedules                = var.probes ? {} : { nat-probe-runner = "" }
  janitor                  = { dry_run = var.janitor_dry_run }
  kms_key_arn              = module.security.kms_key_arn
  log_retention_days       = var.log_retention_days
  permissions_boundary_arn = var.permissions_boundary_arn
  tags                     = var.tags
}

module "observability" {
  source = "../observability"

  permissions_boundary_arn = var.permissions_boundary_arn
  name                     = var.name
  azs                      = var.network.azs
  vpc_id                   = module.network.vpc_id
  control_plane            = local.control_plane
  functions                = local.control_plane ? module.lambda[0].functions : {}
  failed_events_queue      = local.control_plane ? module.lambda[0].failed_events_queue.name : null
  flow_log_group           = module.nat.log_groups["flows"]
  peers                    = local.peers
  thresholds               = var.thresholds
  emails                   = var.emails
  slack                    = var.slack
  kms_key_arn              = module.security.kms_key_arn
  force_destroy            = var.force_destroy
  tags                     = var.tags
}
