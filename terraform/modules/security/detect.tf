# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# What watches the account: Access Analyzer, AWS Config, GuardDuty.

resource "aws_accessanalyzer_analyzer" "this" {
  count = var.access_analyzer ? 1 : 0

  analyzer_name = var.name
  type          = "ACCOUNT"
  tags          = local.tags
}

resource "aws_guardduty_detector" "this" {
  count = var.guardduty ? 1 : 0

  enable                       = true
  finding_publishing_frequency = "FIFTEEN_MINUTES"
  tags                         = local.tags
}

resource "aws_s3_bucket" "config" {
  count = var.config_recorder ? 1 : 0

  bucket        = "${var.name}-config-${local.account}-${local.region}"
  force_destroy = var.force_destroy
  tags          = local.tags
}

resource "aws_s3_bucket_public_access_block" "config" {
  count = var.config_recorder ? 1 : 0

  bucket                  = aws_s3_bucket.config[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "config" {
  count = var.config_recorder ? 1 : 0

  bucket = aws_s3_bucket.config[0].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.this.arn
    }
    bucket_key_enabled = true
  }
}

resource "aws_s3_bucket_ownership_controls" "config" {
  count = var.config_recorder ? 1 : 0

  bucket = aws_s3_bucket.config[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "config" {
  count = var.config_recorder ? 1 : 0

  bucket = aws_s3_bucket.config[0].id

  rule {
    id     = "history"
    status = "Enabled"

    filter {
      prefix = ""
    }

    expiration {
      days = var.config_history_days
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

data "aws_iam_policy_document" "config_bucket" {
  count = var.config_recorder ? 1 : 0

  statement {
    sid       = "LookAtBucket"
    actions   = ["s3:GetBucketAcl", "s3:ListBucket"]
    resources = [aws_s3_bucket.config[0].arn]

    principals {
      type        = "Service"
      identifiers = ["config.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }

  statement {
    sid       = "Deliver"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.config[0].arn}/AWSLogs/${local.account}/Config/*"]

    principals {
      type        = "Service"
      identifiers = ["config.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.config[0].arn, "${aws_s3_bucket.config[0].arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "config" {
  count = var.config_recorder ? 1 : 0

  bucket = aws_s3_bucket.config[0].id
  policy = data.aws_iam_policy_document.config_bucket[0].json

  depends_on = [aws_s3_bucket_public_access_block.config]
}

data "aws_iam_policy_document" "config_assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["config.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }
}

resource "aws_iam_role" "config" {
  count = var.config_recorder ? 1 : 0

  name                 = "${var.name}-config"
  description          = "natxdp ${var.name}: AWS Config"
  assume_role_policy   = data.aws_iam_policy_document.config_assume.json
  permissions_boundary = var.permissions_boundary_arn
  tags                 = local.tags
}

# What the recorder reads is AWS's to say.
resource "aws_iam_role_policy_attachment" "config" {
  count = var.config_recorder ? 1 : 0

  role       = aws_iam_role.config[0].name
  policy_arn = "${local.prefix}:iam::aws:policy/service-role/AWS_ConfigRole"
}

resource "aws_config_configuration_recorder" "this" {
  count = var.config_recorder ? 1 : 0

  name     = var.name
  role_arn = aws_iam_role.config[0].arn

  recording_group {
    all_supported = false
    resource_types = [
      "AWS::AutoScaling::AutoScalingGroup", "AWS::EC2::EIP", "AWS::EC2::Instance", "AWS::EC2::NetworkInterface",
      "AWS::EC2::RouteTable", "AWS::EC2::SecurityGroup", "AWS::EC2::Volume", "AWS::Lambda::Function",
    ]
  }
}

resource "aws_config_delivery_channel" "this" {
  count = var.config_recorder ? 1 : 0

  name           = var.name
  s3_bucket_name = aws_s3_bucket.config[0].id

  depends_on = [aws_config_configuration_recorder.this, aws_s3_bucket_policy.config]
}

resource "aws_config_configuration_recorder_status" "this" {
  count = var.config_recorder ? 1 : 0

  name       = aws_config_configuration_recorder.this[0].name
  is_enabled = true

  depends_on = [aws_config_delivery_channel.this]
}

locals {
  # Rules of AWS, on the resources that carry this NAT's tag.
  managed_rules = {
    imdsv2 = {
      identifier  = "EC2_IMDSV2_CHECK"
      description = "Nodes require IMDSv2."
      types       = ["AWS::EC2::Instance"]
    }
    encrypted-volumes = {
      identifier  = "ENCRYPTED_VOLUMES"
      description = "Disks of the nodes are encrypted."
      types       = ["AWS::EC2::Volume"]
    }
    eip-attached = {
      identifier  = "EIP_ATTACHED"
      description = "No Elastic IP of the NAT is without a node."
      types       = ["AWS::EC2::EIP"]
    }
    ssm-managed = {
      identifier  = "EC2_INSTANCE_MANAGED_BY_SSM"
      description = "Nodes are managed by Systems Manager."
      types       = ["AWS::EC2::Instance"]
    }
    closed-ingress = {
      identifier  = "VPC_SG_OPEN_ONLY_TO_AUTHORIZED_PORTS"
      description = "No security group of the NAT is open to the internet."
      types       = ["AWS::EC2::SecurityGroup"]
    }
  }
}

resource "aws_config_config_rule" "managed" {
  for_each = { for name, rule in local.managed_rules : name => rule if var.config_rules && !(name == "eip-attached" && var.spare_addresses) }

  name        = "${var.name}-${each.key}"
  description = each.value.description
  tags        = local.tags

  source {
    owner             = "AWS"
    source_identifier = each.value.identifier
  }

  scope {
    tag_key   = "natxdp:nat"
    tag_value = var.name
  }

  depends_on = [aws_config_configuration_recorder_status.this]
}

# A private route table with another default route than natxdp's costs money or
# has none.
resource "aws_config_config_rule" "routes" {
  count = var.config_rules ? 1 : 0

  name        = "${var.name}-default-routes"
  description = "Default routes of private subnets point to a node's interface or to a Gateway Load Balancer endpoint."
  tags        = local.tags

  source {
    owner = "CUSTOM_POLICY"

    source_detail {
      event_source = "aws.config"
      message_type = "ConfigurationItemChangeNotification"
    }

    custom_policy_details {
      policy_runtime = "guard-2.x.x"
      policy_text    = <<-GUARD
        let defaults = configuration.routes[ destinationCidrBlock == "0.0.0.0/0" ]

        rule default_route_is_natxdp when resourceType == "AWS::EC2::RouteTable"
                                          tags["natxdp:tier"] == "private" {
          %defaults !empty
          %defaults.natGatewayId !exists
          %defaults.networkInterfaceId exists or %defaults.gatewayId == /^vpce-/
        }
      GUARD
    }
  }

  scope {
    tag_key   = "natxdp:nat"
    tag_value = var.name
  }

  depends_on = [aws_config_configuration_recorder_status.this]
}

# A group whose launches are suspended looks well until its node dies.
resource "aws_config_config_rule" "capacity" {
  count = var.config_rules ? 1 : 0

  name        = "${var.name}-capacity"
  description = "Groups have a node in service, and nothing is suspended that would replace it."
  tags        = local.tags

  source {
    owner = "CUSTOM_POLICY"

    source_detail {
      event_source = "aws.config"
      message_type = "ConfigurationItemChangeNotification"
    }

    custom_policy_details {
      policy_runtime = "guard-2.x.x"
      policy_text    = <<-GUARD
        rule group_keeps_its_nodes when resourceType == "AWS::AutoScaling::AutoScalingGroup" {
          configuration.minSize >= 1
          configuration.desiredCapacity >= 1
          configuration.suspendedProcesses empty
          some configuration.instances[*].lifecycleState == "InService"
        }
      GUARD
    }
  }

  scope {
    tag_key   = "natxdp:nat"
    tag_value = var.name
  }

  depends_on = [aws_config_configuration_recorder_status.this]
}
