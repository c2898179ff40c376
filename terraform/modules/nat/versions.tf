# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

terraform {
  # 1.11: write-only arguments keep the replication key out of the state.
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.25, < 7.0"
    }
  }
}
