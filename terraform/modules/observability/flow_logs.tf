# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# VPC flow logs: what the VPC saw, beside what the nodes say. In S3 as Parquet,
# with a table that Athena finds its partitions of by itself.

locals {
  flow_logs = var.flow_logs ? 1 : 0
  bucket    = "${var.name}-flow-logs-${local.account}-${local.region}"
  database  = replace("natxdp_${var.name}", "-", "_")

  # Field of the log format, and its type in the table.
  fields = [
    ["version", "int"], ["account-id", "string"], ["interface-id", "string"], ["srcaddr", "string"], ["dstaddr", "string"],
    ["srcport", "int"], ["dstport", "int"], ["protocol", "bigint"], ["packets", "bigint"], ["bytes", "bigint"],
    ["start", "bigint"], ["end", "bigint"], ["action", "string"], ["log-status", "string"], ["vpc-id", "string"],
    ["subnet-id", "string"], ["tcp-flags", "int"], ["pkt-srcaddr", "string"], ["pkt-dstaddr", "string"],
    ["az-id", "string"], ["flow-direction", "string"], ["traffic-path", "int"],
  ]
  partition = "AWSLogs/aws-account-id=${local.account}/aws-service=vpcflowlogs/aws-region=${local.region}"

  queries = {
    top-talkers = {
      what = "Inside addresses by bytes to the internet, yesterday and today."
      sql  = <<-SQL
        SELECT pkt_srcaddr, sum(bytes) AS bytes, sum(packets) AS packets, count(*) AS records
        FROM ${local.database}.flow_logs
        WHERE flow_direction = 'ingress' AND action = 'ACCEPT'
          AND date_parse(concat(year, '-', month, '-', day), '%Y-%m-%d') >= current_date - interval '1' day
        GROUP BY pkt_srcaddr ORDER BY bytes DESC LIMIT 50
      SQL
    }
    top-destinations = {
      what = "Destinations by bytes, yesterday and today."
      sql  = <<-SQL
        SELECT pkt_dstaddr, dstport, protocol, sum(bytes) AS bytes, count(DISTINCT pkt_srcaddr) AS sources
        FROM ${local.database}.flow_logs
        WHERE flow_direction = 'egress' AND action = 'ACCEPT'
          AND date_parse(concat(year, '-', month, '-', day), '%Y-%m-%d') >= current_date - interval '1' day
        GROUP BY pkt_dstaddr, dstport, protocol ORDER BY bytes DESC LIMIT 50
      SQL
    }
    rejected = {
      what = "What security groups and network ACLs refused, by port."
      sql  = <<-SQL
        SELECT interface_id, dstport, protocol, count(*) AS records, count(DISTINCT srcaddr) AS sources
        FROM ${local.database}.flow_logs
        WHERE action = 'REJECT' AND date_parse(concat(year, '-', month, '-', day), '%Y-%m-%d') >= current_date - interval '1' day
        GROUP BY interface_id, dstport, protocol ORDER BY records DESC LIMIT 50
      SQL
    }
    cross-zone = {
      what = "Bytes by zone and day: more than usual in one zone is a zone that was taken over."
      sql  = <<-SQL
        SELECT year, month, day, az_id, sum(bytes) AS bytes
        FROM ${local.database}.flow_logs
        WHERE flow_direction = 'egress' AND action = 'ACCEPT'
        GROUP BY year, month, day, az_id ORDER BY year DESC, month DESC, day DESC, az_id LIMIT 200
      SQL
    }
  }
}

resource "aws_s3_bucket" "flow_logs" {
  count = local.flow_logs

  bucket        = local.bucket
  force_destroy = var.force_destroy
  tags          = local.tags
}

