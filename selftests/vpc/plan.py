# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Who is who in the miniature VPC: names, addresses, and the account as AWS sees it.

                      10.0.0.0/16, three zones                    the internet
    a1 10.0.10.11 --+                      +-- nat-a 10.0.0.10
    a2 10.0.10.12 --+                      |     slots 10.0.0.11, .12, .13
    b1 10.0.11.11 --+-- [ VPC router ] ----+-- nat-b 10.0.1.10 ...
    ...             |    a route table     +-- nat-c 10.0.2.10 ...
    aws 10.0.250.10-+    a private subnet  |
                                           +-- [ internet gateway ] --+-- s1 198.51.100.2
                                                 EIP <-> private IP   +-- s2 198.51.100.3

Slot n of every node is for the elastic IP 203.0.113.(n + 1) of zone n. At the
start each node holds that of its own zone. Pure: nothing here touches the machine.
"""

from __future__ import annotations

from dataclasses import dataclass

VPC_CIDR = "10.0.0.0/16"
REGION = "eu-central-1"
ANYWHERE = "0.0.0.0/0"
INTERNET_GATEWAY = "igw-00000000000000001"
PUBLIC_TABLE = "rtb-000000000000000f0"
API = "10.0.250.10"
API_GATEWAY = "10.0.250.1"
SERVERS = ("198.51.100.2", "198.51.100.3")
SERVER_GATEWAY = "198.51.100.1"
LEASES = "natxdp-leases"
HEALTH_PORT = 9469
PEER_PORT = 9470
GROUP = "natxdp"
ELB = f"arn:aws:elasticloadbalancing:{REGION}:123456789012:"
TARGET_GROUP = f"{ELB}targetgroup/natxdp/0000000000000001"
LISTENER = f"{ELB}listener/net/natxdp/0000000000000001/0000000000000002"


@dataclass(frozen=True)
class Zone:
    """One availability zone with its elastic IP and its private subnet."""

    index: int
    letter: str

    @property
    def name(self) -> str:
        return REGION + self.letter

    @property
    def public_ip(self) -> str:
        return f"203.0.113.{self.index + 1}"

    @property
    def allocation(self) -> str:
        return f"eipalloc-0000000000000000{self.letter}"

    @property
    def table(self) -> str:
        return f"rtb-0000000000000000{self.letter}"

    @property
    def private_subnet(self) -> str:
        return f"subnet-0000000000000001{self.letter}"

    @property
    def public_subnet(self) -> str:
        return f"subnet-0000000000000000{self.letter}"

    @property
    def gateway(self) -> str:
        """Of the public subnet."""
        return f"10.0.{self.index}.1"

    @property
    def private_cidr(self) -> str:
        return f"10.0.{10 + self.index}.0/24"

    @property
    def private_gateway(self) -> str:
        return f"10.0.{10 + self.index}.1"

    # the node of the zone

    @property
    def node(self) -> str:
        return f"nat-{self.letter}"

    @property
    def instance(self) -> str:
        return f"i-0000000000000000{self.letter}"

    @property
    def interface(self) -> str:
        return f"eni-0000000000000000{self.letter}"

    @property
    def target_group(self) -> str:
        return f"{ELB}targetgroup/natxdp-{self.letter}/000000000000000{self.letter}"

    @property
    def primary(self) -> str:
        return f"10.0.{self.index}.10"

    def slot(self, of: Zone) -> str:
        """The private address of this zone's node for the elastic IP of a zone."""
        return f"10.0.{self.index}.{11 + of.index}"

    @property
    def mac(self) -> str:
        return f"02:00:00:00:00:{10 + self.index:02x}"


@dataclass(frozen=True)
class Client:
    """A host in a private subnet. It has more addresses than one for many connections."""

    zone: Zone
    number: int  # from 1
    extra: int = 0

    @property
    def name(self) -> str:
        return f"{self.zone.letter}{self.number}"

    @property
    def instance(self) -> str:
        return f"i-000000000000000{self.number}{self.zone.letter}"

    @property
    def interface(self) -> str:
        return f"eni-000000000000000{self.number}{self.zone.letter}"

    @property
    def address(self) -> str:
        return f"10.0.{10 + self.zone.index}.{10 + self.number}"

    @property
    def addresses(self) -> list[str]:
        first = 100 + (self.number - 1) * self.extra
        return [self.address,
                *(f"10.0.{10 + self.zone.index}.{first + n}" for n in range(self.extra))]


