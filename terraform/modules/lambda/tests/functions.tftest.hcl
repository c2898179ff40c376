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

# A plan takes its time whatever it refuses: of each variable one bad value at a time.
run "refused_together_1" {
  command = plan

  variables {
    # a package that is not there
    packages = { arm64 = "./no-such-file.zip" }
    # a schedule in words
    schedules = { nat-janitor = "daily" }
    # one probe target
    probe_targets = ["1.1.1.1:443"]
    # a janitor in a hurry
    janitor = { max_age_hours = 0 }
    # a severity of eleven
    isolate_severity = 11
    # no subnets
    private_subnet_ids = []
    # a log level unknown
    log_level = "verbose"
  }

  expect_failures = [var.packages, var.schedules, var.probe_targets, var.janitor, var.isolate_severity, var.private_subnet_ids, var.log_level]
}

run "refused_together_2" {
  command = plan

  variables {
    # a package for another processor
    architecture = "x86_64"
    # a target without a port
    probe_targets = ["1.1.1.1", "8.8.8.8"]
  }

  expect_failures = [var.architecture, var.probe_targets]
}

run "eight_functions_from_one_package" {
  assert {
    condition = toset(keys(aws_lambda_function.this)) == toset([
      "nat-health-probe", "nat-route-failover", "asg-lifecycle-handler", "eip-recover", "config-guard", "nat-probe-runner", "nat-janitor", "nat-isolate",
    ])
    error_message = "The functions are not those that are listed here."
  }
  assert {
    condition     = alltrue([for job, function in aws_lambda_function.this : function.handler == job && function.runtime == "provided.al2023" && function.architectures == tolist(["arm64"])])
    error_message = "The handler's name says which function it is."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.dead_letter_config[0].target_arn == aws_sqs_queue.failed.arn])
    error_message = "Events that fail have to be kept."
  }
  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.this : group.retention_in_days == 30]) && length(aws_cloudwatch_log_group.this) == 8
    error_message = "Every function has a log group, which is kept for 30 days."
  }
  assert {
    condition     = [for job, function in aws_lambda_function.this : job if length(function.vpc_config) > 0] == ["nat-health-probe"]
    error_message = "What repairs the NAT must not run behind it."
  }
  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.timeout >= 60])
    error_message = "A function that is ended in the middle repairs nothing: a minute is the least."
  }
  assert {
    condition     = aws_sqs_queue.failed.sqs_managed_sse_enabled && alltrue([for retry in aws_lambda_function_event_invoke_config.this : retry.maximum_retry_attempts == 2])
    error_message = "An event is tried three times, and then kept, encrypted."
  }
  assert {
    condition     = alltrue([for use in ["reach", "verify", "repair"] : strcontains(aws_ssm_document.node[use].content, "natxdp verify")])
    error_message = "What a node sends itself goes around the program: a document that proves it has to run natxdp verify."
  }
}

run "who_starts_what" {
  assert {
    condition = { for key, rule in aws_cloudwatch_event_rule.this : key => rule.schedule_expression if rule.schedule_expression != null } == {
      nat-health-probe-schedule = "rate(1 minute)"
      config-guard-schedule     = "rate(5 minutes)"
      eip-recover-schedule      = "rate(5 minutes)"
      nat-probe-runner-schedule = "rate(15 minutes)"
      nat-janitor-schedule      = "rate(1 day)"
    }
    error_message = "The schedules are not those that are listed here."
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["nat-route-failover-event"].event_pattern).detail.alarmName[0].prefix == "egress-reachability-"
    error_message = "The alarm of NATReachability starts nat-route-failover."
  }
  assert {
    condition     = alltrue([for function in ["nat-route-failover", "eip-recover"] : jsondecode(aws_cloudwatch_event_rule.this["${function}-event"].event_pattern).detail.state.value == ["ALARM"]])
    error_message = "An alarm that goes off starts it, and not one that ends."
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["asg-lifecycle-handler-event"].event_pattern).detail.AutoScalingGroupName == ["egress-eu-west-1a", "egress-eu-west-1b"]
    error_message = "asg-lifecycle-handler hears of the groups of this NAT only."
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["nat-isolate-event"].event_pattern).detail.severity[0].numeric == [">=", 7]
    error_message = "Findings of severity 7 and more isolate."
  }
  assert {
    condition     = length(aws_cloudwatch_event_rule.this) == 9 && alltrue([for key, permission in aws_lambda_permission.this : permission.principal == "events.amazonaws.com" && permission.source_arn == aws_cloudwatch_event_rule.this[key].arn])
    error_message = "Each rule, and nobody else, may start its function."
  }
}

run "a_schedule_can_be_left_out" {
  variables {
    schedules = { nat-janitor = "" }
  }

  assert {
    condition     = !contains(keys(aws_cloudwatch_event_rule.this), "nat-janitor-schedule") && length(aws_cloudwatch_event_rule.this) == 8
    error_message = "An empty schedule is none."
  }
}

run "everything_is_tagged" {
  variables {
    tags = { team = "network" }
  }

  assert {
    condition = alltrue([
      for tags in concat(
        [for r in aws_lambda_function.this : r.tags], [for r in aws_iam_role.this : r.tags], [for r in aws_cloudwatch_log_group.this : r.tags],
        [for r in aws_cloudwatch_event_rule.this : r.tags], [for r in aws_ssm_document.node : r.tags],
        [aws_sqs_queue.failed.tags, aws_security_group.probe.tags, aws_ssm_parameter.routing.tags, aws_ssm_parameter.blocked.tags],
      ) : try(tags["natxdp:nat"] == "egress" && tags["team"] == "network", false)
    ])
    error_message = "A resource lacks its tags."
  }
}

