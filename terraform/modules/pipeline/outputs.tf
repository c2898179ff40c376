# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

output "roles" {
  description = "AWS_ROLE of the environments of the repository: the role that plans, and the one that deploys."
  value       = { for job, role in aws_iam_role.this : job => role.arn }
}

output "permissions_boundary_arn" {
  description = "BOUNDARY of the environments of the repository, and permissions_boundary_arn of module stack: without it the pipeline can make no role."
  value       = aws_iam_policy.boundary.arn
}

output "state_bucket" {
  description = "STATE_BUCKET of the environments of the repository."
  value       = aws_s3_bucket.state.id
}
