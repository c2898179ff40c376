# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.25, < 7.0"
    }
  }

  # The rest is in backend-test.hcl: terraform init -backend-config=backend-test.hcl
  backend "s3" {}
}

# profile is for people: see ../profiles.example. A pipeline has its credentials
# already, and takes on the role that may deploy.
provider "aws" {
  region              = var.region
  profile             = var.profile
  allowed_account_ids = var.account_id == null ? null : [var.account_id]

  dynamic "assume_role" {
    for_each = var.deploy_role_arn == null ? [] : [var.deploy_role_arn]

    content {
      role_arn     = assume_role.value
      session_name = "natxdp-test"
    }
  }

  default_tags {
    tags = {
      environment = "test"
      managed-by  = "terraform"
    }
  }
}
