# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""API calls by hand: botocore's client, which is not ours."""

from __future__ import annotations

import botocore.session
import plan as plans
from botocore.config import Config

KEYS = {"aws_access_key_id": "AKIDSTANDIN", "aws_secret_access_key": "secret/standin+key"}
SESSION = botocore.session.get_session()


def client(vpc, service: str):
    known = vpc.__dict__.setdefault("api_clients", {})
    if service not in known:
        known[service] = SESSION.create_client(
            service, region_name=plans.REGION, endpoint_url=vpc.cloud.local.url, **KEYS,
            config=Config(retries={"max_attempts": 0}, proxies={}))
    return known[service]


def replace_route(vpc, table: str, interface: str) -> None:
    client(vpc, "ec2").replace_route(
        RouteTableId=table, DestinationCidrBlock=plans.ANYWHERE, NetworkInterfaceId=interface)


def associate(vpc, allocation: str, interface: str, private: str) -> None:
    client(vpc, "ec2").associate_address(
        AllocationId=allocation, NetworkInterfaceId=interface, PrivateIpAddress=private,
        AllowReassociation=True)


def move_zone(vpc, zone: plans.Zone, to: plans.Zone) -> None:
    """What a failover has to do at least."""
    associate(vpc, zone.allocation, to.interface, to.slot(zone))
    replace_route(vpc, zone.table, to.interface)
