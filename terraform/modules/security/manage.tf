# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# What Systems Manager does with the nodes: patches, configuration, agents.

resource "aws_ssm_patch_baseline" "this" {
  name             = var.name
  description      = "natxdp ${var.name}: nodes"
  operating_system = "AMAZON_LINUX_2023"
  # A kernel is part of the image that was verified with it.
  rejected_patches        = ["kernel*"]
  rejected_patches_action = "BLOCK"
  tags                    = local.tags

  approval_rule {
    approve_after_days = 3
    compliance_level   = "CRITICAL"

    patch_filter {
      key    = "CLASSIFICATION"
      values = ["Security"]
    }
    patch_filter {
      key    = "SEVERITY"
      values = ["Critical", "Important"]
    }
  }
}

resource "aws_ssm_patch_group" "this" {
  baseline_id = aws_ssm_patch_baseline.this.id
  patch_group = var.name
}

resource "aws_ssm_association" "patch" {
  name                = "AWS-RunPatchBaseline"
  association_name    = "${var.name}-patch"
  schedule_expression = var.patch_window
  max_concurrency     = "1"
  max_errors          = "0"
  compliance_severity = "HIGH"
  parameters = {
    Operation    = var.patch_install ? "Install" : "Scan"
    RebootOption = "NoReboot"
  }
  tags = local.tags

  dynamic "targets" {
    for_each = local.nodes

    content {
      key    = targets.key
      values = [targets.value]
    }
  }
}

# config-guard finds and repairs drift of the NAT itself; this one keeps the
# units running, without any function of ours.
resource "aws_ssm_document" "units" {
  name            = "${var.name}-units"
  document_type   = "Command"
  document_format = "JSON"
  target_type     = "/AWS::EC2::Instance"
  tags            = local.tags

  content = jsonencode({
    schemaVersion = "2.2"
    description   = "Starts natxdp and natxdpd where they do not run, and proves the data path."
    mainSteps = [{
      action = "aws:runShellScript"
      name   = "units"
      inputs = {
        timeoutSeconds = "60"
        runCommand = [
          "set -e",
          "systemctl is-active --quiet natxdp.service || systemctl start natxdp.service",
          "systemctl is-active --quiet natxdpd.service || systemctl start natxdpd.service",
          "natxdp verify --json",
        ]
      }
    }]
  })
}

resource "aws_ssm_association" "units" {
  name                = aws_ssm_document.units.name
  association_name    = "${var.name}-units"
  schedule_expression = var.drift_check
  max_concurrency     = "1"
  max_errors          = "0"
  compliance_severity = "CRITICAL"
  tags                = local.tags

  dynamic "targets" {
    for_each = local.nodes

    content {
      key    = targets.key
      values = [targets.value]
    }
  }
}

# The system's log; metrics are natxdpd's business.
resource "aws_ssm_parameter" "cloudwatch_agent" {
  name        = "/natxdp/${var.name}/cloudwatch-agent"
  description = "Configuration of the CloudWatch agent on the nodes"
  type        = "String"
  tags        = local.tags

  insecure_value = jsonencode({
    agent = { run_as_user = "root" }
    logs = {
      logs_collected = {
        files = {
          collect_list = [
            { file_path = "/var/log/messages", log_group_name = var.log_group, log_stream_name = "{instance_id}/messages" },
            { file_path = "/var/log/cloud-init-output.log", log_group_name = var.log_group, log_stream_name = "{instance_id}/cloud-init" },
          ]
        }
      }
    }
  })
}

resource "aws_ssm_association" "cloudwatch_agent" {
  name                = "AmazonCloudWatch-ManageAgent"
  association_name    = "${var.name}-cloudwatch-agent"
  schedule_expression = "rate(1 day)"
  parameters = {
    action                        = "configure"
    mode                          = "ec2"
    optionalConfigurationSource   = "ssm"
    optionalConfigurationLocation = aws_ssm_parameter.cloudwatch_agent.name
    optionalRestart               = "yes"
  }
  tags = local.tags

  dynamic "targets" {
    for_each = local.nodes

    content {
      key    = targets.key
      values = [targets.value]
    }
  }
}
