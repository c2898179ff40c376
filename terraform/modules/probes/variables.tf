# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

variable "name" {
  description = "Name of the NAT that is probed."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,18}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 20 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen."
  }
}

variable "vpc_id" {
  description = "VPC of the NAT."
  type        = string

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id must be the id of a VPC, vpc-…"
  }
}

variable "subnet_ids" {
  description = "By availability zone: the private subnet of its probe."
  type        = map(string)

  validation {
    condition     = length(var.subnet_ids) > 0 && alltrue([for id in values(var.subnet_ids) : startswith(id, "subnet-")])
    error_message = "subnet_ids must have the id of a subnet, subnet-…, for one zone or more."
  }
}

variable "architecture" {
  description = "Processor of the probes: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "instance_type" {
  description = "Instance type of the probes."
  type        = string
  default     = "t4g.nano"

  validation {
    condition     = can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)\\.", var.instance_type)) == (var.architecture == "arm64")
    error_message = "instance_type does not have the processor that architecture asks for."
  }
}

variable "urls" {
  description = "What the probes fetch."
  type        = list(string)
  default     = ["https://aws.amazon.com/", "https://checkip.amazonaws.com/"]

  validation {
    condition     = length(var.urls) > 0 && alltrue([for url in var.urls : can(regex("^https?://[A-Za-z0-9./?=_%&:-]+$", url))])
    error_message = "urls must be one or more http:// or https:// addresses."
  }
}

variable "iperf_server" {
  description = "iperf3 server outside of the VPC, as host or host:port, for throughput. null: none is measured."
  type        = string
  default     = null

  validation {
    condition     = var.iperf_server == null || can(regex("^[A-Za-z0-9.-]+(:[0-9]{1,5})?$", var.iperf_server))
    error_message = "iperf_server must be host or host:port."
  }
}

variable "results_days" {
  description = "Days that results are kept."
  type        = number
  default     = 90

  validation {
    condition     = var.results_days >= 1
    error_message = "results_days must be 1 or more."
  }
}

variable "kms_key_arn" {
  description = "KMS key for disks and results. null: the keys of AWS."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, arn:aws:kms:…:key/…; policies cannot name an alias."
  }
}

variable "force_destroy" {
  description = "Delete the bucket with the results that are in it."
  type        = bool
  default     = false
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the roles of probes and of their automation."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of a policy, arn:aws:iam::…:policy/…"
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
