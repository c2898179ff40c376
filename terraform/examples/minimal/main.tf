# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# A NAT for a VPC that is there. The private route tables must have no default route yet.
module "nat" {
  source        = "../../modules/nat"
  name          = "egress"
  vpc_id        = "vpc-0123456789abcdef0"
  private_cidrs = ["10.0.0.0/17"]
  ami_id        = "ami-0123456789abcdef0"
  azs = {
    eu-west-1a = { public_subnet_id = "subnet-0a0a0a0a0a0a0a0a1", route_table_ids = ["rtb-0a0a0a0a0a0a0a0a1"], private_cidrs = ["10.0.0.0/18"] }
    eu-west-1b = { public_subnet_id = "subnet-0b0b0b0b0b0b0b0b1", route_table_ids = ["rtb-0b0b0b0b0b0b0b0b1"], private_cidrs = ["10.0.64.0/18"] }
  }
}
