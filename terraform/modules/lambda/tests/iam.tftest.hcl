# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

# Nobody's keys: with the real provider these tests fail instead of making
# anything. They are for a provider that answers offline.
provider "aws" {
  region     = "eu-west-1"
  access_key = "offline"
  secret_key = "offline"
}

variables {
  packages           = { arm64 = "./versions.tf" }
  vpc_id             = "vpc-0123456789abcdef0"
  private_subnet_ids = ["subnet-0aaaaaaaaaaaaaaa1", "subnet-0bbbbbbbbbbbbbbb1"]
  probe_documents    = { web = { name = "egress-probe-web", arn = "arn:aws:ssm:eu-west-1:123456789012:document/egress-probe-web" } }
  nat = {
    name                  = "egress"
    mode                  = "eni"
    azs                   = ["eu-west-1a", "eu-west-1b"]
    route_tables          = { rtb-0aaaaaaaaaaaaaaa1 = "eu-west-1a", rtb-0bbbbbbbbbbbbbbb1 = "eu-west-1b" }
    allocation_ids        = { "eu-west-1a/0" = "eipalloc-0aaaaaaaaaaaaaaa1", "eu-west-1b/0" = "eipalloc-0bbbbbbbbbbbbbbb1" }
    network_interface_ids = { eu-west-1a = "eni-0aaaaaaaaaaaaaaa1", eu-west-1b = "eni-0bbbbbbbbbbbbbbb1" }
    autoscaling_groups    = { eu-west-1a = "egress-eu-west-1a", eu-west-1b = "egress-eu-west-1b" }
    lease_table           = { name = "egress-lease", arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/egress-lease" }
    load_balancer         = { listener_arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/net/egress/0123456789abcdef/0123456789abcdef" }
    target_groups         = { eu-west-1a = { arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/egress-1a/0123456789abcdef" } }
    agent_port            = 9469
    security_group_id     = "sg-0123456789abcdef0"
  }
}

run "functions_may_do_exactly_this" {
  assert {
    condition = {
      for function, policy in aws_iam_role_policy.this : function => toset(flatten([
        for s in jsondecode(policy.policy).Statement : s.Action if !contains(["WriteLogs", "KeepFailedEvents", "LiveInTheVpc", "NotByItsCode", "UseKey"], s.Sid)
      ]))
      } == {
      nat-health-probe      = toset(["ec2:DescribeInstances", "elasticloadbalancing:DescribeTargetHealth", "ssm:GetCommandInvocation", "ssm:SendCommand"])
      nat-route-failover    = toset(["dynamodb:GetItem", "dynamodb:UpdateItem", "ec2:AssociateAddress", "ec2:DescribeAddresses", "ec2:DescribeInstanceStatus", "ec2:DescribeInstances", "ec2:DescribeRouteTables", "ec2:ReplaceRoute", "elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeTargetHealth", "elasticloadbalancing:ModifyListener", "ssm:GetCommandInvocation", "ssm:GetParameter", "ssm:PutParameter", "ssm:SendCommand"])
      asg-lifecycle-handler = toset(["autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat", "ec2:AssociateAddress", "ec2:DescribeAddresses", "ec2:DescribeInstances", "ec2:ModifyNetworkInterfaceAttribute", "elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets", "ssm:GetCommandInvocation", "ssm:GetParameter", "ssm:SendCommand"])
      eip-recover           = toset(["dynamodb:GetItem", "ec2:AssociateAddress", "ec2:DescribeAddresses", "ec2:DescribeInstances"])
      config-guard          = toset(["autoscaling:SetInstanceHealth", "ec2:DescribeInstances", "ssm:GetCommandInvocation", "ssm:SendCommand"])
      nat-probe-runner      = toset(["ec2:DescribeInstances", "ssm:GetCommandInvocation", "ssm:SendCommand"])
      nat-janitor           = toset(["ec2:DeleteNetworkInterface", "ec2:DescribeAddresses", "ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces", "ec2:ReleaseAddress", "ec2:TerminateInstances", "elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:DescribeTargetHealth"])
      nat-isolate           = toset(["ec2:CreateTags", "ec2:DescribeInstances", "ssm:GetCommandInvocation", "ssm:GetParameter", "ssm:PutParameter", "ssm:SendCommand"])
    }
    error_message = "The actions of a function's role are not those that are listed here."
  }
  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_role_policy.this : [for s in jsondecode(policy.policy).Statement : [for action in flatten([s.Action]) : !strcontains(action, "*")]]
    ]))
    error_message = "Actions have to be named one by one."
  }
}

