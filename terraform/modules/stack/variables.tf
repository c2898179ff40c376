# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# What is not validated here is validated by the module that it goes to, with
# that module's message.

variable "name" {
  description = "Name of the NAT; every resource is named and tagged after it."
  type        = string
}

variable "network" {
  description = "The VPC to make: its range and its zones, and in which of these interface endpoints have an address (empty: all)."
  type = object({
    cidr         = optional(string, "10.0.0.0/16")
    azs          = list(string)
    endpoint_azs = optional(list(string), [])
  })
}

variable "mode" {
  description = "Where default routes point: eni, eip or gwlb."
  type        = string
  default     = "eni"
}

variable "architecture" {
  description = "Processor of nodes, functions and probes: arm64 or x86_64."
  type        = string
  default     = "arm64"
}

variable "instance_type" {
  description = "Instance type of the nodes."
  type        = string
  default     = "c7gn.medium"
}

variable "ami_id" {
  description = "Image of the nodes. Exactly one of ami_id and ami_ssm_parameter is given."
  type        = string
  default     = null
}

variable "ami_ssm_parameter" {
  description = "Name of the SSM parameter that holds the image's id."
  type        = string
  default     = null
}

variable "eips_per_az" {
  description = "Elastic IPs that the flows of one zone share."
  type        = number
  default     = 1
}

variable "eip_allocation_ids" {
  description = "Elastic IPs of your own, by availability zone, in place of new ones: they outlive the stack, and whatever allows them."
  type        = map(list(string))
  default     = {}
}

variable "management_eip" {
  description = "Give each node an Elastic IP of its own for its calls to AWS: see module nat."
  type        = bool
  default     = true
}

variable "standby_nodes" {
  description = "A second node in each zone that only stands by (modes eni and eip)."
  type        = bool
  default     = false
}

variable "spot_azs" {
  description = "Availability zones whose nodes are Spot instances."
  type        = list(string)
  default     = []
}

variable "spot_instance_types" {
  description = "Further instance types that Spot may choose from."
  type        = list(string)
  default     = []
}

variable "fleet" {
  description = "gwlb mode: see module nat, whose values it has where it says nothing."
  type = object({
    min          = optional(number)
    max          = optional(number)
    desired      = optional(number)
    warm         = optional(number)
    connections  = optional(number)
    gigabits     = optional(number)
    idle_timeout = optional(number)
    cross_zone   = optional(bool)
    stickiness   = optional(string)
  })
  default = {}
}

variable "tracked" {
  description = "Let the nodes' security group track connections: see module nat."
  type        = bool
  default     = true
}

variable "profile" {
  description = "How the NAT behaves: aws or rfc."
  type        = string
  default     = "aws"
}

variable "max_flows" {
  description = "Size of the flow table of a node."
  type        = number
  default     = 262144
}

variable "settings" {
  description = "Further keys of natxdp.conf."
  type        = map(string)
  default     = {}
}

variable "agent_settings" {
  description = "Further keys of natxdpd.conf."
  type        = map(string)
  default     = {}
}

variable "lambda_packages" {
  description = "By architecture: the file that `make lambda` has built. Empty: no control plane, and the agents alone look after the NAT."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(var.lambda_packages) > 0 || var.mode != "gwlb"
    error_message = "gwlb mode needs the control plane: give lambda_packages."
  }
}

variable "probes" {
  description = "Make probe instances."
  type        = bool
  default     = true
}

variable "iperf_server" {
  description = "iperf3 server outside of the VPC, for the throughput that probes measure."
  type        = string
  default     = null
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

variable "thresholds" {
  description = "When alarms go off: see module observability, whose values it has where it says nothing."
  type = object({
    reachability = optional(number)
    flow_table   = optional(number)
    ports        = optional(number)
    softirq      = optional(number)
    drops        = optional(number)
    sync_lag     = optional(number)
    connections  = optional(number)
  })
  default = {}
}

variable "account_guards" {
  description = "Make what an account or region has once: Access Analyzer, the recorder of AWS Config, the detector of GuardDuty."
  type = object({
    access_analyzer = optional(bool, true)
    config_recorder = optional(bool, false)
    guardduty       = optional(bool, false)
  })
  default = {}
}

variable "patch_install" {
  description = "Have Systems Manager install patches, and not only report them."
  type        = bool
  default     = false
}

variable "janitor_dry_run" {
  description = "nat-janitor says what it would remove, and removes nothing."
  type        = bool
  default     = true
}

variable "log_retention_days" {
  description = "Days that CloudWatch keeps logs."
  type        = number
  default     = 30
}

variable "deletion_protection" {
  description = "Have AWS refuse to delete the load balancer and the lease table. Apply with false before a destroy."
  type        = bool
  default     = false
}

variable "force_destroy" {
  description = "Delete buckets with what is in them, for environments that come and go."
  type        = bool
  default     = false
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of all roles: that of module pipeline, where a pipeline deploys."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
