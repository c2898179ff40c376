# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Everything: a VPC in three zones, a standby node in each, control plane,
# probes, alarms by e-mail, and what watches the account.

provider "aws" {
  region = "eu-west-1"
}

module "natxdp" {
  source = "../../modules/stack"

  name            = "egress"
  network         = { azs = ["eu-west-1a", "eu-west-1b", "eu-west-1c"] }
  mode            = "eni"
  ami_id          = var.ami_id
  instance_type   = "c7gn.medium"
  standby_nodes   = true
  max_flows       = 524288
  settings        = { limit_flows = "50000", mss_clamp = "auto" }
  lambda_packages = var.lambda_packages
  emails          = ["oncall@example.com"]
  thresholds      = { connections = 400000 }
  account_guards  = { access_analyzer = true, config_recorder = true, guardduty = true }
  tags            = { team = "network" }
}