run "only_what_has_no_resources_is_open" {
  assert {
    condition = toset(flatten([
      for policy in aws_iam_role_policy.this : [for s in jsondecode(policy.policy).Statement : s.Action if contains(flatten([s.Resource]), "*")]
      ])) == toset([
      "ec2:DescribeAddresses", "ec2:DescribeInstanceStatus", "ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces", "ec2:DescribeRouteTables",
      "elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeTargetHealth", "ssm:GetCommandInvocation",
      "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses",
    ])
    error_message = "An action is allowed on all resources and should not be."
  }
  assert {
    condition     = [for function, policy in aws_iam_role_policy.this : function if contains([for s in jsondecode(policy.policy).Statement : s.Sid], "LiveInTheVpc")] == ["nat-health-probe"]
    error_message = "Only the health probe lives in the VPC."
  }
  assert {
    condition = [
      for s in jsondecode(aws_iam_role_policy.this["nat-health-probe"].policy).Statement : [s.Effect, s.Condition.ArnEquals["lambda:SourceFunctionArn"], length(setsubtract(flatten([for other in jsondecode(aws_iam_role_policy.this["nat-health-probe"].policy).Statement : other.Action if other.Sid == "LiveInTheVpc"]), s.Action))] if s.Sid == "NotByItsCode"
    ] == [["Deny", "arn:aws:lambda:eu-west-1:123456789012:function:egress-nat-health-probe", 0]]
    error_message = "Lambda may make interfaces for the health probe; its code may not."
  }
}

run "routes_and_addresses_are_those_of_the_nat" {
  assert {
    condition = toset(flatten([for s in jsondecode(aws_iam_role_policy.this["nat-route-failover"].policy).Statement : s.Resource if s.Sid == "RouteTables"])) == toset([
      "arn:aws:ec2:eu-west-1:123456789012:route-table/rtb-0aaaaaaaaaaaaaaa1", "arn:aws:ec2:eu-west-1:123456789012:route-table/rtb-0bbbbbbbbbbbbbbb1",
    ])
    error_message = "nat-route-failover may move the routes of its NAT, and no others."
  }
  assert {
    condition = toset(flatten([for s in jsondecode(aws_iam_role_policy.this["eip-recover"].policy).Statement : s.Resource if s.Sid == "Addresses"])) == toset([
      "arn:aws:ec2:eu-west-1:123456789012:elastic-ip/eipalloc-0aaaaaaaaaaaaaaa1", "arn:aws:ec2:eu-west-1:123456789012:elastic-ip/eipalloc-0bbbbbbbbbbbbbbb1",
      "arn:aws:ec2:eu-west-1:123456789012:network-interface/eni-0aaaaaaaaaaaaaaa1", "arn:aws:ec2:eu-west-1:123456789012:network-interface/eni-0bbbbbbbbbbbbbbb1",
    ])
    error_message = "eip-recover may move the Elastic IPs of its NAT between its interfaces, and no others."
  }
  assert {
    condition     = flatten([for s in jsondecode(aws_iam_role_policy.this["nat-route-failover"].policy).Statement : s.Resource if s.Sid == "Listener"]) == [var.nat.load_balancer.listener_arn]
    error_message = "nat-route-failover may weigh the zones of its own listener only."
  }
}

