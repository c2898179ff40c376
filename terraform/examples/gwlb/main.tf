# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# A fleet behind a Gateway Load Balancer, for more than one node can carry. It
# grows and shrinks with connections and bandwidth; a stopped node a zone waits.

provider "aws" {
  region = "eu-west-1"
}

module "natxdp" {
  source = "../../modules/stack"

  name            = "egress"
  network         = { azs = ["eu-west-1a", "eu-west-1b"] }
  mode            = "gwlb"
  ami_id          = var.ami_id
  instance_type   = "c7gn.large"
  fleet           = { min = 1, desired = 2, max = 4, warm = 1 }
  lambda_packages = var.lambda_packages
}
