# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

variable "name" {
  description = "Name of the NAT that is deployed, such as natxdp-test: roles and buckets that begin with it are what the pipeline may make."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,18}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 20 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen."
  }
}

variable "repository" {
  description = "Repository on GitHub whose workflows deploy, as owner/name."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.repository))
    error_message = "repository must be owner/name."
  }
}

variable "environments" {
  description = "Environments of the repository whose jobs may plan, and those whose jobs may deploy."
  type        = object({ plan = list(string), deploy = list(string) })
  default     = { plan = ["test-plan"], deploy = ["test"] }

  validation {
    condition     = alltrue([for name in concat(var.environments.plan, var.environments.deploy) : can(regex("^[A-Za-z0-9_-]+$", name))]) && length(var.environments.plan) > 0 && length(var.environments.deploy) > 0
    error_message = "environments must name one or more for plan and for deploy, by letters, digits, _ and -."
  }
  validation {
    condition     = length(setintersection(var.environments.plan, var.environments.deploy)) == 0
    error_message = "An environment of environments either plans or deploys."
  }
}

variable "oidc_provider_arn" {
  description = "The account's OIDC provider for GitHub, of which it can have one. null: it is made here."
  type        = string
  default     = null

  validation {
    condition     = var.oidc_provider_arn == null || can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:oidc-provider/.+$", var.oidc_provider_arn))
    error_message = "oidc_provider_arn must be the ARN of a provider, arn:aws:iam::…:oidc-provider/…"
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
