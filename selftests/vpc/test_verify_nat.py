# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""scripts/verify_nat.sh on the miniature VPC: real packets, metrics that agents sent, a failover.

Its two runs take a second a call of Debian's awscli, hence the time.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import plan as plans
import pytest
from calls import KEYS
from fleet import Fleet
from lab import wait_until

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "verify_nat.sh"
# What CHECK_URL is on the internet: it answers with the address that it sees.
WHO = """
import http.server
class Who(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.client_address[0].encode())
http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Who).serve_forever()
"""


def outputs(vpc: Fleet) -> dict:
    """As `terraform output -json` of an environment has them."""
    zones = vpc.plan.nat_zones
    return {"region": {"value": plans.REGION}, "nat": {"value": {
        "name": "mini", "mode": "eip", "autoscaling_groups": {"all": plans.GROUP},
        "network_interface_ids": {zone.name: zone.interface for zone in zones},
        "route_tables": {zone.table: zone.name for zone in zones},
        "public_ips": {zone.name: [zone.public_ip] for zone in zones},
        "probes": {client.zone.name: client.instance for client in vpc.plan.clients
                   if client.number == 1}}}}  # fmt: skip


def verify(vpc: Fleet) -> str:
    file = vpc.lab.scratch / "outputs"
    file.write_text(json.dumps(outputs(vpc)))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"AWS_ACCESS_KEY_ID": KEYS["aws_access_key_id"],
                    "AWS_SECRET_ACCESS_KEY": KEYS["aws_secret_access_key"],
                    "AWS_ENDPOINT_URL": vpc.cloud.local.url, "NAT_OUTPUTS": str(file),
                    "CHECK_URL": f"http://{plans.SERVERS[0]}:8080/", "AWS": "/usr/bin/aws",
                    "PATIENCE": "30"}  # fmt: skip
    done = subprocess.run([SCRIPT, "mini"], env=environment, capture_output=True, text=True,
                          timeout=200, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0 and ", 0 wrong\n" in done.stdout, said + vpc.explain()
    return done.stdout


@pytest.fixture
def fleet():
    with Fleet(letters="ab", nodes="ab", per_zone=1) as vpc:
        def on_instance(instance: str, lines: list[str]) -> tuple[int, str, str]:
            node = vpc.node_named(vpc.cloud.world.instances[instance]["tags"]["Name"])
            if not node:
                return vpc.run_command(instance, lines)
            done = node.natxdp(*lines[0].split()[1:], check=False)  # with this node's pins
            return done.returncode, done.stdout, done.stderr

        for node in vpc.nodes.values():
            node.conf |= {"nat_id": "mini", "cloudwatch_metrics": "basic", "interval": 5}
        vpc.cloud.world.run_command = on_instance
        vpc.power_on()
        who = vpc.servers["s1"].spawn("python3", "-c", WHO)
        yield vpc
        who.kill()
        who.wait()
        vpc.assert_no_leak()


def has_metrics(vpc: Fleet) -> bool:
    sent = {dimension["Value"] for metric in vpc.cloud.world.metrics
            if metric["MetricName"] == "BytesOutToDestination" for dimension in metric["Dimensions"]}
    return {zone.name for zone in vpc.plan.nat_zones} <= sent


def test_it_says_what_works_and_what_has_moved(fleet: Fleet) -> None:
    wait_until(lambda: has_metrics(fleet), "all agents have sent metrics", 60)
    said = verify(fleet)
    assert "moved" not in said
    for zone in fleet.plan.nat_zones:
        assert f"seen as {zone.public_ip}, expected {zone.public_ip}" in said
    fleet.failover("b", "to", "nat-b", "eu-central-1a")
    wait_until(lambda: fleet.holders()["a"] == ("b", "b"), "nat-b has zone a", 60)
    said = verify(fleet)
    [moved] = [line for line in said.splitlines() if line.startswith("moved")]
    assert plans.Plan().zones[0].table in moved and "a failover" in moved
