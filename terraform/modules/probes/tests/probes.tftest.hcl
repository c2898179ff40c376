# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

# Nobody's keys: with the real provider these tests fail instead of making
# anything. They are for a provider that answers offline.
provider "aws" {
  region     = "eu-west-1"
  access_key = "offline"
  secret_key = "offline"
}

variables {
  name       = "egress"
  vpc_id     = "vpc-0123456789abcdef0"
  subnet_ids = { eu-west-1a = "subnet-0aaaaaaaaaaaaaaa1", eu-west-1b = "subnet-0bbbbbbbbbbbbbbb1" }
}

# A plan takes its time whatever it refuses: of each variable one bad value at a time.
run "refused_together_1" {
  command = plan

  variables {
    # a url with a quote
    urls = ["https://example.com/'; reboot"]
    # an x86 probe as arm
    instance_type = "t3.nano"
    # a server with a blank
    iperf_server = "example.com; reboot"
    # no subnets
    subnet_ids = {}
    # results for no day
    results_days = 0
  }

  expect_failures = [var.urls, var.instance_type, var.iperf_server, var.subnet_ids, var.results_days]
}

run "a_probe_is_a_private_host" {
  assert {
    condition     = alltrue([for az, instance in aws_instance.this : instance.subnet_id == var.subnet_ids[az] && instance.associate_public_ip_address == false])
    error_message = "Probes have no public address: they are behind the NAT."
  }
  assert {
    condition     = alltrue([for instance in aws_instance.this : instance.metadata_options[0].http_tokens == "required"])
    error_message = "Instances have to require IMDSv2."
  }
  assert {
    condition     = alltrue([for instance in aws_instance.this : instance.root_block_device[0].encrypted])
    error_message = "Disks have to be encrypted."
  }
  assert {
    condition     = alltrue([for instance in aws_instance.this : instance.tags["natxdp:module"] == "probes"])
    error_message = "nat-probe-runner finds its probes by this tag."
  }
}

run "roles_may_do_exactly_this" {
  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.probe.policy).Statement : s.Sid => s.Resource if s.Sid != "BeManaged" } == {
      KeepResults = "${aws_s3_bucket.results.arn}/*"
    }
    error_message = "A probe may write results, and nothing else."
  }
  assert {
    condition = { for s in jsondecode(aws_iam_role_policy.automation.policy).Statement : s.Sid => toset(flatten([s.Action])) } == {
      Documents = toset(["ssm:SendCommand"])
      Probes    = toset(["ssm:SendCommand"])
      Watch     = toset(["ssm:DescribeInstanceInformation", "ssm:ListCommandInvocations", "ssm:ListCommands"])
    }
    error_message = "The automation's actions are not those that are listed here."
  }
  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.automation.policy).Statement : s.Condition if s.Sid == "Probes"]).StringEquals == { "ssm:resourceTag/natxdp:module" = "probes", "ssm:resourceTag/natxdp:nat" = "egress" }
    error_message = "The automation may send commands to probes of this NAT only."
  }
}

run "throughput_is_asked_for" {
  variables {
    iperf_server = "iperf.example.com:5202"
  }

  assert {
    condition     = strcontains(aws_ssm_document.command["throughput"].content, "iperf3 --client iperf.example.com --port 5202 --time 5 --json --reverse")
    error_message = "The document measures both ways against the server."
  }
  assert {
    condition     = [for step in jsondecode(aws_ssm_document.automation.content).mainSteps : step.inputs.DocumentName] == ["egress-probe-throughput", "egress-probe-web"]
    error_message = "The automation runs every document."
  }
}

run "results_are_private_and_end" {
  assert {
    condition     = aws_s3_bucket_public_access_block.results.restrict_public_buckets && one(one(aws_s3_bucket_lifecycle_configuration.results.rule).expiration).days == 90
    error_message = "Results are not public, and are deleted after 90 days."
  }
}

run "everything_is_tagged" {
  variables {
    tags = { team = "network" }
  }

  assert {
    condition = alltrue([
      for tags in concat(
        [for r in aws_instance.this : r.tags], [for r in aws_ssm_document.command : r.tags],
        [aws_ssm_document.automation.tags, aws_security_group.this.tags, aws_s3_bucket.results.tags, aws_iam_role.probe.tags, aws_iam_role.automation.tags, aws_iam_instance_profile.this.tags],
      ) : try(tags["natxdp:nat"] == "egress" && tags["team"] == "network", false)
    ])
    error_message = "A resource lacks its tags."
  }
}

