# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

# Nobody's keys: with the real provider these tests fail instead of making
# anything. They are for a provider that answers offline.
provider "aws" {
  region     = "eu-west-1"
  access_key = "offline"
  secret_key = "offline"
}

variables {
  name          = "egress"
  vpc_id        = "vpc-0123456789abcdef0"
  ami_id        = "ami-0123456789abcdef0"
  private_cidrs = ["10.0.0.0/16"]
  azs = {
    eu-west-1a = { public_subnet_id = "subnet-0aaaaaaaaaaaaaaa1", public_subnet_cidr = "10.0.0.0/24", route_table_ids = ["rtb-0aaaaaaaaaaaaaaa1", "rtb-0aaaaaaaaaaaaaaa2"], private_cidrs = ["10.0.16.0/20"] }
    eu-west-1b = { public_subnet_id = "subnet-0bbbbbbbbbbbbbbb1", public_subnet_cidr = "10.0.1.0/24", route_table_ids = ["rtb-0bbbbbbbbbbbbbbb1"], private_cidrs = ["10.0.32.0/20"] }
  }
}


run "nodes_may_do_exactly_this_in_eip_mode" {
  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.node.policy).Statement : s.Sid => toset(flatten([s.Action])) if s.Sid != "BeManaged" } == {
      PublishMetrics           = toset(["cloudwatch:PutMetricData"])
      WriteLogs                = toset(["logs:CreateLogStream", "logs:PutLogEvents"])
      LookAround               = toset(["ec2:DescribeInstances"])
      EndLifecycleHooks        = toset(["autoscaling:CompleteLifecycleAction"])
      ReadParameters           = toset(["ssm:GetParameter"])
      FetchForSystemsManager   = toset(["s3:GetObject"])
      LookAtRoutesAndAddresses = toset(["ec2:DescribeAddresses", "ec2:DescribeRouteTables"])
      MoveRoutes               = toset(["ec2:CreateRoute", "ec2:ReplaceRoute"])
      MoveAddresses            = toset(["ec2:AssociateAddress"])
      HoldLeases               = toset(["dynamodb:GetItem", "dynamodb:UpdateItem"])
    }
    error_message = "The actions of the nodes' role are not those that are listed here."
  }
  assert {
    condition = toset(flatten([for s in jsondecode(aws_iam_role_policy.node.policy).Statement : s.Resource if s.Sid == "MoveRoutes"])) == toset([
      "arn:aws:ec2:eu-west-1:123456789012:route-table/rtb-0aaaaaaaaaaaaaaa1",
      "arn:aws:ec2:eu-west-1:123456789012:route-table/rtb-0aaaaaaaaaaaaaaa2",
      "arn:aws:ec2:eu-west-1:123456789012:route-table/rtb-0bbbbbbbbbbbbbbb1",
    ])
    error_message = "Nodes may move the routes of their NAT, and no others."
  }
  assert {
    condition = toset(flatten([for s in jsondecode(aws_iam_role_policy.node.policy).Statement : s.Resource if s.Sid == "MoveAddresses"])) == toset(concat(
      [for eip in aws_eip.flows : "arn:aws:ec2:eu-west-1:123456789012:elastic-ip/${eip.id}"],
      [for eni in aws_network_interface.node : eni.arn],
    ))
    error_message = "Nodes may move the Elastic IPs of their NAT between its interfaces, and no others."
  }
  assert {
    condition     = flatten([for s in jsondecode(aws_iam_role_policy.node.policy).Statement : s.Resource if s.Sid == "HoldLeases"]) == [aws_dynamodb_table.lease[0].arn]
    error_message = "Nodes may use the lease table only."
  }
  assert {
    condition     = try(one([for s in jsondecode(aws_iam_role_policy.node.policy).Statement : s.Condition if s.Sid == "PublishMetrics"]).StringEquals["cloudwatch:namespace"] == "NATXDP", false)
    error_message = "Nodes may publish metrics in the namespace NATXDP only."
  }
}

