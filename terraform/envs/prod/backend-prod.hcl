# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# terraform init -backend-config=backend-prod.hcl -backend-config=bucket=YOUR-BUCKET
# The bucket needs versioning; the lock is a file in it.

key          = "natxdp/prod/terraform.tfstate"
region       = "eu-west-1"
encrypt      = true
use_lockfile = true
