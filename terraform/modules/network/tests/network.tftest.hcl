# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

# Nobody's keys: with the real provider these tests fail instead of making
# anything. They are for a provider that answers offline.
provider "aws" {
  region     = "eu-west-1"
  access_key = "offline"
  secret_key = "offline"
}

variables {
  name = "egress"
  azs  = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
  tags = { team = "network" }
}

# A plan takes its time whatever it refuses: of each variable one bad value at a time.
run "refused_together_1" {
  command = plan

  variables {
    # a range that is none
    cidr = "10.0.0.0"
    # a zone twice
    azs = ["eu-west-1a", "eu-west-1a"]
    # a service unknown
    interface_endpoints = ["ec3"]
    # a name in capitals
    name = "Egress"
  }

  expect_failures = [var.cidr, var.azs, var.interface_endpoints, var.name]
}

run "refused_together_2" {
  command = plan

  variables {
    # a range too small
    cidr = "10.0.0.0/24"
    # a region as zone
    azs = ["eu-west-1"]
  }

  expect_failures = [var.cidr, var.azs]
}

run "refused_together_3" {
  command = plan

  variables {
    # a range that starts elsewhere
    cidr = "10.0.1.0/16"
    # endpoints in a foreign zone
    endpoint_azs = ["eu-west-1d"]
  }

  expect_failures = [var.cidr, var.endpoint_azs]
}

run "a_zone_has_its_own_subnets_and_route_table" {
  assert {
    condition     = [for az in var.azs : aws_subnet.private[az].cidr_block] == ["10.0.0.0/20", "10.0.16.0/20", "10.0.32.0/20"]
    error_message = "Private subnets are sixteenths of the range."
  }
  assert {
    condition     = [for az in var.azs : aws_subnet.public[az].cidr_block] == ["10.0.240.0/24", "10.0.241.0/24", "10.0.242.0/24"]
    error_message = "Public subnets are cut from the last sixteenth of the range."
  }
  assert {
    condition     = alltrue([for az in var.azs : aws_route_table_association.private[az].route_table_id == aws_route_table.private[az].id && aws_route_table_association.private[az].subnet_id == aws_subnet.private[az].id])
    error_message = "Each private subnet has the route table of its zone."
  }
  assert {
    condition     = length(distinct([for table in aws_route_table.private : table.id])) == 3
    error_message = "No two zones share a route table."
  }
}

run "only_public_subnets_route_to_the_internet_gateway" {
  assert {
    condition     = aws_route.internet.gateway_id == aws_internet_gateway.this.id && aws_route.internet.route_table_id == aws_route_table.public.id
    error_message = "The default route of the public subnets is the internet gateway."
  }
  assert {
    condition     = alltrue([for subnet in concat(values(aws_subnet.public), values(aws_subnet.private)) : !subnet.map_public_ip_on_launch])
    error_message = "No subnet gives out public addresses by itself."
  }
}

run "control_paths_do_not_need_the_nat" {
  assert {
    condition     = length(setsubtract(["ec2", "ssm", "logs", "monitoring"], keys(aws_vpc_endpoint.interface))) == 0
    error_message = "ec2, ssm, logs and monitoring have to be reached without the NAT."
  }
  assert {
    condition     = alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled && length(endpoint.subnet_ids) == 3])
    error_message = "Endpoints are found by the usual names, in every zone."
  }
  assert {
    condition     = toset([for endpoint in aws_vpc_endpoint.gateway : endpoint.service_name]) == toset(["com.amazonaws.eu-west-1.s3", "com.amazonaws.eu-west-1.dynamodb"]) && alltrue([for endpoint in aws_vpc_endpoint.gateway : length(endpoint.route_table_ids) == 4])
    error_message = "S3 and DynamoDB have gateways in every route table."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.endpoints.cidr_ipv4 == "10.0.0.0/16" && aws_vpc_security_group_ingress_rule.endpoints.from_port == 443 && aws_vpc_security_group_ingress_rule.endpoints.to_port == 443
    error_message = "Endpoints are for HTTPS from the VPC."
  }
  assert {
    condition     = length(aws_default_security_group.this.ingress) == 0 && length(aws_default_security_group.this.egress) == 0
    error_message = "The default security group is closed."
  }
}

run "endpoints_can_be_few" {
  variables {
    interface_endpoints = ["ec2"]
    endpoint_azs        = ["eu-west-1b"]
  }

  assert {
    condition     = keys(aws_vpc_endpoint.interface) == ["ec2"] && aws_vpc_endpoint.interface["ec2"].subnet_ids == toset([aws_subnet.private["eu-west-1b"].id])
    error_message = "interface_endpoints and endpoint_azs are followed."
  }
}

run "everything_is_tagged" {
  assert {
    condition = alltrue([
      for tags in concat(
        [aws_vpc.this.tags, aws_internet_gateway.this.tags, aws_default_security_group.this.tags, aws_route_table.public.tags, aws_security_group.endpoints.tags],
        [for r in aws_subnet.public : r.tags], [for r in aws_subnet.private : r.tags], [for r in aws_route_table.private : r.tags],
        [for r in aws_vpc_endpoint.interface : r.tags], [for r in aws_vpc_endpoint.gateway : r.tags],
      ) : try(tags["natxdp:nat"] == "egress" && tags["team"] == "network", false)
    ])
    error_message = "A resource lacks its tags."
  }
}

run "what_module_nat_gets" {
  assert {
    condition     = output.azs["eu-west-1b"] == { public_subnet_id = aws_subnet.public["eu-west-1b"].id, public_subnet_cidr = "10.0.241.0/24", route_table_ids = [aws_route_table.private["eu-west-1b"].id], private_cidrs = ["10.0.16.0/20"] }
    error_message = "azs is not what module nat takes."
  }
}

