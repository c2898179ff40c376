# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# A small instance in each private subnet that does what a customer's would:
# what it reaches, it reaches through the NAT. nat-probe-runner has them run the
# documents below and publishes ProbeSuccess, ProbeLatency and ProbeThroughput.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

data "aws_ssm_parameter" "image" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${var.architecture}"
}

locals {
  tags = merge(var.tags, {
    "natxdp:nat"    = var.name
    "natxdp:module" = "probes"
  })
  bucket = "${var.name}-probes-${data.aws_caller_identity.current.account_id}-${data.aws_region.current.region}"
  prefix = "arn:${data.aws_partition.current.partition}"

  iperf = var.iperf_server == null ? [] : split(":", "${var.iperf_server}:5201")
  documents = merge(
    {
      web = {
        what = "Fetches addresses and prints code, seconds to connect and in all."
        commands = [
          for url in var.urls :
          "curl --silent --output /dev/null --connect-timeout 5 --max-time 10 --write-out '${url} %%{http_code} %%{time_connect} %%{time_total}\\n' '${url}' || true"
        ]
      }
    },
    var.iperf_server == null ? {} : {
      throughput = {
        what     = "Sends and receives for five seconds each, and prints iperf3's JSON."
        commands = [for way in ["", " --reverse"] : "iperf3 --client ${local.iperf[0]} --port ${local.iperf[1]} --time 5 --json${way} || true"]
      }
    },
  )
}

resource "aws_security_group" "this" {
  name        = "${var.name}-probe"
  description = "natxdp ${var.name}: probes"
  vpc_id      = var.vpc_id
  tags        = merge(local.tags, { Name = "${var.name}-probe" })
}

resource "aws_vpc_security_group_egress_rule" "all" {
  security_group_id = aws_security_group.this.id
  description       = "Whatever is probed"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
  tags              = local.tags
}

resource "aws_instance" "this" {
  for_each = var.subnet_ids

  # insecure_value is the value of parameters that are no secret.
  ami                         = data.aws_ssm_parameter.image.insecure_value
  instance_type               = var.instance_type
  subnet_id                   = each.value
  vpc_security_group_ids      = [aws_security_group.this.id]
  iam_instance_profile        = aws_iam_instance_profile.this.name
  associate_public_ip_address = false

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  root_block_device {
    volume_type = "gp3"
    encrypted   = true
    kms_key_id  = var.kms_key_arn
  }

  user_data = join("\n", ["#cloud-config", yamlencode({ packages = ["iperf3"] })])

  tags = merge(local.tags, { Name = "${var.name}-probe-${each.key}", "natxdp:az" = each.key })

  lifecycle {
    # A newer image is no reason to make a probe anew.
    ignore_changes = [ami]
  }
}

resource "aws_ssm_document" "command" {
  for_each = local.documents

  name            = "${var.name}-probe-${each.key}"
  document_type   = "Command"
  document_format = "JSON"
  target_type     = "/AWS::EC2::Instance"
  tags            = local.tags

  content = jsonencode({
    schemaVersion = "2.2"
    description   = each.value.what
    mainSteps = [{
      action = "aws:runShellScript"
      name   = each.key
      inputs = { timeoutSeconds = "60", runCommand = each.value.commands }
    }]
  })
}

# The same for a person: one click, all probes, results in the bucket.
resource "aws_ssm_document" "automation" {
  name            = "${var.name}-probe-all"
  document_type   = "Automation"
  document_format = "JSON"
  tags            = local.tags

  content = jsonencode({
    schemaVersion = "0.3"
    description   = "Has every probe of ${var.name} run its documents."
    assumeRole    = aws_iam_role.automation.arn
    mainSteps = [for use, document in aws_ssm_document.command : {
      name      = use
      action    = "aws:runCommand"
      onFailure = "Continue"
      inputs = {
        DocumentName = document.name
        Targets = [
          { Key = "tag:natxdp:nat", Values = [var.name] },
          { Key = "tag:natxdp:module", Values = ["probes"] },
        ]
        OutputS3BucketName = aws_s3_bucket.results.id
        OutputS3KeyPrefix  = "automation/${use}"
      }
    }]
  })
}