run "only_what_has_no_resources_is_open" {
  variables {
    mode        = "eni"
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
  }

  assert {
    condition = toset([for s in jsondecode(aws_iam_role_policy.node.policy).Statement : s.Sid if contains(flatten([s.Resource]), "*")]) == toset([
      "PublishMetrics", "LookAround", "LookAtRoutesAndAddresses", "LookAtWeights", "BeManaged",
    ])
    error_message = "A statement of the nodes' role is for all resources and should not be."
  }
  assert {
    condition     = [for s in jsondecode(aws_iam_role_policy.node.policy).Statement : concat(flatten([s.Action]), flatten([s.Resource])) if s.Sid == "WeighZones"] == [["elasticloadbalancing:ModifyListener", aws_lb_listener.fleet[0].arn]]
    error_message = "Nodes may weigh the zones of their own listener, and no other."
  }
  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_role_policy.node.policy).Statement : alltrue([for action in flatten([s.Action]) : !strcontains(action, "*")])])
    error_message = "Actions have to be named one by one."
  }
}

run "behind_gwlb_nodes_move_nothing" {
  state_key = "gwlb"

  variables {
    mode        = "gwlb"
    launch_hook = true
  }

  assert {
    condition = toset([for s in jsondecode(aws_iam_role_policy.node.policy).Statement : s.Sid]) == toset([
      "PublishMetrics", "WriteLogs", "ReadParameters", "FetchForSystemsManager", "BeManaged",
      "EndLifecycleHooks", "LeaveTargetGroup",
    ])
    error_message = "In gwlb mode nodes have no routes and addresses to move."
  }
  assert {
    condition     = flatten([for s in jsondecode(aws_iam_role_policy.node.policy).Statement : s.Resource if s.Sid == "LeaveTargetGroup"]) == [aws_lb_target_group.node["all"].arn]
    error_message = "Nodes may leave their own target group, and no other."
  }
}

run "routes_that_are_not_theirs_are_not_touched" {
  variables {
    manage_routes         = false
    failover_route_tables = ["rtb-0bbbbbbbbbbbbbbb1"]
  }

  assert {
    condition     = flatten([for s in jsondecode(aws_iam_role_policy.node.policy).Statement : s.Resource if s.Sid == "MoveRoutes"]) == ["arn:aws:ec2:eu-west-1:123456789012:route-table/rtb-0bbbbbbbbbbbbbbb1"]
    error_message = "Nodes may move the routes that they are told of, and no others."
  }
  assert {
    condition     = strcontains(base64decode(aws_launch_template.node["eu-west-1a"].user_data), "ha_routes = eu-west-1b rtb-0bbbbbbbbbbbbbbb1 0.0.0.0/0\n") && !strcontains(base64decode(aws_launch_template.node["eu-west-1a"].user_data), "rtb-0aaaaaaaaaaaaaaa1")
    error_message = "The agents know the routes that they may move, and no others."
  }
}

run "before_a_route_is_moved_nobody_takes_over" {
  variables {
    manage_routes = false
  }

  assert {
    condition = toset([for s in jsondecode(aws_iam_role_policy.node.policy).Statement : s.Sid]) == toset([
      "PublishMetrics", "WriteLogs", "ReadParameters", "FetchForSystemsManager", "BeManaged",
    ])
    error_message = "Nodes that take over nothing need no rights for it."
  }
  assert {
    condition     = !strcontains(base64decode(aws_launch_template.node["eu-west-1a"].user_data), "ha_")
    error_message = "Without routes of their own the agents have no peers."
  }
}

run "the_role_is_for_instances" {
  assert {
    condition     = jsondecode(aws_iam_role.node.assume_role_policy).Statement[0].Principal.Service == "ec2.amazonaws.com"
    error_message = "Only EC2 may use the nodes' role."
  }
}
