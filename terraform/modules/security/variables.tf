# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

variable "name" {
  description = "Name of the NAT that this is for."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,18}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 20 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen."
  }
}

variable "access_analyzer" {
  description = "Make an IAM Access Analyzer for the account. false where the account has one."
  type        = bool
  default     = true
}

variable "config_recorder" {
  description = "Make the AWS Config recorder, of which a region has one. false where it is there; the rules need it."
  type        = bool
  default     = false
}

variable "config_history_days" {
  description = "Days that the history of AWS Config is kept in its bucket."
  type        = number
  default     = 2557

  validation {
    condition     = var.config_history_days >= 30
    error_message = "config_history_days must be 30 or more."
  }
}

variable "config_rules" {
  description = "Make the AWS Config rules."
  type        = bool
  default     = true
}

variable "spare_addresses" {
  description = "Elastic IPs wait for nodes that are not there yet, as in gwlb mode: no rule says that each has to have a node."
  type        = bool
  default     = false
}

variable "guardduty" {
  description = "Make the GuardDuty detector, of which a region has one. false where it is there; nat-isolate acts on its findings either way."
  type        = bool
  default     = false
}

variable "patch_window" {
  description = "When nodes are scanned and patched, as a schedule of Systems Manager."
  type        = string
  default     = "cron(0 3 ? * SUN *)"

  validation {
    condition     = can(regex("^(cron|rate)\\(.+\\)$", var.patch_window))
    error_message = "patch_window must be cron(…) or rate(…)."
  }
}

variable "patch_install" {
  description = "Install patches at patch_window. false: only report what is missing, because a new image replaces nodes without a gap."
  type        = bool
  default     = false
}

variable "log_group" {
  description = "Log group that the CloudWatch agent of the nodes writes the system's log to."
  type        = string

  validation {
    condition     = startswith(var.log_group, "/")
    error_message = "log_group must be the name of a log group such as /natxdp/egress/system."
  }
}

variable "drift_check" {
  description = "How often State Manager brings nodes back to their configuration."
  type        = string
  default     = "rate(30 minutes)"

  validation {
    condition     = can(regex("^(cron|rate)\\(.+\\)$", var.drift_check))
    error_message = "drift_check must be cron(…) or rate(…)."
  }
}

variable "key_deletion_days" {
  description = "Days in which the deletion of the KMS key can be undone."
  type        = number
  default     = 30

  validation {
    condition     = var.key_deletion_days >= 7 && var.key_deletion_days <= 30
    error_message = "key_deletion_days must be 7 to 30."
  }
}

variable "force_destroy" {
  description = "Delete the bucket of AWS Config with what is in it."
  type        = bool
  default     = false
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the role of AWS Config."
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