resource "aws_s3_bucket_public_access_block" "flow_logs" {
  count = local.flow_logs

  bucket                  = aws_s3_bucket.flow_logs[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "flow_logs" {
  count = local.flow_logs

  bucket = aws_s3_bucket.flow_logs[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "flow_logs" {
  count = local.flow_logs

  bucket = aws_s3_bucket.flow_logs[0].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
    bucket_key_enabled = var.kms_key_arn != null
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "flow_logs" {
  count = local.flow_logs

  bucket = aws_s3_bucket.flow_logs[0].id

  rule {
    id     = "flow-logs"
    status = "Enabled"

    filter {
      prefix = "AWSLogs/"
    }

    transition {
      days          = var.flow_logs_glacier_days
      storage_class = "GLACIER"
    }

    expiration {
      days = var.flow_logs_expire_days
    }
  }

  rule {
    id     = "query-results"
    status = "Enabled"

    filter {
      prefix = "athena/"
    }

    expiration {
      days = 30
    }
  }

  rule {
    id     = "broken-uploads"
    status = "Enabled"

    filter {
      prefix = ""
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

data "aws_iam_policy_document" "flow_logs" {
  count = local.flow_logs

  statement {
    sid       = "Deliver"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.flow_logs[0].arn}/AWSLogs/*"]

    principals {
      type        = "Service"
      identifiers = ["delivery.logs.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }

  statement {
    sid       = "LookAtBucket"
    actions   = ["s3:GetBucketAcl"]
    resources = [aws_s3_bucket.flow_logs[0].arn]

    principals {
      type        = "Service"
      identifiers = ["delivery.logs.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }
  }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.flow_logs[0].arn, "${aws_s3_bucket.flow_logs[0].arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "flow_logs" {
  count = local.flow_logs

  bucket = aws_s3_bucket.flow_logs[0].id
  policy = data.aws_iam_policy_document.flow_logs[0].json

  depends_on = [aws_s3_bucket_public_access_block.flow_logs]
}

resource "aws_flow_log" "this" {
  count = local.flow_logs

  vpc_id                   = var.vpc_id
  traffic_type             = "ALL"
  log_destination_type     = "s3"
  log_destination          = aws_s3_bucket.flow_logs[0].arn
  log_format               = join(" ", [for field in local.fields : "$${${field[0]}}"])
  max_aggregation_interval = 60
  tags                     = merge(local.tags, { Name = var.name })

  destination_options {
    file_format                = "parquet"
    hive_compatible_partitions = true
    per_hour_partition         = true
  }

  depends_on = [aws_s3_bucket_policy.flow_logs]
}

resource "aws_glue_catalog_database" "this" {
  count = local.flow_logs

  name        = local.database
  description = "natxdp ${var.name}"
  tags        = local.tags
}

resource "aws_glue_catalog_table" "flow_logs" {
  count = local.flow_logs

  name          = "flow_logs"
  description   = "VPC flow logs"
  database_name = aws_glue_catalog_database.this[0].name
  table_type    = "EXTERNAL_TABLE"

  parameters = {
    EXTERNAL                    = "TRUE"
    classification              = "parquet"
    "projection.enabled"        = "true"
    "projection.year.type"      = "integer"
    "projection.year.range"     = "2024,2040"
    "projection.month.type"     = "integer"
    "projection.month.range"    = "1,12"
    "projection.month.digits"   = "2"
    "projection.day.type"       = "integer"
    "projection.day.range"      = "1,31"
    "projection.day.digits"     = "2"
    "projection.hour.type"      = "integer"
    "projection.hour.range"     = "0,23"
    "projection.hour.digits"    = "2"
    "storage.location.template" = "s3://${local.bucket}/${local.partition}/year=$${year}/month=$${month}/day=$${day}/hour=$${hour}"
  }

  dynamic "partition_keys" {
    for_each = ["year", "month", "day", "hour"]

    content {
      name = partition_keys.value
      type = "string"
    }
  }

  storage_descriptor {
    location      = "s3://${local.bucket}/${local.partition}"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    }

    dynamic "columns" {
      for_each = local.fields

      content {
        name = replace(columns.value[0], "-", "_")
        type = columns.value[1]
      }
    }
  }
}

resource "aws_athena_workgroup" "this" {
  count = local.flow_logs

  name          = "natxdp-${var.name}"
  description   = "natxdp ${var.name}: flow logs"
  force_destroy = var.force_destroy
  tags          = local.tags

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = false
    # A query that forgets the partition stops at 100 GB.
    bytes_scanned_cutoff_per_query = 100 * 1000 * 1000 * 1000

    result_configuration {
      output_location = "s3://${aws_s3_bucket.flow_logs[0].id}/athena/"

      encryption_configuration {
        encryption_option = var.kms_key_arn == null ? "SSE_S3" : "SSE_KMS"
        kms_key_arn       = var.kms_key_arn
      }
    }
  }
}

resource "aws_athena_named_query" "flow_logs" {
  for_each = var.flow_logs ? local.queries : {}

  name        = each.key
  description = each.value.what
  workgroup   = aws_athena_workgroup.this[0].id
  database    = aws_glue_catalog_database.this[0].name
  query       = each.value.sql
}
