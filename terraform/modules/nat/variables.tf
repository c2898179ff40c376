# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

variable "name" {
  description = "Name of this NAT; every resource is named and tagged after it."
  type        = string

  validation {
    # 20: a load balancer's name has 32 characters, and a zone is added to ours.
    condition     = can(regex("^[a-z][a-z0-9-]{0,18}[a-z0-9]$", var.name))
    error_message = "name must be 2 to 20 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen."
  }
}

variable "mode" {
  description = "Where default routes point: eni (the node's interface, with an internal NLB for health), eip (the same without the NLB) or gwlb (Gateway Load Balancer endpoints)."
  type        = string
  default     = "eip"

  validation {
    condition     = contains(["eni", "eip", "gwlb"], var.mode)
    error_message = "mode must be eni, eip or gwlb. A network load balancer cannot be the target of a route."
  }
}

variable "vpc_id" {
  description = "VPC of the NAT."
  type        = string

  validation {
    condition     = startswith(var.vpc_id, "vpc-")
    error_message = "vpc_id must be the id of a VPC, vpc-…"
  }
}

variable "azs" {
  description = "By availability zone: the public subnet of its node (its range is looked up if it is not given), the route tables of its private subnets, and the address ranges of the hosts that use these. Hosts of a range keep their public address when another node takes over their zone."
  type = map(object({
    public_subnet_id   = string
    public_subnet_cidr = optional(string)
    route_table_ids    = list(string)
    private_cidrs      = optional(list(string), [])
  }))

  validation {
    condition     = length(var.azs) >= 1 && length(var.azs) <= 6
    error_message = "azs must name one to six availability zones."
  }
  validation {
    condition     = alltrue([for az in keys(var.azs) : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$", az))])
    error_message = "The keys of azs must be names of availability zones such as eu-west-1a."
  }
  validation {
    condition     = alltrue([for az in values(var.azs) : startswith(az.public_subnet_id, "subnet-")])
    error_message = "public_subnet_id in azs must be the id of a subnet, subnet-…"
  }
  validation {
    condition     = alltrue([for az in values(var.azs) : az.public_subnet_cidr == null || try(cidrhost(az.public_subnet_cidr, 0) == split("/", az.public_subnet_cidr)[0] && tonumber(split("/", az.public_subnet_cidr)[1]) >= 16, false)])
    error_message = "public_subnet_cidr in azs must be the range of the subnet, such as 10.0.240.0/24, from /16 to /28."
  }
  validation {
    condition     = alltrue(flatten([for az in values(var.azs) : [for id in az.route_table_ids : startswith(id, "rtb-")]]))
    error_message = "route_table_ids in azs must be ids of route tables, rtb-…"
  }
  validation {
    condition     = length(var.azs) == 1 || var.mode == "gwlb" || alltrue([for az in values(var.azs) : length(az.private_cidrs) > 0])
    error_message = "Name in private_cidrs of each zone of azs the ranges of the hosts that use its route tables: a node that takes the zone over has to know whose public addresses it has."
  }
  validation {
    condition     = alltrue([for az in values(var.azs) : length(az.private_cidrs) <= 10]) && length(flatten([for az in values(var.azs) : az.private_cidrs])) <= 64
    error_message = "private_cidrs in azs may have ten ranges in a zone, and 64 in all: take larger ones."
  }
  validation {
    condition     = alltrue(flatten([for az in values(var.azs) : [for cidr in az.private_cidrs : can(cidrnetmask(cidr)) && try(tonumber(split("/", cidr)[1]) >= 8 && cidrhost(cidr, 0) == split("/", cidr)[0], false)]]))
    error_message = "private_cidrs in azs must be IPv4 ranges such as 10.0.16.0/20, /8 or narrower, and name the first address of the range."
  }
  validation {
    condition     = length(distinct(flatten([for az in values(var.azs) : az.private_cidrs]))) == length(flatten([for az in values(var.azs) : az.private_cidrs]))
    error_message = "A range of private_cidrs in azs can be of one zone only: the hosts of a zone have the public addresses of that zone."
  }
  validation {
    condition     = length(distinct(flatten([for az in values(var.azs) : az.route_table_ids]))) == length(flatten([for az in values(var.azs) : az.route_table_ids]))
    error_message = "A route table can have one default route: name each in one availability zone of azs only."
  }
}

variable "private_cidrs" {
  description = "Address ranges whose hosts use the NAT, beside those of azs; the only ones that its security group lets in."
  type        = list(string)

  validation {
    condition     = length(var.private_cidrs) > 0 && alltrue([for cidr in var.private_cidrs : can(cidrnetmask(cidr))])
    error_message = "private_cidrs must be one or more IPv4 ranges such as 10.0.0.0/16."
  }
  validation {
    condition     = alltrue([for cidr in var.private_cidrs : try(tonumber(split("/", cidr)[1]) >= 8, true)])
    error_message = "private_cidrs must not hold a range wider than /8: the NAT would be open to the internet."
  }
  validation {
    condition     = alltrue([for cidr in var.private_cidrs : try(cidrhost(cidr, 0) == split("/", cidr)[0], true)])
    error_message = "private_cidrs must name the first address of each range: 10.0.0.0/16, and not 10.0.1.0/16."
  }
}

variable "no_nat_cidrs" {
  description = "Destinations that are forwarded untranslated. Empty: the same as private_cidrs."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for cidr in var.no_nat_cidrs : can(cidrnetmask(cidr))])
    error_message = "no_nat_cidrs must be IPv4 ranges such as 10.0.0.0/8."
  }
  validation {
    condition     = alltrue([for cidr in var.no_nat_cidrs : try(cidrhost(cidr, 0) == split("/", cidr)[0], true)])
    error_message = "no_nat_cidrs must name the first address of each range: 10.0.0.0/8, and not 10.1.0.0/8."
  }
}

