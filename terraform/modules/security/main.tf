# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  tags = merge(var.tags, {
    "natxdp:nat"    = var.name
    "natxdp:module" = "security"
  })
  account = data.aws_caller_identity.current.account_id
  region  = data.aws_region.current.region
  prefix  = "arn:${data.aws_partition.current.partition}"
  # Nodes are found by these tags, which module nat sets; probes have another module.
  nodes = { "tag:natxdp:nat" = var.name, "tag:natxdp:module" = "nat" }
}
