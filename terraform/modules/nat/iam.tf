# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# What a node may do. Each statement is one thing that natxdpd does, with the
# calls of agent/aws/calls.h that it makes for it.

locals {
  all_statements = [
    {
      when       = true
      sid        = "PublishMetrics"
      actions    = ["cloudwatch:PutMetricData"]
      resources  = ["*"]
      conditions = { "cloudwatch:namespace" = ["NATXDP"] }
    },
    {
      when       = true
      sid        = "WriteLogs"
      actions    = ["logs:CreateLogStream", "logs:PutLogEvents"]
      resources  = [for group in aws_cloudwatch_log_group.node : "${group.arn}:*"]
      conditions = {}
    },
    {
      when = local.failover
      # EC2 has no permissions by resource for reading.
      sid        = "LookAround"
      actions    = ["ec2:DescribeInstances"]
      resources  = ["*"]
      conditions = {}
    },
    {
      when       = local.failover || local.gwlb
      sid        = "EndLifecycleHooks"
      actions    = ["autoscaling:CompleteLifecycleAction"]
      resources  = local.group_arns
      conditions = {}
    },
    {
      when       = local.gwlb
      sid        = "LeaveTargetGroup"
      actions    = ["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"]
      resources  = local.gwlb ? [aws_lb_target_group.node["all"].arn] : []
      conditions = {}
    },
    {
      when    = true
      sid     = "ReadParameters"
      actions = ["ssm:GetParameter"]
      resources = [
        aws_ssm_parameter.replication_key.arn,
        "${local.arn_prefix}:ssm:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:parameter/natxdp/${var.name}/cloudwatch-agent",
      ]
      conditions = {}
    },
    {
      when = true
      # Where Systems Manager keeps its agent's updates and the patch baselines.
      sid     = "FetchForSystemsManager"
      actions = ["s3:GetObject"]
      resources = [
        "${local.arn_prefix}:s3:::amazon-ssm-${data.aws_region.current.region}/*",
        "${local.arn_prefix}:s3:::aws-ssm-${data.aws_region.current.region}/*",
        "${local.arn_prefix}:s3:::aws-patch-manager-${data.aws_region.current.region}-*/*",
        "${local.arn_prefix}:s3:::patch-baseline-snapshot-${data.aws_region.current.region}/*",
      ]
      conditions = {}
    },
    {
      when = true
      # What the SSM agent itself needs, and nothing more of the managed policy.
      sid = "BeManaged"
      actions = [
        "ec2messages:AcknowledgeMessage", "ec2messages:DeleteMessage", "ec2messages:FailMessage",
        "ec2messages:GetEndpoint", "ec2messages:GetMessages", "ec2messages:SendReply",
        "ssm:DescribeAssociation", "ssm:DescribeDocument", "ssm:GetDeployablePatchSnapshotForInstance",
        "ssm:GetDocument", "ssm:ListAssociations", "ssm:ListInstanceAssociations",
        "ssm:PutComplianceItems", "ssm:PutInventory", "ssm:UpdateAssociationStatus",
        "ssm:UpdateInstanceAssociationStatus", "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
      ]
      resources  = ["*"]
      conditions = {}
    },
    {
      when       = local.failover
      sid        = "LookAtRoutesAndAddresses"
      actions    = ["ec2:DescribeAddresses", "ec2:DescribeRouteTables"]
      resources  = ["*"]
      conditions = {}
    },
    {
      when       = local.failover
      sid        = "MoveRoutes"
      actions    = ["ec2:CreateRoute", "ec2:ReplaceRoute"]
      resources  = [for table in values(local.failover_tables) : "${local.ec2_arn}:route-table/${table.id}"]
      conditions = {}
    },
    {
      when    = local.failover
      sid     = "MoveAddresses"
      actions = ["ec2:AssociateAddress"]
      resources = concat(
        [for id in values(local.allocations) : "${local.ec2_arn}:elastic-ip/${id}"],
        [for eni in aws_network_interface.node : eni.arn],
      )
      conditions = {}
    },
    {
      when = local.failover && var.mode == "eni"
      # Elastic Load Balancing has no permissions by resource for reading.
      sid        = "LookAtWeights"
      actions    = ["elasticloadbalancing:DescribeListeners"]
      resources  = ["*"]
      conditions = {}
    },
    {
      when       = local.failover && var.mode == "eni"
      sid        = "WeighZones"
      actions    = ["elasticloadbalancing:ModifyListener"]
      resources  = aws_lb_listener.fleet[*].arn
      conditions = {}
    },
    {
      when       = local.failover
      sid        = "HoldLeases"
      actions    = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
      resources  = aws_dynamodb_table.lease[*].arn
      conditions = {}
    },
    {
      when       = var.kms_key_arn != null
      sid        = "UseKey"
      actions    = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources  = compact([var.kms_key_arn])
      conditions = {}
    },
  ]

  statements = [for statement in local.all_statements : statement if statement.when]

  # A group's ARN holds an id that is known only after the launch template is.
  group_arns = [
    for node in sort(keys(local.nodes)) :
    "${local.arn_prefix}:autoscaling:${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}:autoScalingGroup:*:autoScalingGroupName/${var.name}-${node}"
  ]
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.${data.aws_partition.current.dns_suffix}"]
    }
  }
}

data "aws_iam_policy_document" "node" {
  dynamic "statement" {
    for_each = local.statements

    content {
      sid       = statement.value.sid
      actions   = statement.value.actions
      resources = statement.value.resources

      dynamic "condition" {
        for_each = statement.value.conditions

        content {
          test     = "StringEquals"
          variable = condition.key
          values   = condition.value
        }
      }
    }
  }
}

resource "aws_iam_role" "node" {
  name                 = "${var.name}-node"
  description          = "natxdp ${var.name}: nodes"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}

resource "aws_iam_role_policy" "node" {
  name   = "natxdp"
  role   = aws_iam_role.node.id
  policy = data.aws_iam_policy_document.node.json
}

resource "aws_iam_instance_profile" "node" {
  name = "${var.name}-node"
  role = aws_iam_role.node.name
  tags = local.tags
}