variable "architecture" {
  description = "Processor of the nodes and of the image: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "instance_type" {
  description = "Instance type of the nodes. Below 32 vCPU an instance has at most 5 Gbit/s to the internet."
  type        = string
  default     = "c7gn.medium"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]*\\.([a-z0-9]+|metal-[0-9a-z]+)$", var.instance_type))
    error_message = "instance_type must be a type such as c7gn.medium."
  }
  validation {
    # Graviton families have a g after the generation: c7g, c7gn, im4gn, x2gd.
    condition     = can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)\\.", var.instance_type)) == (var.architecture == "arm64")
    error_message = "instance_type does not have the processor that architecture asks for."
  }
  validation {
    # XDP is the ENA driver's, and these have none, or share it with Xen.
    condition     = !can(regex("^(t1|t2|m1|m2|m3|m4|c1|c3|c4|cc2|r3|r4|x1e?|i2|i3|d2|h1|f1|g2|g3s?|p2|p3|hs1|cr1)\\.", var.instance_type))
    error_message = "instance_type is of a generation before Nitro, which natxdp does not run on: take t4g, c7gn, c6in or another newer one."
  }
}

variable "ami_id" {
  description = "Image of the nodes. Exactly one of ami_id and ami_ssm_parameter is given."
  type        = string
  default     = null

  validation {
    condition     = var.ami_id == null || can(regex("^ami-[0-9a-f]+$", var.ami_id))
    error_message = "ami_id must be the id of an image, ami-…"
  }
  validation {
    condition     = (var.ami_id == null) != (var.ami_ssm_parameter == null)
    error_message = "Give exactly one of ami_id and ami_ssm_parameter."
  }
}

variable "ami_ssm_parameter" {
  description = "Name of the SSM parameter that holds the image's id; it is read whenever a node is launched."
  type        = string
  default     = null

  validation {
    condition     = var.ami_ssm_parameter == null || can(regex("^/[a-zA-Z0-9_./-]+$", var.ami_ssm_parameter))
    error_message = "ami_ssm_parameter must be the name of a parameter such as /natxdp/ami/arm64."
  }
}

variable "eips_per_az" {
  description = "Elastic IPs that the flows of one zone share. Each gives 64,512 ports a destination. In gwlb mode: of one node, 0 for addresses that change with the node."
  type        = number
  default     = 1

  validation {
    condition     = var.eips_per_az == floor(var.eips_per_az) && var.eips_per_az >= (var.mode == "gwlb" ? 0 : 1) && var.eips_per_az <= (var.mode == "gwlb" ? 1 : 8)
    error_message = "eips_per_az must be 1 to 8, or in gwlb mode 0 or 1."
  }
}

variable "eip_allocation_ids" {
  description = "Elastic IPs of your own, by availability zone, in place of new ones: eips_per_az of them for each zone."
  type        = map(list(string))
  default     = {}

  validation {
    condition     = alltrue([for id in flatten(values(var.eip_allocation_ids)) : startswith(id, "eipalloc-")])
    error_message = "eip_allocation_ids must hold allocation ids, eipalloc-…"
  }
  validation {
    condition     = length(var.eip_allocation_ids) == 0 || (var.mode != "gwlb" && toset(keys(var.eip_allocation_ids)) == toset(keys(var.azs)) && alltrue([for ids in values(var.eip_allocation_ids) : length(ids) == var.eips_per_az]))
    error_message = "eip_allocation_ids must have eips_per_az allocation ids for every zone of azs, and is for the modes eni and eip."
  }
}

