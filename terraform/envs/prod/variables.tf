# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

variable "region" {
  description = "AWS region."
  type        = string
  default     = "eu-west-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be a region such as eu-west-1."
  }
}

variable "zones" {
  description = "Letters of the availability zones."
  type        = list(string)
  default     = ["a", "b", "c"]

  validation {
    condition     = length(var.zones) > 0 && alltrue([for zone in var.zones : can(regex("^[a-f]$", zone))])
    error_message = "zones must be letters such as [\"a\", \"b\"]."
  }
}

variable "account_id" {
  description = "Account that this is for; another one is refused. null: any."
  type        = string
  default     = null

  validation {
    condition     = var.account_id == null || can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must have twelve digits."
  }
}

variable "profile" {
  description = "Profile of the AWS configuration, for people: natxdp-prod. null: credentials of the environment."
  type        = string
  default     = null
}

variable "deploy_role_arn" {
  description = "Role that deploys, for the pipeline."
  type        = string
  default     = null

  validation {
    condition     = var.deploy_role_arn == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", var.deploy_role_arn))
    error_message = "deploy_role_arn must be the ARN of a role."
  }
}

variable "ami_ssm_parameter" {
  description = "Name of the SSM parameter that holds the image's id."
  type        = string
  default     = "/natxdp/ami/prod/arm64"
}

variable "lambda_packages" {
  description = "By architecture: the file that `make lambda` has built."
  type        = map(string)
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of all roles: that of module pipeline, where a pipeline deploys."
  type        = string
  default     = null
}

variable "iperf_server" {
  description = "iperf3 server outside of the VPC, for the throughput that probes measure."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Have AWS refuse to delete the load balancer and the lease table. Apply with false before scripts/teardown.sh."
  type        = bool
  default     = true
}

variable "emails" {
  description = "Addresses that alarms are sent to."
  type        = list(string)
  default     = []
}

variable "slack" {
  description = "Slack workspace and channel that alarms are sent to, by their ids."
  type        = object({ team_id = string, channel_id = string })
  default     = null
}
