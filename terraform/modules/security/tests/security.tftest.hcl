# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

# Nobody's keys: with the real provider these tests fail instead of making
# anything. They are for a provider that answers offline.
provider "aws" {
  region     = "eu-west-1"
  access_key = "offline"
  secret_key = "offline"
}

variables {
  name      = "egress"
  log_group = "/natxdp/egress/system"
}

# A plan takes its time whatever it refuses: of each variable one bad value at a time.
run "refused_together_1" {
  command = plan

  variables {
    # a schedule that is none
    patch_window = "every day"
    # a check that is no schedule
    drift_check = "30m"
    # a key deleted at once
    key_deletion_days = 1
    # a log group without a slash
    log_group = "natxdp"
    # a name in capitals
    name = "Egress"
  }

  expect_failures = [var.patch_window, var.drift_check, var.key_deletion_days, var.log_group, var.name]
}

run "the_key_rotates_and_is_for_known_services" {
  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "The key has to rotate."
  }
  assert {
    condition = {
      for s in jsondecode(aws_kms_key.this.policy).Statement : s.Sid => toset(flatten([s.Action]))
      } == {
      Account           = toset(["kms:*"])
      Logs              = toset(["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"])
      Senders           = toset(["kms:Decrypt", "kms:GenerateDataKey*"])
      Events            = toset(["kms:Decrypt", "kms:GenerateDataKey"])
      LogDelivery       = toset(["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"])
      AutoScaling       = toset(["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"])
      AutoScalingGrants = toset(["kms:CreateGrant"])
    }
    error_message = "The key's policy is not what is listed here."
  }
  assert {
    condition     = alltrue([for s in jsondecode(aws_kms_key.this.policy).Statement : try(s.Principal, "*") != "*" && try(s.Principal.AWS, "") != "*"])
    error_message = "The key must not be for everybody."
  }
  assert {
    condition = alltrue([
      for s in jsondecode(aws_kms_key.this.policy).Statement : try(s.Condition.StringEquals["aws:SourceAccount"], "none") == (contains(["Senders", "LogDelivery"], s.Sid) ? "123456789012" : "none")
    ])
    error_message = "Services use the key for this account only; EventBridge, which does not say for whom, has no such condition."
  }
}

run "config_rules_look_at_this_nat" {
  variables {
    config_recorder = true
    guardduty       = true
  }

  assert {
    condition     = toset([for rule in aws_config_config_rule.managed : rule.source[0].source_identifier]) == toset(["EC2_IMDSV2_CHECK", "ENCRYPTED_VOLUMES", "EIP_ATTACHED", "EC2_INSTANCE_MANAGED_BY_SSM", "VPC_SG_OPEN_ONLY_TO_AUTHORIZED_PORTS"])
    error_message = "The rules of AWS are not those that are listed here."
  }
  assert {
    condition     = alltrue([for rule in concat(values(aws_config_config_rule.managed), aws_config_config_rule.routes, aws_config_config_rule.capacity) : rule.scope[0].tag_key == "natxdp:nat" && rule.scope[0].tag_value == "egress"])
    error_message = "Rules are for resources of this NAT."
  }
  assert {
    condition     = strcontains(aws_config_config_rule.capacity[0].source[0].custom_policy_details[0].policy_text, "suspendedProcesses empty") && strcontains(aws_config_config_rule.routes[0].source[0].custom_policy_details[0].policy_text, "natGatewayId !exists")
    error_message = "Groups keep their nodes, and private subnets have the NAT as their way out."
  }
  assert {
    condition     = aws_config_configuration_recorder_status.this[0].is_enabled && aws_guardduty_detector.this[0].enable
    error_message = "Recorder and detector run."
  }
  assert {
    condition     = aws_s3_bucket_public_access_block.config[0].restrict_public_buckets && aws_s3_bucket_public_access_block.config[0].block_public_policy
    error_message = "The bucket is not public."
  }
}

run "what_a_region_has_once_is_asked_for" {
  state_key = "defaults"

  variables {
    spare_addresses = true
  }

  assert {
    condition     = !contains(keys(aws_config_config_rule.managed), "eip-attached")
    error_message = "Addresses of nodes that are not there yet are no mistake."
  }

  assert {
    condition     = length(aws_config_configuration_recorder.this) == 0 && length(aws_guardduty_detector.this) == 0 && length(aws_s3_bucket.config) == 0
    error_message = "By default neither recorder nor detector is made."
  }
}

run "nodes_are_managed_one_at_a_time" {
  assert {
    condition     = alltrue([for association in [aws_ssm_association.patch, aws_ssm_association.units] : association.max_concurrency == "1" && association.max_errors == "0"])
    error_message = "Only one node at a time, and none after a failure."
  }
  assert {
    condition     = alltrue([for association in [aws_ssm_association.patch, aws_ssm_association.units, aws_ssm_association.cloudwatch_agent] : { for target in association.targets : target.key => one(target.values) } == { "tag:natxdp:nat" = "egress", "tag:natxdp:module" = "nat" }])
    error_message = "Associations are for nodes of this NAT, and not for its probes."
  }
  assert {
    condition     = aws_ssm_association.patch.parameters["Operation"] == "Scan" && aws_ssm_association.patch.parameters["RebootOption"] == "NoReboot"
    error_message = "Patches are reported, and no node is rebooted by them."
  }
  assert {
    condition     = contains(aws_ssm_patch_baseline.this.rejected_patches, "kernel*")
    error_message = "The kernel belongs to the image."
  }
}

run "everything_is_tagged" {
  variables {
    config_recorder = true
    guardduty       = true
    tags            = { team = "network" }
  }

  assert {
    condition = alltrue([
      for tags in concat(
        [aws_kms_key.this.tags, aws_accessanalyzer_analyzer.this[0].tags, aws_guardduty_detector.this[0].tags, aws_s3_bucket.config[0].tags, aws_iam_role.config[0].tags, aws_config_config_rule.routes[0].tags,
        aws_ssm_patch_baseline.this.tags, aws_ssm_document.units.tags, aws_ssm_association.patch.tags, aws_ssm_association.units.tags, aws_ssm_association.cloudwatch_agent.tags, aws_ssm_parameter.cloudwatch_agent.tags],
        [for rule in aws_config_config_rule.managed : rule.tags],
      ) : try(tags["natxdp:nat"] == "egress" && tags["team"] == "network", false)
    ])
    error_message = "A resource lacks its tags."
  }
}

