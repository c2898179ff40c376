# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# What outlives a node: who owns a zone, the key of the replication, the logs.

# One item a zone: az, owner, epoch, since, reason. It changes a few times a
# month; heartbeats and flows never come here.
resource "aws_dynamodb_table" "lease" {
  count = local.gwlb ? 0 : 1

  name         = "${var.name}-lease"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "az"
  tags         = local.tags

  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "az"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}

# Three UUIDs are 366 random bits. The value is written once and is neither in
# the plan nor in the state.
resource "aws_ssm_parameter" "replication_key" {
  name             = "/natxdp/${var.name}/replication-key"
  description      = "Key that the nodes authenticate each other with"
  type             = "SecureString"
  key_id           = var.kms_key_arn
  value_wo         = sha256(join("", [uuid(), uuid(), uuid()]))
  value_wo_version = var.replication_key_version
  tags             = local.tags
}

resource "aws_cloudwatch_log_group" "node" {
  for_each = toset(["flows", "talkers", "system"])

  name              = "/natxdp/${var.name}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = local.tags
}
