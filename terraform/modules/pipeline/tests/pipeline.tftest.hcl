# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

# Nobody's keys: with the real provider these tests fail instead of making
# anything. They are for a provider that answers offline.
provider "aws" {
  region     = "eu-west-1"
  access_key = "offline"
  secret_key = "offline"
}

variables {
  name       = "natxdp-test"
  repository = "example/natxdp"
}

run "refused_together_1" {
  command = plan

  variables {
    # an address in the place of a name
    repository = "https://github.com/example/natxdp"
    # one that does both
    environments = { plan = ["test"], deploy = ["test"] }
    # a url in the place of an arn
    oidc_provider_arn = "token.actions.githubusercontent.com"
    # a name in capitals
    name = "Test"
  }

  expect_failures = [var.repository, var.environments, var.oidc_provider_arn, var.name]
}

run "jobs_of_an_environment_and_nobody_else" {
  assert {
    condition = {
      for job, role in aws_iam_role.this : job => jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"]
    } == { plan = "repo:example/natxdp:environment:test-plan", deploy = "repo:example/natxdp:environment:test" }
    error_message = "A role of the pipeline is for the jobs of its environment."
  }
  assert {
    condition     = alltrue([for role in aws_iam_role.this : jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"])
    error_message = "Tokens that are meant for others are no good here."
  }
  assert {
    condition = alltrue([
      for s in jsondecode(aws_iam_role_policy.this["plan"].policy).Statement :
      s.Sid == "LockState" ? s.Resource == "${aws_s3_bucket.state.arn}/*.tflock" : alltrue([for action in flatten([s.Action]) : can(regex(":(Describe|Get|List)", action)) || s.Sid == "ReadParameters"])
    ])
    error_message = "Who plans changes nothing but the lock."
  }
  assert {
    condition = alltrue([
      for s in jsondecode(aws_iam_role_policy.this["deploy"].policy).Statement : try(s.Condition.StringEquals["iam:PermissionsBoundary"] == aws_iam_policy.boundary.arn, false)
      if s.Effect == "Allow" && length(setintersection(flatten([s.Action]), ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"])) > 0
    ])
    error_message = "The pipeline can make no role that is not within the boundary."
  }
  assert {
    condition = alltrue([
      for s in jsondecode(aws_iam_policy.boundary.policy).Statement : alltrue([for action in flatten([s.Action]) : !can(regex("^(sts|organizations|iam):", action)) || can(regex("^iam:(Get|List)", action))])
    ])
    error_message = "No role of the stack may change rights, or take on another role."
  }
  assert {
    condition     = contains(flatten([for s in jsondecode(aws_iam_role_policy.this["deploy"].policy).Statement : s.Resource if s.Effect == "Deny"]), "arn:aws:iam::123456789012:role/natxdp-test-*-pipeline") && contains(flatten([for s in jsondecode(aws_iam_role_policy.this["deploy"].policy).Statement : s.Resource if s.Effect == "Deny"]), aws_iam_policy.boundary.arn)
    error_message = "The pipeline may change neither itself nor its boundary."
  }
  assert {
    condition     = aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled" && aws_s3_bucket_public_access_block.state.restrict_public_buckets
    error_message = "The state has its versions, and is not public."
  }
}
