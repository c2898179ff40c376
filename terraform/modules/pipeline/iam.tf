# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# What jobs may do. Terraform calls whatever its resources need, so rights are by
# service; what would give more of them, IAM, is by name, and no role can be made
# that is not within the boundary.

locals {
  # Services of the stack in its region; chatbot and route53 are at home elsewhere.
  services = [
    "access-analyzer", "athena", "autoscaling", "cloudwatch", "config", "dynamodb", "ec2", "elasticloadbalancing", "events",
    "glue", "guardduty", "kms", "lambda", "logs", "sns", "sqs", "ssm", "tag",
  ]
  elsewhere = ["chatbot", "route53"]
  # Of the roles that the stack makes.
  within = [
    "autoscaling", "cloudwatch", "config", "dynamodb", "ec2", "ec2messages", "elasticloadbalancing", "kms", "lambda", "logs",
    "s3", "sqs", "ssm", "ssmmessages",
  ]
  reading = ["Describe", "Get", "List"]
  own     = ["${local.prefix}:iam::${local.account}:role/${var.name}-*", "${local.prefix}:iam::${local.account}:instance-profile/${var.name}-*"]
  # The pipeline itself begins with the name, too.
  itself  = ["${local.prefix}:iam::${local.account}:role/${var.name}-*-pipeline"]
  passed  = ["autoscaling", "chatbot", "config", "ec2", "lambda", "ssm"]
  buckets = ["${local.prefix}:s3:::${var.name}-*"]
}

# No more than this for any role of the stack: neither IAM nor other roles.
data "aws_iam_policy_document" "boundary" {
  statement {
    sid       = "Services"
    actions   = [for service in local.within : "${service}:*"]
    resources = ["*"]
  }

  statement {
    sid       = "ForConfig"
    actions   = ["iam:GetRole", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListRoles", "iam:ListPolicies"]
    resources = ["*"]
  }
}

resource "aws_iam_policy" "boundary" {
  name        = "${var.name}-boundary"
  description = "natxdp ${var.name}: the most that a role of the stack can have"
  policy      = data.aws_iam_policy_document.boundary.json
  tags        = local.tags
}

data "aws_iam_policy_document" "plan" {
  statement {
    sid       = "Read"
    actions   = concat(flatten([for service in concat(local.services, local.elsewhere) : [for verb in local.reading : "${service}:${verb}*"]]), ["iam:Get*", "iam:List*"])
    resources = ["*"]
  }

  # Of the buckets, and not what is in them.
  statement {
    sid       = "ReadBuckets"
    actions   = ["s3:Get*", "s3:ListBucket"]
    resources = local.buckets
  }

  statement {
    sid       = "ReadParameters"
    actions   = ["kms:Decrypt"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["ssm.${local.region}.amazonaws.com"]
    }
  }

  statement {
    sid       = "ReadState"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.state.arn}/*"]
  }

  statement {
    sid       = "LockState"
    actions   = ["s3:DeleteObject", "s3:PutObject"]
    resources = ["${aws_s3_bucket.state.arn}/*.tflock"]
  }
}

data "aws_iam_policy_document" "deploy" {
  statement {
    sid       = "Stack"
    actions   = [for service in local.services : "${service}:*"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [local.region]
    }
  }

  statement {
    sid       = "StackElsewhere"
    actions   = concat([for service in local.elsewhere : "${service}:*"], ["iam:Get*", "iam:List*"])
    resources = ["*"]
  }

  statement {
    sid       = "Buckets"
    actions   = ["s3:*"]
    resources = concat(local.buckets, [for bucket in local.buckets : "${bucket}/*"])
  }

  statement {
    sid       = "RolesWithinTheBoundary"
    actions   = ["iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
    resources = local.own

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [aws_iam_policy.boundary.arn]
    }
  }

  statement {
    sid = "RolesAndProfiles"
    actions = [
      "iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:DeleteInstanceProfile", "iam:DeleteRole",
      "iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile", "iam:TagRole", "iam:UntagInstanceProfile", "iam:UntagRole",
      "iam:UpdateAssumeRolePolicy", "iam:UpdateRole", "iam:UpdateRoleDescription",
    ]
    resources = local.own
  }

  statement {
    sid       = "PassRoles"
    actions   = ["iam:PassRole"]
    resources = local.own

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = [for service in local.passed : "${service}.amazonaws.com"]
    }
  }

  statement {
    sid       = "ServiceLinkedRoles"
    actions   = ["iam:CreateServiceLinkedRole"]
    resources = ["${local.prefix}:iam::${local.account}:role/aws-service-role/*"]
  }

  statement {
    sid       = "NotItself"
    effect    = "Deny"
    actions   = ["iam:Add*", "iam:Attach*", "iam:Create*", "iam:Delete*", "iam:Detach*", "iam:PassRole", "iam:Put*", "iam:Set*", "iam:Update*"]
    resources = concat(local.itself, [aws_iam_policy.boundary.arn])
  }
}

resource "aws_iam_role_policy" "this" {
  for_each = { plan = data.aws_iam_policy_document.plan.json, deploy = data.aws_iam_policy_document.deploy.json }

  name   = "natxdp"
  role   = aws_iam_role.this[each.key].id
  policy = each.value
}
