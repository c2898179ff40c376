# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

variable "name" {
  description = "Name of the VPC; every resource is named and tagged after it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,18}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 20 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen."
  }
}

variable "cidr" {
  description = "Address range of the VPC. Each zone gets a sixteenth of it for its private subnet and a 256th for its public one."
  type        = string
  default     = "10.0.0.0/16"

  validation {
    condition     = can(cidrnetmask(var.cidr)) && try(tonumber(split("/", var.cidr)[1]) >= 16 && tonumber(split("/", var.cidr)[1]) <= 18, false)
    error_message = "cidr must be an IPv4 range from /16 to /18, such as 10.0.0.0/16."
  }
  validation {
    condition     = try(cidrhost(var.cidr, 0) == split("/", var.cidr)[0], true)
    error_message = "cidr must start at the first address of its range."
  }
}

variable "azs" {
  description = "Availability zones."
  type        = list(string)

  validation {
    condition     = length(var.azs) >= 1 && length(var.azs) <= 6 && length(distinct(var.azs)) == length(var.azs)
    error_message = "azs must name one to six availability zones, each once."
  }
  validation {
    condition     = alltrue([for az in var.azs : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$", az))])
    error_message = "azs must be names of availability zones such as eu-west-1a."
  }
}

variable "interface_endpoints" {
  description = "Services that the VPC reaches without the NAT. The first six are what control paths need; each costs by the hour and zone."
  type        = set(string)
  default     = ["ec2", "ssm", "ssmmessages", "ec2messages", "logs", "monitoring"]

  validation {
    condition = length(setsubtract(var.interface_endpoints, [
      "ec2", "ssm", "ssmmessages", "ec2messages", "logs", "monitoring", "elasticloadbalancing", "autoscaling", "kms", "sts", "lambda", "sns", "sqs", "events", "secretsmanager", "ecr.api", "ecr.dkr",
    ])) == 0
    error_message = "interface_endpoints must be names of services such as ec2, ssm, logs, monitoring, autoscaling, elasticloadbalancing, kms or sts."
  }
}

variable "endpoint_azs" {
  description = "Zones in which interface endpoints have an address: empty for all. One is cheaper, and gone with its zone."
  type        = list(string)
  default     = []

  validation {
    condition     = length(setsubtract(var.endpoint_azs, var.azs)) == 0
    error_message = "endpoint_azs must be zones of azs."
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