variable "management_eip" {
  description = "Give each node an Elastic IP of its own for its calls to AWS, so that it can still make them after its flows' addresses have moved away. Without it, the public subnets need interface endpoints for ec2, autoscaling, monitoring, logs and ssm."
  type        = bool
  default     = true
}

variable "standby_nodes" {
  description = "A second node in each zone that only stands by (modes eni and eip). Without it the nodes of the other zones stand by."
  type        = bool
  default     = false

  validation {
    condition     = !(var.standby_nodes && var.mode == "gwlb")
    error_message = "standby_nodes is for the modes eni and eip; in gwlb mode set fleet.desired or fleet.warm."
  }
}

variable "spot_azs" {
  description = "Availability zones whose nodes are Spot instances."
  type        = list(string)
  default     = []

  validation {
    condition     = length(setsubtract(var.spot_azs, keys(var.azs))) == 0
    error_message = "spot_azs must be zones of azs."
  }
  validation {
    condition     = length(setsubtract(keys(var.azs), var.spot_azs)) > 0
    error_message = "At least one zone must stay on demand: a Spot node needs a peer that takes over."
  }
}

variable "spot_instance_types" {
  description = "Further instance types that Spot may choose from."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for type in var.spot_instance_types : can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)\\.", type)) == (var.architecture == "arm64")])
    error_message = "spot_instance_types must have the processor that architecture asks for."
  }
}

variable "fleet" {
  description = "gwlb mode: nodes of a zone (min, max, desired), stopped ones that are kept ready (warm), what one node is to carry before another one starts (connections, gigabits a second), and after how many seconds the load balancer forgets an idle flow. cross_zone lets nodes of other zones take part, which a zone whose nodes all fail needs, and costs what AWS asks for bytes between zones. stickiness is what of a packet decides about its node: 5-tuple, or source_ip_dest_ip_proto or source_ip_dest_ip, so that a host shows one address to a server."
  type = object({
    min          = optional(number, 1)
    max          = optional(number, 4)
    desired      = optional(number, 1)
    warm         = optional(number, 0)
    connections  = optional(number, 500000)
    gigabits     = optional(number, 3.5)
    idle_timeout = optional(number, 350)
    cross_zone   = optional(bool, true)
    stickiness   = optional(string, "5-tuple")
  })
  default = {}

  validation {
    condition     = var.fleet.min >= 1 && var.fleet.min <= var.fleet.desired && var.fleet.desired <= var.fleet.max
    error_message = "fleet must have 1 <= min <= desired <= max."
  }
  validation {
    condition     = alltrue([for number in [var.fleet.min, var.fleet.max, var.fleet.desired, var.fleet.warm] : number == floor(number)]) && var.fleet.warm >= 0 && var.fleet.warm <= var.fleet.max
    error_message = "fleet counts nodes in whole numbers, and keeps no more than max of them warm."
  }
  validation {
    condition     = var.fleet.connections > 0 && var.fleet.gigabits > 0
    error_message = "fleet.connections and fleet.gigabits must be more than 0: a fleet that scales by nothing runs at its maximum."
  }
  validation {
    condition     = contains(["5-tuple", "source_ip_dest_ip_proto", "source_ip_dest_ip"], var.fleet.stickiness)
    error_message = "fleet.stickiness must be 5-tuple, source_ip_dest_ip_proto or source_ip_dest_ip."
  }
  validation {
    condition     = var.fleet.idle_timeout >= 60 && var.fleet.idle_timeout <= 6000
    error_message = "fleet.idle_timeout must be 60 to 6000 seconds."
  }
  validation {
    condition     = var.fleet.warm == 0 || length(var.spot_azs) == 0
    error_message = "AWS has no warm pools for groups with Spot instances: set fleet.warm or spot_azs."
  }
}

variable "manage_routes" {
  description = "Make the default routes. false leaves the route tables as they are, for a migration: point them by hand, then import them."
  type        = bool
  default     = true
}

variable "failover_route_tables" {
  description = "With manage_routes = false: those route tables of azs whose default route leads to the nodes already, and which these therefore move when they take over from each other. Empty: nobody takes over."
  type        = set(string)
  default     = []

  validation {
    condition     = length(var.failover_route_tables) == 0 || !var.manage_routes
    error_message = "failover_route_tables goes with manage_routes = false only: otherwise the nodes move the routes of all route tables of azs."
  }
  validation {
    condition     = length(setsubtract(var.failover_route_tables, flatten([for az in values(var.azs) : az.route_table_ids]))) == 0
    error_message = "failover_route_tables must be route tables of azs."
  }
}

