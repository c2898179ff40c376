# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

variable "name" {
  description = "Name of the NAT, which is NatId in its metrics."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,18}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 20 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen."
  }
}

variable "azs" {
  description = "Availability zones of the NAT."
  type        = list(string)

  validation {
    condition     = length(var.azs) >= 1 && alltrue([for az in var.azs : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$", az))])
    error_message = "azs must be one or more names of availability zones such as eu-west-1a."
  }
}

variable "vpc_id" {
  description = "VPC whose flow logs are kept."
  type        = string

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id must be the id of a VPC, vpc-…"
  }
}

variable "control_plane" {
  description = "Module lambda is there: watch its functions, and what they publish. Without it NATReachability has no data."
  type        = bool
  default     = true
}

variable "functions" {
  description = "By job: name of the function of module lambda."
  type        = map(string)
  default     = {}
}

variable "failed_events_queue" {
  description = "Name of the queue of events that failed."
  type        = string
  default     = null
}

variable "flow_log_group" {
  description = "Log group with the flow records of the nodes."
  type        = string

  validation {
    condition     = startswith(var.flow_log_group, "/")
    error_message = "flow_log_group must be the name of a log group such as /natxdp/egress/flows."
  }
}

variable "peers" {
  description = "Peers that a node should have: the nodes that take over from it. 0 watches no replication."
  type        = number
  default     = 1

  validation {
    condition     = var.peers >= 0 && var.peers <= 11
    error_message = "peers must be 0 to 11."
  }
}

variable "thresholds" {
  description = "When alarms go off: percent of targets reached, of the flow table, of the ports to one destination, of a CPU; share of dropped packets in percent; age of what peers have not confirmed in milliseconds; connections of a node."
  type = object({
    reachability = optional(number, 50)
    flow_table   = optional(number, 80)
    ports        = optional(number, 80)
    softirq      = optional(number, 85)
    drops        = optional(number, 0.01)
    sync_lag     = optional(number, 2000)
    connections  = optional(number, 200000)
  })
  default = {}

  validation {
    condition     = alltrue([for percent in [var.thresholds.reachability, var.thresholds.flow_table, var.thresholds.ports, var.thresholds.softirq, var.thresholds.drops] : percent > 0 && percent <= 100])
    error_message = "thresholds in percent must be above 0 and at most 100."
  }
}

variable "emails" {
  description = "Addresses that alarms are sent to; each has to confirm."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for email in var.emails : can(regex("^[^@ ]+@[^@ ]+\\.[^@ ]+$", email))])
    error_message = "emails must be addresses of e-mail."
  }
}

variable "slack" {
  description = "Slack workspace and channel that alarms are sent to, by their ids. The workspace has to be authorised in the console once."
  type        = object({ team_id = string, channel_id = string })
  default     = null

  validation {
    condition     = var.slack == null || try(can(regex("^T[A-Z0-9]+$", var.slack.team_id)) && can(regex("^[CG][A-Z0-9]+$", var.slack.channel_id)), false)
    error_message = "slack must have the ids of a workspace (T…) and of a channel (C… or G…)."
  }
}

variable "flow_logs" {
  description = "Keep VPC flow logs in S3, with an Athena table and saved queries."
  type        = bool
  default     = true
}

variable "flow_logs_glacier_days" {
  description = "Days after which flow logs go to Glacier."
  type        = number
  default     = 90

  validation {
    condition     = var.flow_logs_glacier_days >= 1
    error_message = "flow_logs_glacier_days must be 1 or more."
  }
}

variable "flow_logs_expire_days" {
  description = "Days after which flow logs are deleted."
  type        = number
  default     = 365

  validation {
    condition     = var.flow_logs_expire_days > var.flow_logs_glacier_days
    error_message = "flow_logs_expire_days must be more than flow_logs_glacier_days."
  }
}

variable "health_checks" {
  description = "Route 53 health checks of the zones, for DNS failover elsewhere."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "KMS key for the topic and the buckets. null: unencrypted topic, and the bucket keys of S3."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, arn:aws:kms:…:key/…; policies cannot name an alias."
  }
}

variable "force_destroy" {
  description = "Delete the buckets with what is in them."
  type        = bool
  default     = false
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the role of the chat."
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
