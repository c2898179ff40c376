# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# The image of a node: Amazon Linux 2023 with the package, and nothing of an
# environment. What a node is to do comes with user data.
#
#   packer init ami
#   packer build -var architecture=arm64 -var version=v0.1.0 \
#     -var package=build/package/natxdp-0.1.0-1.aarch64.rpm ami

packer {
  required_version = ">= 1.11.0"

  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = "~> 1.3"
    }
  }
}

variable "architecture" {
  type        = string
  description = "arm64 or x86_64."
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Architecture must be arm64 or x86_64."
  }
}

variable "version" {
  type        = string
  description = "The release that the image is of, such as v0.1.0; part of its name."

  validation {
    condition     = substr(var.version, 0, 1) == "v" && length(split(".", var.version)) == 3
    error_message = "Version must be a tag such as v0.1.0."
  }
}

# The default AMI moves to a newer kernel each year, so the stream is named. Each
# is supported for four years.
variable "kernel" {
  type        = string
  description = "Kernel stream of Amazon Linux 2023: 6.1, 6.12 or 6.18."
  default     = "6.12"

  validation {
    condition     = contains(["6.1", "6.12", "6.18"], var.kernel)
    error_message = "Kernel must be 6.1, 6.12 or 6.18."
  }
}

variable "package" {
  type        = string
  description = "The rpm for this architecture, as `make package` has made it."
}

variable "region" {
  type        = string
  description = "Where the image is made. Empty: that of the environment."
  default     = ""
}

variable "copy_to" {
  type        = list(string)
  description = "Regions that get a copy."
  default     = []
}

variable "kms_key_id" {
  type        = string
  description = "Key of the image's snapshot. Empty: that of EBS in the account."
  default     = ""
}

variable "subnet_filter" {
  type        = map(string)
  description = "Tags of a subnet with a way to the internet. Empty: the default VPC."
  default     = {}
}

locals {
  made = formatdate("YYYYMMDD-hhmmss", timestamp())
  tags = {
    Name                  = "natxdp ${var.version}"
    "natxdp:version"      = var.version
    "natxdp:kernel"       = var.kernel
    "natxdp:architecture" = var.architecture
    "natxdp:source"       = "{{ .SourceAMIName }}"
  }
}

source "amazon-ebs" "node" {
  region          = var.region != "" ? var.region : null
  ami_name        = "natxdp-${var.version}-kernel-${var.kernel}-${var.architecture}-${local.made}"
  ami_description = "natxdp ${var.version} on Amazon Linux 2023, kernel ${var.kernel}"
  ami_regions     = var.copy_to
  instance_type   = { arm64 = "c7g.large", x86_64 = "c7i.large" }[var.architecture]
  ssh_username    = "ec2-user"
  ena_support     = true
  imds_support    = "v2.0"
  encrypt_boot    = true
  kms_key_id      = var.kms_key_id != "" ? var.kms_key_id : null
  tags            = local.tags
  snapshot_tags   = local.tags
  run_tags        = { Name = "natxdp image build", "natxdp:ephemeral" = "true" }

  # Amazon's own, the newest of this stream.
  source_ami_filter {
    owners      = ["amazon"]
    most_recent = true

    filters = {
      name                = "al2023-ami-2023.*-kernel-${var.kernel}-${var.architecture}"
      architecture        = var.architecture
      root-device-type    = "ebs"
      virtualization-type = "hvm"
    }
  }

  dynamic "subnet_filter" {
    for_each = length(var.subnet_filter) > 0 ? [var.subnet_filter] : []

    content {
      filters   = { for tag, value in subnet_filter.value : "tag:${tag}" => value }
      most_free = true
    }
  }

  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  launch_block_device_mappings {
    device_name           = "/dev/xvda"
    volume_size           = 8
    volume_type           = "gp3"
    throughput            = 125
    iops                  = 3000
    delete_on_termination = true
  }
}

build {
  sources = ["source.amazon-ebs.node"]

  # The directory of the upload has to be there.
  provisioner "shell" {
    inline = ["mkdir -p /tmp/natxdp"]
  }

  provisioner "file" {
    source      = var.package
    destination = "/tmp/natxdp/natxdp.rpm"
  }

  provisioner "file" {
    source      = "${path.root}/files"
    destination = "/tmp/natxdp"
  }

  provisioner "shell" {
    script          = "${path.root}/provision.sh"
    execute_command = "sudo KERNEL=${var.kernel} bash '{{ .Path }}' /tmp/natxdp"
  }

  # A newer kernel may have come with the updates, and its driver is what counts.
  provisioner "shell" {
    inline            = ["sudo systemctl reboot"]
    expect_disconnect = true
  }

  provisioner "shell" {
    pause_before    = "20s"
    script          = "${path.root}/verify.sh"
    execute_command = "sudo KERNEL=${var.kernel} bash '{{ .Path }}'"
  }

  provisioner "shell" {
    script          = "${path.root}/clean.sh"
    execute_command = "sudo bash '{{ .Path }}'"
  }

  post-processor "manifest" {
    output     = "${path.root}/manifest.json"
    strip_path = true
  }
}
