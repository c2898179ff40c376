# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# A probe is managed, and writes results; the automation sends it its documents.

data "aws_iam_policy_document" "assume" {
  for_each = { probe = "ec2.${data.aws_partition.current.dns_suffix}", automation = "ssm.amazonaws.com" }

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.value]
    }

    # Systems Manager works for any account that asks it to.
    dynamic "condition" {
      for_each = each.key == "automation" ? [data.aws_caller_identity.current.account_id] : []

      content {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [condition.value]
      }
    }
  }
}

data "aws_iam_policy_document" "probe" {
  statement {
    sid = "BeManaged"
    actions = [
      "ec2messages:AcknowledgeMessage", "ec2messages:DeleteMessage", "ec2messages:FailMessage",
      "ec2messages:GetEndpoint", "ec2messages:GetMessages", "ec2messages:SendReply",
      "ssm:UpdateInstanceInformation", "ssm:ListAssociations", "ssm:ListInstanceAssociations",
      "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
    ]
    resources = ["*"]
  }

  statement {
    sid       = "KeepResults"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.results.arn}/*"]
  }

  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]

    content {
      sid       = "UseKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

data "aws_iam_policy_document" "automation" {
  statement {
    sid       = "Documents"
    actions   = ["ssm:SendCommand"]
    resources = [for document in aws_ssm_document.command : document.arn]
  }

  statement {
    sid       = "Probes"
    actions   = ["ssm:SendCommand"]
    resources = ["${local.prefix}:ec2:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:instance/*"]

    condition {
      test     = "StringEquals"
      variable = "ssm:resourceTag/natxdp:module"
      values   = ["probes"]
    }

    condition {
      test     = "StringEquals"
      variable = "ssm:resourceTag/natxdp:nat"
      values   = [var.name]
    }
  }

  statement {
    sid       = "Watch"
    actions   = ["ssm:DescribeInstanceInformation", "ssm:ListCommandInvocations", "ssm:ListCommands"]
    resources = ["*"]
  }
}

resource "aws_iam_role" "probe" {
  name                 = "${var.name}-probe"
  description          = "natxdp ${var.name}: probes"
  assume_role_policy   = data.aws_iam_policy_document.assume["probe"].json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}

resource "aws_iam_role_policy" "probe" {
  name   = "natxdp"
  role   = aws_iam_role.probe.id
  policy = data.aws_iam_policy_document.probe.json
}

resource "aws_iam_instance_profile" "this" {
  name = "${var.name}-probe"
  role = aws_iam_role.probe.name
  tags = local.tags
}

resource "aws_iam_role" "automation" {
  name                 = "${var.name}-probe-automation"
  description          = "natxdp ${var.name}: the automation that runs the probes"
  assume_role_policy   = data.aws_iam_policy_document.assume["automation"].json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}

resource "aws_iam_role_policy" "automation" {
  name   = "natxdp"
  role   = aws_iam_role.automation.id
  policy = data.aws_iam_policy_document.automation.json
}
