# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# The test environment: small, partly Spot, comes and goes. It has the mode and
# the control plane of production, so that what is tried here is what runs there.

module "natxdp" {
  source = "../../modules/stack"

  name                     = "natxdp-test"
  network                  = { cidr = "10.64.0.0/16", azs = [for zone in var.zones : "${var.region}${zone}"], endpoint_azs = ["${var.region}${var.zones[0]}"] }
  mode                     = "eni"
  instance_type            = "t4g.small"
  ami_ssm_parameter        = var.ami_ssm_parameter
  spot_azs                 = [for zone in slice(var.zones, 1, length(var.zones)) : "${var.region}${zone}"]
  max_flows                = 131072
  lambda_packages          = var.lambda_packages
  permissions_boundary_arn = var.permissions_boundary_arn
  iperf_server             = var.iperf_server
  emails                   = var.emails
  slack                    = var.slack
  account_guards           = { access_analyzer = true }
  patch_install            = true
  janitor_dry_run          = false
  force_destroy            = true
}