@dataclass(frozen=True)
class Plan:
    """nodes: the zones that have a NAT; the others use the route table of the first."""

    letters: str = "abc"
    nodes: str = "abc"
    per_zone: int = 2  # clients
    extra: int = 0  # more addresses of each client

    @property
    def zones(self) -> list[Zone]:
        return [Zone(index, letter) for index, letter in enumerate(self.letters)]

    @property
    def nat_zones(self) -> list[Zone]:
        return [zone for zone in self.zones if zone.letter in self.nodes]

    def home(self, zone: Zone) -> Zone:
        """The zone whose route table a private subnet uses."""
        return zone if zone in self.nat_zones else self.nat_zones[0]

    @property
    def clients(self) -> list[Client]:
        return [Client(zone, number, self.extra)
                for zone in self.zones for number in range(1, self.per_zone + 1)]

    def standby(self, zone: Zone) -> str:
        """Of natxdp.conf: the addresses of the other zones on the node of this one."""
        return ", ".join(
            f"{zone.slot(other)} for " + " ".join(
                at.private_cidr for at in self.zones if self.home(at) == other)
            for other in self.nat_zones if other != zone) or "none"

    def world(self) -> dict:
        """The account, as standin.World.load() takes it."""
        return {
            "instances": self.instances(), "interfaces": self.interfaces(),
            "route_tables": self.route_tables(), "addresses": self.addresses(),
            "target_groups": {
                TARGET_GROUP: {"port": HEALTH_PORT,
                               "targets": {f"{zone.instance}:{HEALTH_PORT}": "initial"
                                           for zone in self.nat_zones}},
                **{zone.target_group: {"port": HEALTH_PORT, "targets": {}}
                   for zone in self.nat_zones}},
            "listeners": {LISTENER: {"weights": {zone.target_group: 100
                                                 for zone in self.nat_zones}}},
            "groups": {GROUP: {
                "minimum": len(self.nodes), "maximum": 2 * len(self.nodes),
                "desired": len(self.nodes), "hooks": ["launch", "terminate"], "tags": {},
                "instances": {zone.instance: {"zone": zone.name, "state": "InService",
                                              "health": "Healthy"} for zone in self.nat_zones}}},
            "log_groups": {"natxdp": {}},
            "parameters": {},
            "tables": {LEASES: {"key": ["az"], "items": []}},
        }

    def instances(self) -> dict:
        nodes = {zone.instance: {
            "zone": zone.name, "subnet": zone.public_subnet, "source_dest_check": False,
            "tags": {"Name": zone.node, "natxdp": "node"}} for zone in self.nat_zones}
        return nodes | {client.instance: {
            "zone": client.zone.name, "subnet": client.zone.private_subnet, "type": "t4g.micro",
            "tags": {"Name": client.name, "natxdp": "probe"}} for client in self.clients}

    def interfaces(self) -> dict:
        nodes = {zone.interface: {
            "zone": zone.name, "subnet": zone.public_subnet, "instance": zone.instance,
            "source_dest_check": False, "tags": {"Name": zone.node},
            "addresses": [zone.primary, *(zone.slot(other) for other in self.nat_zones)],
        } for zone in self.nat_zones}
        return nodes | {client.interface: {
            "zone": client.zone.name, "subnet": client.zone.private_subnet,
            "instance": client.instance, "tags": {"Name": client.name},
            "addresses": client.addresses} for client in self.clients}

    def route_tables(self) -> dict:
        tables = {PUBLIC_TABLE: {
            "subnets": [zone.public_subnet for zone in self.zones], "tags": {"Name": "public"},
            "routes": {VPC_CIDR: {"GatewayId": "local"},
                       ANYWHERE: {"GatewayId": INTERNET_GATEWAY}}}}
        for zone in self.nat_zones:
            tables[zone.table] = {
                "subnets": [other.private_subnet for other in self.zones
                            if self.home(other) == zone],
                "tags": {"Name": f"private-{zone.letter}", "natxdp:zone": zone.name},
                "routes": {VPC_CIDR: {"GatewayId": "local"},
                           ANYWHERE: {"NetworkInterfaceId": zone.interface}}}
        return tables

    def addresses(self) -> dict:
        return {zone.allocation: {
            "public_ip": zone.public_ip, "interface": zone.interface,
            "private_address": zone.slot(zone), "tags": {"natxdp:zone": zone.name},
            "association": f"eipassoc-0000000000000000{zone.letter}"} for zone in self.nat_zones}


def failover(plan: Plan, zone: Zone) -> dict[str, object]:
    """The ha_* keys of natxdpd.conf on the node of a zone; none if it has no peers."""
    zones = plan.nat_zones
    if len(zones) < 2:
        return {}
    return {
        "ha_node": zone.node,
        "ha_nodes": ",\n\t".join(f"{at.node} {at.name} {at.primary}:{PEER_PORT} auto "
                                 f"{at.interface}" for at in zones),
        "ha_routes": ",\n\t".join(f"{at.name} {at.table} {ANYWHERE}" for at in zones),
        "ha_addresses": ",\n\t".join(
            f"{at.name} {at.allocation} " + " ".join(f"{on.node}={on.slot(at)}" for on in zones)
            for at in zones),
        "ha_lease_table": LEASES,
    }


def weighted(plan: Plan) -> dict[str, object]:
    """Keys of Fleet(ha=...): as failover(), with a load balancer whose listener weighs the zones."""
    return {"mode": "eni", "listener": LISTENER,
            "target_groups": ",\n\t".join(f"{zone.name} {zone.target_group}"
                                          for zone in plan.nat_zones)}