variable "launch_hook" {
  description = "Hold a new node until asg-lifecycle-handler (module lambda) has proven it. Required in gwlb mode, where that function switches the source/destination check off."
  type        = bool
  default     = false

  validation {
    condition     = var.launch_hook || var.mode != "gwlb"
    error_message = "gwlb mode needs launch_hook = true and module lambda: otherwise the source/destination check stays on and nodes forward nothing."
  }
}

variable "after" {
  description = "Makes the nodes wait for what this comes from: the output ready of module lambda, whose functions have to be there when the first node is held. Empty with launch_hook: Terraform does not wait for the nodes."
  type        = list(string)
  default     = []
}

variable "hook_timeout" {
  description = "Seconds that a lifecycle hook waits."
  type        = number
  default     = 300

  validation {
    condition     = var.hook_timeout >= 60 && var.hook_timeout <= 7200
    error_message = "hook_timeout must be 60 to 7200 seconds."
  }
}

variable "tracked" {
  description = "Let the security group track connections. false opens it both ways, which spares the instance's tracking allowance and leaves it to natxdp alone to drop what nobody asked for."
  type        = bool
  default     = true
}

variable "agent_port" {
  description = "TCP port of the agent's health page and metrics."
  type        = number
  default     = 9469

  validation {
    condition     = var.agent_port > 0 && var.agent_port <= 65535
    error_message = "agent_port must be a port, 1 to 65535."
  }
}

variable "peer_port" {
  description = "UDP port on which the agents talk to each other."
  type        = number
  default     = 9470

  validation {
    condition     = var.peer_port > 0 && var.peer_port <= 65535 && var.peer_port != var.agent_port
    error_message = "peer_port must be a port, 1 to 65535, and another one than agent_port."
  }
}

variable "profile" {
  description = "How the NAT behaves: aws (as the AWS NAT gateway) or rfc (for peer-to-peer, calls and games)."
  type        = string
  default     = "aws"

  validation {
    condition     = contains(["aws", "rfc"], var.profile)
    error_message = "profile must be aws or rfc."
  }
}

variable "max_flows" {
  description = "Size of the flow table; 235 bytes of memory each."
  type        = number
  default     = 262144

  validation {
    condition     = var.max_flows >= 1024 && var.max_flows <= 16777216
    error_message = "max_flows must be 1024 to 16777216."
  }
}

variable "settings" {
  description = "Further keys of natxdp.conf, such as { limit_flows = \"50000\" }."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(keys(var.settings), ["mode", "external", "standby", "inside_prefixes", "no_nat", "host_ports", "max_flows", "profile"])) == 0
    error_message = "settings must not hold mode, external, standby, inside_prefixes, no_nat, host_ports, max_flows or profile: they have variables of their own."
  }
}

variable "kms_key_arn" {
  description = "KMS key for disks, logs, the lease table and the replication key. null: the keys of AWS."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, arn:aws:kms:…:key/…; policies cannot name an alias."
  }
}

variable "deletion_protection" {
  description = "Have AWS refuse to delete the load balancer and the lease table. Apply with false before a destroy."
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "Days that CloudWatch keeps the nodes' logs."
  type        = number
  default     = 30

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a number of days that CloudWatch Logs offers, such as 30."
  }
}

variable "replication_key_version" {
  description = "Raise it to have a new key made for the replication between nodes."
  type        = number
  default     = 1

  validation {
    condition     = var.replication_key_version >= 1
    error_message = "replication_key_version must be 1 or more."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of the nodes' role."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:aws[a-z-]*:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of a policy, arn:aws:iam::…:policy/…"
  }
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}

variable "agent_settings" {
  description = "Further keys of natxdpd.conf, such as { cloudwatch_metrics = \"extended\" } or { ha_failback = \"off\" }."
  type        = map(string)
  default     = {}

  validation {
    condition     = length(setintersection(keys(var.agent_settings), ["ha_node", "ha_nodes", "ha_mode", "ha_routes", "ha_addresses", "ha_lease_table", "ha_key_parameter", "ha_key_file", "ha_group", "ha_lifecycle_hook", "ha_listener", "ha_target_groups"])) == 0
    error_message = "agent_settings must not say who the fleet is: this module writes ha_node, ha_nodes, ha_mode, ha_routes, ha_addresses, ha_lease_table, ha_key_parameter, ha_group, ha_lifecycle_hook, ha_listener and ha_target_groups."
  }
}
