# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

variable "vpc_id" {
  description = "VPC whose NAT gateways are to go."
  type        = string
}

variable "private_cidrs" {
  description = "Address ranges of the private subnets."
  type        = list(string)
}

variable "ami_id" {
  description = "Image of the nodes."
  type        = string
}

variable "azs" {
  description = "By availability zone: public subnet, private route tables, and the ranges of the hosts that use these."
  type = map(object({
    public_subnet_id = string
    route_table_ids  = list(string)
    private_cidrs    = optional(list(string), [])
  }))
}

variable "moved" {
  description = "Route tables whose default route has been moved by hand."
  type        = set(string)
  default     = []

  validation {
    condition     = length(setsubtract(var.moved, flatten([for az in values(var.azs) : az.route_table_ids]))) == 0
    error_message = "moved must be route tables of azs."
  }
}
