# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

variable "nat" {
  description = "Outputs of module nat, each by name: module.nat as a whole is there only when its nodes are, and these wait for the functions (after of module nat)."
  type = object({
    name                  = string
    mode                  = string
    azs                   = list(string)
    route_tables          = map(string)
    allocation_ids        = map(string)
    slots                 = optional(map(object({ allocation = string, addresses = map(string) })), {})
    network_interface_ids = map(string)
    autoscaling_groups    = map(string)
    lease_table           = optional(object({ name = string, arn = string }))
    load_balancer         = optional(object({ listener_arn = string }))
    target_groups         = map(object({ arn = string }))
    agent_port            = number
    security_group_id     = string
  })
}

variable "packages" {
  description = "By architecture: the file that `make lambda` has built."
  type        = map(string)

  validation {
    condition     = length(var.packages) > 0 && length(setsubtract(keys(var.packages), ["arm64", "x86_64"])) == 0
    error_message = "packages must have a file for arm64, x86_64 or both."
  }
  validation {
    condition     = alltrue([for path in values(var.packages) : fileexists(path)])
    error_message = "A file of packages is not there: build it with make lambda."
  }
}

variable "architecture" {
  description = "Processor of the functions: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
  validation {
    condition     = contains(keys(var.packages), var.architecture)
    error_message = "packages has no file for this architecture."
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

variable "private_subnet_ids" {
  description = "Private subnets that the health probe runs in; they need interface endpoints for ec2, ssm and, but in eip mode, elasticloadbalancing."
  type        = list(string)

  validation {
    condition     = length(var.private_subnet_ids) > 0 && alltrue([for id in var.private_subnet_ids : startswith(id, "subnet-")])
    error_message = "private_subnet_ids must be ids of subnets, subnet-…"
  }
}

variable "schedules" {
  description = "How often the functions with a schedule run; \"\" never. nat-health-probe goes on probing for the minute that it has."
  type = object({
    nat-health-probe = optional(string, "rate(1 minute)")
    config-guard     = optional(string, "rate(5 minutes)")
    eip-recover      = optional(string, "rate(5 minutes)")
    nat-probe-runner = optional(string, "rate(15 minutes)")
    nat-janitor      = optional(string, "rate(1 day)")
  })
  default = {}

  validation {
    condition     = alltrue([for schedule in values(var.schedules) : schedule == "" || can(regex("^(rate\\([0-9]+ (minutes?|hours?|days?)\\)|cron\\(.+\\))$", schedule))])
    error_message = "schedules must be rate(…) in minutes, hours or days, or cron(…)."
  }
}

variable "probe_targets" {
  description = "What has to be reached through each node: addresses or names, with a port."
  type        = list(string)
  default     = ["1.1.1.1:443", "8.8.8.8:53", "aws.amazon.com:443"]

  validation {
    condition     = length(var.probe_targets) >= 2 && alltrue([for target in var.probe_targets : can(regex("^[A-Za-z0-9.-]+:[0-9]{1,5}$", target))])
    error_message = "probe_targets must be two or more of the form host:port; one alone would take its own failure for the NAT's."
  }
}

variable "probe_documents" {
  description = "SSM documents of module probes that nat-probe-runner may run: name and ARN."
  type        = map(object({ name = string, arn = string }))
  default     = {}
}

variable "results_bucket" {
  description = "Bucket of module probes, where they keep what they print. null: results are in metrics and logs only."
  type        = string
  default     = null
}

variable "janitor" {
  description = "What nat-janitor does: remove after this many hours, or only say what it would remove (dry_run)."
  type = object({
    max_age_hours = optional(number, 24)
    dry_run       = optional(bool, true)
  })
  default = {}

  validation {
    condition     = var.janitor.max_age_hours >= 1
    error_message = "janitor.max_age_hours must be 1 or more."
  }
}

variable "isolate_severity" {
  description = "Severity of a GuardDuty finding from which on nat-isolate blocks the address, 1 to 10."
  type        = number
  default     = 7

  validation {
    condition     = var.isolate_severity >= 1 && var.isolate_severity <= 10
    error_message = "isolate_severity must be 1 to 10."
  }
}

variable "log_level" {
  description = "What the functions log: debug, info, warn or error."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["debug", "info", "warn", "error"], var.log_level)
    error_message = "log_level must be debug, info, warn or error."
  }
}

variable "log_retention_days" {
  description = "Days that CloudWatch keeps the functions' logs."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number of days that CloudWatch Logs offers, such as 30."
  }
}

variable "kms_key_arn" {
  description = "KMS key for logs, environment and the dead-letter queue. null: the keys of AWS."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, arn:aws:kms:…:key/…; policies cannot name an alias."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the functions' roles."
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
