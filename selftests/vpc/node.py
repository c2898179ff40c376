# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A NAT node: a namespace with one interface, natxdp, the agent, and its metadata service."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

import plan as plans
from cloud import NodeImds
from lab import BUILD, Lab, Namespace, reap, remove_traces, run, wait_until

NATXDP = BUILD / "natxdp"
NATXDPD = Path(os.environ.get("NATXDP_TEST_AGENT", BUILD / "natxdpd"))
ENI_MTU = 3498  # what ENA lets an XDP program have, see natxdp(8)


class Node:
    """As long as it is on, `ns` is its namespace.

    nat, conf  options of `natxdp load` and keys of natxdpd.conf, beside those
               that every node has; to be changed before power_on()
    """

    def __init__(self, vpc, zone: plans.Zone) -> None:
        self.vpc, self.zone = vpc, zone
        self.lab: Lab = vpc.lab
        self.name = zone.node
        self.pin_dir = self.lab.pin_dir.with_name(f"{self.lab.pin_dir.name}-{self.name}")
        self.dir = self.lab.scratch / self.name
        self.ns: Namespace | None = None
        self.imds: NodeImds | None = None
        self.agent: subprocess.Popen | None = None
        self.nat: dict[str, object] = {
            "external": zone.slot(zone), "standby": vpc.plan.standby(zone),
            "max-flows": 131072, "tcp-established-timeout": 3600,
        }
        self.conf: dict[str, object] = {
            "pin_dir": self.pin_dir, "user": "nobody", "imds": "on", "imds_interval": 1,
            "aws_endpoint": vpc.cloud.url, "aws_region": plans.REGION, "aws_timeout": 5,
            "interval": 10, "sample": 1, "scan": 1,
            "http_listen": f"{zone.primary}:{plans.HEALTH_PORT}",
            **plans.failover(vpc.plan, zone), "ha_key_file": vpc.key_file,
        }
        self.lab.stack.callback(self.power_off)

    # ---- the machine

    def power_on(self, agent: bool = True) -> None:
        """From nothing to a node that is up; it holds what the account says."""
        assert not self.ns, f"{self.name} is on"
        self.ns = self.lab.host(self.name)
        item = self.vpc.cloud.world.interfaces[self.zone.interface]
        self.vpc.router.attach(self.ns, item["addresses"], self.zone.gateway,
                               plans.PUBLIC_TABLE, ENI_MTU, xdp=True, mac=self.zone.mac)
        self.vpc.router.check(self.name, item.get("source_dest_check", True))
        self.imds = NodeImds(self.vpc.cloud, self.zone, self.ns)
        self.dir.mkdir(exist_ok=True)
        self.dir.chmod(0o777)
        self.load(agent)
        if agent:
            self.start_agent()

    def power_off(self) -> None:
        """The namespace is gone with all that is in it, the cable first."""
        if not self.ns:
            return
        ns, self.ns = self.ns, None
        self.vpc.router.detach(self.name)
        ns.remove()
        self.end_agent()
        self.imds.stop()
        remove_traces(self.pin_dir.name)

    @property
    def on(self) -> bool:
        return self.ns is not None

    def link(self, up: bool) -> None:
        """The interface of the node, from the node's side."""
        self.ns.ip(f"link set eth0 {'up' if up else 'down'}")
        if up:
            self.ns.ip(f"route replace default via {self.zone.gateway}")
            self.vpc.router.apply_routes()

    # ---- natxdp

    def natxdp_command(self, *arguments: object) -> list[str]:
        return [str(NATXDP), *map(str, arguments), "--pin-dir", str(self.pin_dir)]

    def natxdp(self, *arguments: object, check: bool = True) -> subprocess.CompletedProcess:
        return self.ns.run(*self.natxdp_command(*arguments), check=check)

    def json(self, *arguments: object):
        return json.loads(self.natxdp(*arguments, "--json").stdout)

    def load(self, agent: bool = True) -> None:
        """As deployed. Without an agent nobody says which addresses are here, but the test."""
        given = dict(self.nat)
        if not agent:
            given |= {"standby": "none", "external": ",".join(
                self.zone.slot(other) for other in self.vpc.plan.nat_zones)}
        self.natxdp("load", "eth0", *(word for key, value in given.items()
                                      for word in (f"--{key}", value)))
        if not agent:
            self.rest_foreign_slots()

    def rest_foreign_slots(self) -> None:
        """New flows only from the node's own elastic IP."""
        for other in self.vpc.plan.nat_zones:
            verb = "undrain" if other == self.zone else "drain"
            self.natxdp("pools", verb, self.zone.slot(other))

    def flows(self, *filters: object) -> list[dict]:
        return self.json("flows", *filters)

    def reasons(self) -> dict[str, int]:
        """Packets by what became of them."""
        return {name: item["packets"] for name, item in self.json("stats")["reasons"].items()}

    # ---- the agent

    def natxdpd_command(self, *arguments: object) -> list[str]:
        return [str(NATXDPD), "-c", str(self.dir / "natxdpd.conf"), *map(str, arguments)]

    def start_agent(self) -> None:
        file = self.dir / "natxdpd.conf"
        file.write_text("".join(f"{key} = {value}\n" for key, value in self.conf.items()))
        self.lab.scratch.chmod(0o755)
        self.log = open(self.dir / "log", "a")
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("AWS_") and "proxy" not in name.lower()}
        self.agent = self.ns.spawn(*self.natxdpd_command(), stdout=self.log,
                                   stderr=subprocess.STDOUT,
                                   env=environment | {"ASAN_OPTIONS": "detect_leaks=0"})
        wait_until(self.agent_answers, f"the agent of {self.name} answers", 30)

    def agent_answers(self) -> bool:
        assert self.agent.poll() is None, self.messages()
        return self.get("/status")[0] == 200

    def get(self, path: str) -> tuple[int, str]:
        """Status 0: no answer."""
        url = f"http://{self.zone.primary}:{plans.HEALTH_PORT}{path}"
        done = self.ns.run("curl", "-sg", "-m", "2", "-w", "\n%{http_code}", url, check=False)
        text, _, status = done.stdout.rpartition("\n")
        return int(status or 0), text

    def status(self) -> dict:
        return json.loads(self.get("/status")[1])

    def metrics(self) -> dict[str, float]:
        """Those without labels of their own, by name."""
        lines = [line.split(" ") for line in self.get("/metrics")[1].splitlines() if line[:1] != "#"]
        return {words[0].partition("{")[0]: float(words[1]) for words in lines}

    def messages(self) -> str:
        file = self.dir / "log"
        return file.read_text() if file.exists() else ""

    def signal_agent(self, number: int) -> None:
        self.agent.send_signal(number)

    def end_agent(self) -> None:
        if self.agent:
            reap(self.agent)
            self.agent = None
            self.log.close()

    # ---- what goes wrong

    def kill_agent(self) -> None:
        """kill -9 of natxdpd alone."""
        self.signal_agent(signal.SIGKILL)
        self.agent.wait()
        self.end_agent()

    def crash(self) -> None:
        """As a kernel that has panicked: nothing answers, but the instance still runs."""
        self.vpc.router.ns.ip(f"link set {self.name} down")
        if self.agent:
            self.kill_agent()

    def recover(self) -> None:
        """After a crash: as a reboot, natxdp with an empty table and a new agent."""
        self.power_off()
        self.power_on()

    def wedge(self) -> None:
        """The program is detached, and nothing but the agent is left to notice."""
        for pid in run("pgrep", "-f", f"natxdp watch.*{self.pin_dir}", check=False).stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        run("bpftool", "link", "detach", "pinned", self.pin_dir / "links" / "eth0")
