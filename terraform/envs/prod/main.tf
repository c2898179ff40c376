# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Production: on demand in every zone, two addresses a zone, nothing is deleted
# with its content, and everything that watches the account is on.

module "natxdp" {
  source = "../../modules/stack"

  name                     = "natxdp-prod"
  network                  = { cidr = "10.128.0.0/16", azs = [for zone in var.zones : "${var.region}${zone}"] }
  mode                     = "eni"
  instance_type            = "c7gn.large"
  eips_per_az              = 2
  ami_ssm_parameter        = var.ami_ssm_parameter
  max_flows                = 1048576
  lambda_packages          = var.lambda_packages
  permissions_boundary_arn = var.permissions_boundary_arn
  iperf_server             = var.iperf_server
  emails                   = var.emails
  slack                    = var.slack
  deletion_protection      = var.deletion_protection
  account_guards           = { access_analyzer = true, config_recorder = true, guardduty = true }
}
