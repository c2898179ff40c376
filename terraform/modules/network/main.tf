# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# A VPC with a public and a private subnet in each zone. The default routes of
# the private subnets are made by module nat.

data "aws_region" "current" {}

locals {
  tags = merge(var.tags, {
    "natxdp:nat"    = var.name
    "natxdp:module" = "network"
  })

  # The last sixteenth of the range is cut into the public subnets.
  subnets = {
    for index, az in var.azs : az => {
      private = cidrsubnet(var.cidr, 4, index)
      public  = cidrsubnet(var.cidr, 8, 240 + index)
    }
  }
  endpoint_azs = length(var.endpoint_azs) == 0 ? var.azs : var.endpoint_azs
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = merge(local.tags, { Name = var.name })
}

# The group that instances get which name none: nothing in, nothing out.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
  tags   = merge(local.tags, { Name = "${var.name}-default" })
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = merge(local.tags, { Name = var.name })
}

resource "aws_subnet" "public" {
  for_each = local.subnets

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = each.value.public
  map_public_ip_on_launch = false
  tags                    = merge(local.tags, { Name = "${var.name}-public-${each.key}", "natxdp:tier" = "public" })
}

resource "aws_subnet" "private" {
  for_each = local.subnets

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = each.value.private
  map_public_ip_on_launch = false
  tags                    = merge(local.tags, { Name = "${var.name}-private-${each.key}", "natxdp:tier" = "private" })
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id
  tags   = merge(local.tags, { Name = "${var.name}-public", "natxdp:tier" = "public" })
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "public" {
  for_each = local.subnets

  route_table_id = aws_route_table.public.id
  subnet_id      = aws_subnet.public[each.key].id
}

# One a zone, so that a zone can be moved alone.
resource "aws_route_table" "private" {
  for_each = local.subnets

  vpc_id = aws_vpc.this.id
  tags   = merge(local.tags, { Name = "${var.name}-private-${each.key}", "natxdp:tier" = "private", "natxdp:az" = each.key })
}

resource "aws_route_table_association" "private" {
  for_each = local.subnets

  route_table_id = aws_route_table.private[each.key].id
  subnet_id      = aws_subnet.private[each.key].id
}
