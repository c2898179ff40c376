# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# What each function may do: by scope, the calls that it makes. The calls are
# those of agent/aws/calls.h. A scope is a set of resources; "any" is for calls
# that AWS has no permissions by resource for.

locals {
  ec2 = "${local.prefix}:ec2:${local.region}:${local.account}"
  ssm = "${local.prefix}:ssm:${local.region}:${local.account}"

  of_this_nat = { "aws:ResourceTag/natxdp:nat" = [local.name] }
  left_over   = merge(local.of_this_nat, { "aws:ResourceTag/natxdp:ephemeral" = ["true"] })
  interfaces = local.gwlb ? ["${local.ec2}:network-interface/*"] : [
    for node in sort(keys(var.nat.network_interface_ids)) : "${local.ec2}:network-interface/${var.nat.network_interface_ids[node]}"
  ]

  scopes = {
    any          = { resources = ["*"], conditions = {} }
    route_tables = { resources = local.gwlb ? [] : [for id in sort(keys(var.nat.route_tables)) : "${local.ec2}:route-table/${id}"], conditions = {} }
    addresses = {
      resources = length(var.nat.allocation_ids) == 0 ? [] : concat(
        [for slot in sort(keys(var.nat.allocation_ids)) : "${local.ec2}:elastic-ip/${var.nat.allocation_ids[slot]}"], local.interfaces
      )
      conditions = local.gwlb ? local.of_this_nat : {}
    }
    interfaces = { resources = local.interfaces, conditions = local.gwlb ? local.of_this_nat : {} }
    groups = {
      resources = [
        for node in sort(keys(var.nat.autoscaling_groups)) :
        "${local.prefix}:autoscaling:${local.region}:${local.account}:autoScalingGroup:*:autoScalingGroupName/${var.nat.autoscaling_groups[node]}"
      ]
      conditions = {}
    }
    target_groups = { resources = [for az in sort(keys(var.nat.target_groups)) : var.nat.target_groups[az].arn], conditions = {} }
    listener      = { resources = var.nat.mode == "eni" ? [var.nat.load_balancer.listener_arn] : [], conditions = {} }
    leases        = { resources = compact([try(var.nat.lease_table.arn, "")]), conditions = {} }
    routing       = { resources = [aws_ssm_parameter.routing.arn], conditions = {} }
    blocked       = { resources = [aws_ssm_parameter.blocked.arn], conditions = {} }
    # Commands need the document and the instance; only the latter has our tag.
    nodes           = { resources = ["${local.ec2}:instance/*"], conditions = { "ssm:resourceTag/natxdp:nat" = [local.name], "ssm:resourceTag/natxdp:module" = ["nat"] } }
    probes          = { resources = ["${local.ec2}:instance/*"], conditions = { "ssm:resourceTag/natxdp:nat" = [local.name], "ssm:resourceTag/natxdp:module" = ["probes"] } }
    reach           = { resources = [aws_ssm_document.node["reach"].arn], conditions = {} }
    verify_repair   = { resources = [aws_ssm_document.node["verify"].arn, aws_ssm_document.node["repair"].arn], conditions = {} }
    life            = { resources = [for use in ["verify", "drain", "block"] : aws_ssm_document.node[use].arn], conditions = {} }
    block           = { resources = [aws_ssm_document.node["block"].arn], conditions = {} }
    probe_documents = { resources = [for use in sort(keys(var.probe_documents)) : var.probe_documents[use].arn], conditions = {} }
    left_instances  = { resources = ["${local.ec2}:instance/*"], conditions = local.left_over }
    left_interfaces = { resources = ["${local.ec2}:network-interface/*"], conditions = local.left_over }
    left_addresses  = { resources = ["${local.ec2}:elastic-ip/*"], conditions = local.left_over }
    isolation_mark  = { resources = ["${local.ec2}:instance/*"], conditions = { "aws:TagKeys" = ["natxdp:isolated"] } }
  }

  calls = {
    nat-health-probe = {
      any   = ["ec2:DescribeInstances", "elasticloadbalancing:DescribeTargetHealth", "ssm:GetCommandInvocation"]
      reach = ["ssm:SendCommand"]
      nodes = ["ssm:SendCommand"]
    }
    nat-route-failover = {
      any = [
        "ec2:DescribeAddresses", "ec2:DescribeInstanceStatus", "ec2:DescribeInstances", "ec2:DescribeRouteTables",
        "elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeTargetHealth", "ssm:GetCommandInvocation",
      ]
      reach        = ["ssm:SendCommand"]
      nodes        = ["ssm:SendCommand"]
      route_tables = ["ec2:ReplaceRoute"]
      addresses    = ["ec2:AssociateAddress"]
      listener     = ["elasticloadbalancing:ModifyListener"]
      leases       = ["dynamodb:GetItem", "dynamodb:UpdateItem"]
      routing      = ["ssm:GetParameter", "ssm:PutParameter"]
    }
    asg-lifecycle-handler = {
      any           = ["ec2:DescribeAddresses", "ec2:DescribeInstances", "ssm:GetCommandInvocation"]
      interfaces    = ["ec2:ModifyNetworkInterfaceAttribute"]
      addresses     = ["ec2:AssociateAddress"]
      target_groups = ["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"]
      groups        = ["autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"]
      life          = ["ssm:SendCommand"]
      nodes         = ["ssm:SendCommand"]
      blocked       = ["ssm:GetParameter"]
    }
    eip-recover = {
      any       = ["ec2:DescribeAddresses", "ec2:DescribeInstances"]
      addresses = ["ec2:AssociateAddress"]
      leases    = ["dynamodb:GetItem"]
    }
    config-guard = {
      any           = ["ec2:DescribeInstances", "ssm:GetCommandInvocation"]
      verify_repair = ["ssm:SendCommand"]
      nodes         = ["ssm:SendCommand"]
      groups        = ["autoscaling:SetInstanceHealth"]
    }
    nat-probe-runner = {
      any             = ["ec2:DescribeInstances", "ssm:GetCommandInvocation"]
      probe_documents = ["ssm:SendCommand"]
      probes          = ["ssm:SendCommand"]
    }
    nat-janitor = {
      any             = ["ec2:DescribeAddresses", "ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces", "elasticloadbalancing:DescribeTargetHealth"]
      left_instances  = ["ec2:TerminateInstances"]
      left_interfaces = ["ec2:DeleteNetworkInterface"]
      left_addresses  = ["ec2:ReleaseAddress"]
      target_groups   = ["elasticloadbalancing:DeregisterTargets"]
    }
    nat-isolate = {
      any            = ["ec2:DescribeInstances", "ssm:GetCommandInvocation"]
      block          = ["ssm:SendCommand"]
      nodes          = ["ssm:SendCommand"]
      blocked        = ["ssm:GetParameter", "ssm:PutParameter"]
      isolation_mark = ["ec2:CreateTags"]
    }
  }

  vpc_actions = [
    "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
  ]

  # What the Lambda service does with a function's role, beside its code.
  service_calls = {
    for function, facts in local.functions : function => concat(
      [
        { sid = "WriteLogs", actions = ["logs:CreateLogStream", "logs:PutLogEvents"], resources = ["${aws_cloudwatch_log_group.this[function].arn}:*"], conditions = {} },
        { sid = "KeepFailedEvents", actions = ["sqs:SendMessage"], resources = [aws_sqs_queue.failed.arn], conditions = {} },
      ],
      facts.vpc ? [{
        sid        = "LiveInTheVpc"
        actions    = local.vpc_actions
        resources  = ["*"]
        conditions = {}
      }] : [],
      var.kms_key_arn == null ? [] : [{ sid = "UseKey", actions = ["kms:Decrypt", "kms:GenerateDataKey"], resources = [var.kms_key_arn], conditions = {} }],
    )
  }

  statements = {
    for function, scopes in local.calls : function => concat(
      [
        for scope, actions in scopes : {
          sid       = join("", [for word in split("_", scope) : title(word)]), actions = actions
          resources = local.scopes[scope].resources, conditions = local.scopes[scope].conditions
        } if length(local.scopes[scope].resources) > 0
      ],
      local.service_calls[function],
    )
  }
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "this" {
  for_each = local.functions

  dynamic "statement" {
    for_each = local.statements[each.key]

    content {
      sid       = statement.value.sid
      actions   = statement.value.actions
      resources = statement.value.resources

      dynamic "condition" {
        for_each = statement.value.conditions

        content {
          # A request may carry several tag keys, and each has to be ours.
          test     = condition.key == "aws:TagKeys" ? "ForAllValues:StringEquals" : "StringEquals"
          variable = condition.key
          values   = condition.value
        }
      }
    }
  }

  # Lambda makes the interfaces of a function in the VPC by the function's role; its code has no business with any.
  dynamic "statement" {
    for_each = local.functions[each.key].vpc ? [local.vpc_actions] : []

    content {
      sid       = "NotByItsCode"
      effect    = "Deny"
      actions   = statement.value
      resources = ["*"]

      condition {
        test     = "ArnEquals"
        variable = "lambda:SourceFunctionArn"
        values   = ["${local.prefix}:lambda:${local.region}:${local.account}:function:${local.name}-${each.key}"]
      }
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.functions

  name                 = "${local.name}-${each.key}"
  description          = "natxdp ${local.name}: ${each.key}"
  assume_role_policy   = data.aws_iam_policy_document.assume.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}

resource "aws_iam_role_policy" "this" {
  for_each = local.functions

  name   = "natxdp"
  role   = aws_iam_role.this[each.key].id
  policy = data.aws_iam_policy_document.this[each.key].json
}