run "commands_go_to_nodes_of_the_nat" {
  assert {
    condition = alltrue(flatten([
      for function, policy in aws_iam_role_policy.this : [
        for s in jsondecode(policy.policy).Statement :
        try(s.Condition.StringEquals["ssm:resourceTag/natxdp:nat"], "") == "egress" && try(s.Condition.StringEquals["ssm:resourceTag/natxdp:module"], "") == (function == "nat-probe-runner" ? "probes" : "nat")
        if contains(flatten([s.Action]), "ssm:SendCommand") && strcontains(join(" ", flatten([s.Resource])), ":instance/")
      ]
    ]))
    error_message = "Commands may go to nodes of this NAT only, and those of nat-probe-runner to its probes."
  }
  assert {
    condition = {
      for function, policy in aws_iam_role_policy.this : function => toset(flatten([
        for s in jsondecode(policy.policy).Statement : [for arn in flatten([s.Resource]) : reverse(split("/", arn))[0]]
        if contains(flatten([s.Action]), "ssm:SendCommand") && strcontains(join(" ", flatten([s.Resource])), ":document/")
      ])) if strcontains(policy.policy, "ssm:SendCommand")
      } == {
      nat-health-probe      = toset(["egress-reach"])
      nat-route-failover    = toset(["egress-reach"])
      asg-lifecycle-handler = toset(["egress-verify", "egress-drain", "egress-block"])
      config-guard          = toset(["egress-verify", "egress-repair"])
      nat-probe-runner      = toset(["egress-probe-web"])
      nat-isolate           = toset(["egress-block"])
    }
    error_message = "A function may send a document that it does not need."
  }
}

run "the_janitor_removes_left_overs_only" {
  assert {
    condition = alltrue([
      for s in jsondecode(aws_iam_role_policy.this["nat-janitor"].policy).Statement :
      try(s.Condition.StringEquals["aws:ResourceTag/natxdp:ephemeral"] == "true" && s.Condition.StringEquals["aws:ResourceTag/natxdp:nat"] == "egress", false)
      if length(setintersection(flatten([s.Action]), ["ec2:TerminateInstances", "ec2:DeleteNetworkInterface", "ec2:ReleaseAddress"])) > 0
    ])
    error_message = "nat-janitor may remove only what is tagged as ephemeral."
  }
}

run "isolation_sets_one_tag" {
  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.this["nat-isolate"].policy).Statement : s.Condition if s.Sid == "IsolationMark"])["ForAllValues:StringEquals"]["aws:TagKeys"] == "natxdp:isolated"
    error_message = "nat-isolate may set no other tag."
  }
}

run "roles_are_for_lambda" {
  assert {
    condition     = alltrue([for role in aws_iam_role.this : jsondecode(role.assume_role_policy).Statement[0].Principal.Service == "lambda.amazonaws.com"])
    error_message = "Only Lambda may use the functions' roles."
  }
}

run "in_gwlb_mode_there_are_no_routes_to_move" {
  variables {
    nat = {
      name                  = "egress"
      mode                  = "gwlb"
      azs                   = ["eu-west-1a"]
      route_tables          = { rtb-0aaaaaaaaaaaaaaa1 = "eu-west-1a" }
      allocation_ids        = {}
      network_interface_ids = {}
      autoscaling_groups    = { eu-west-1a = "egress-eu-west-1a" }
      target_groups         = { all = { arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/egress/0123456789abcdef" } }
      agent_port            = 9469
      security_group_id     = "sg-0123456789abcdef0"
    }
  }

  assert {
    condition = length(setintersection(toset(flatten([
      for policy in aws_iam_role_policy.this : [for s in jsondecode(policy.policy).Statement : s.Action]
    ])), ["ec2:ReplaceRoute", "ec2:AssociateAddress", "dynamodb:PutItem", "elasticloadbalancing:ModifyListener"])) == 0
    error_message = "Behind GWLB nobody moves routes or addresses."
  }
  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.this["asg-lifecycle-handler"].policy).Statement : s.Condition if s.Sid == "Interfaces"]).StringEquals["aws:ResourceTag/natxdp:nat"] == "egress"
    error_message = "The source/destination check may be changed on nodes of this NAT only."
  }
}
