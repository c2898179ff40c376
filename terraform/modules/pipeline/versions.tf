# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.25, < 7.0"
    }
  }
}
