# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The failover policy of an agent against the stand-in (see policy_node.c), and its fleet."""

import json
import os
import subprocess
import time

import account
from driver import BUILD

LEASES = "egress-lease"
ZONE = {zone: f"eu-central-1{zone}" for zone in account.ZONES}
NODE = {zone: f"nat-{zone}" for zone in account.ZONES}
NUMBER = {zone: number for number, zone in enumerate(account.ZONES)}


def private(address, node):
    """The private address that the elastic IP of a zone has on the node of a zone."""
    return f"10.0.{NUMBER[node]}.{11 + NUMBER[address]}"


def lease(owner, epoch, **more):
    return {"owner": {"S": owner}, "epoch": {"N": str(epoch)}, "since": {"S": "2026-01-01T00:00:00Z"},
            "reason": {"S": "first"}, "witness": {"N": "0"},
            **{name: {"S": value} for name, value in more.items()}}


def world(epoch=5):
    """Each zone is with its own node, in an epoch that nobody has by chance."""
    state = account.world()
    for zone in account.ZONES:
        state["interfaces"][account.INTERFACES[zone]]["addresses"] = [
            f"10.0.{NUMBER[zone]}.10", *(private(other, zone) for other in account.ZONES)]
        state["addresses"][account.ADDRESSES[zone]]["private_address"] = private(zone, zone)
    state["tables"] = {LEASES: {"key": ["az"], "items": [
        {"az": {"S": ZONE[zone]}, **lease(NODE[zone], epoch)} for zone in account.ZONES]}}
    return state


def configuration(standin, letter, **changes):
    keys = {
        "aws_region": standin.region, "aws_endpoint": standin.url, "ha_node": NODE[letter],
        "ha_nodes": ",\n\t".join(f"{NODE[z]} {ZONE[z]} 127.0.0.1:{NUMBER[z] + 1} auto "
                              f"{account.INTERFACES[z]}" for z in account.ZONES),
        "ha_mode": "eni",
        "ha_routes": ",\n\t".join(f"{ZONE[z]} {account.TABLES[z]} 0.0.0.0/0" for z in account.ZONES),
        "ha_addresses": ",\n\t".join(
            f"{ZONE[z]} {account.ADDRESSES[z]} "
            + " ".join(f"{NODE[on]}={private(z, on)}" for on in account.ZONES)
            for z in account.ZONES),
        "ha_lease_table": LEASES, "ha_key_file": "/not/read/here",
        "ha_listener": account.LISTENER,
        "ha_target_groups": ",\n\t".join(f"{ZONE[z]} {account.GROUPS[z]}" for z in account.ZONES),
        "ha_heartbeat": 0.1, "ha_suspicion": 3, "ha_damping": 600, "ha_budget": 8, **changes}
    return "".join(f"{key} = {value}\n" for key, value in keys.items())


class PolicyNode:
    """Runs under ASan and UBSan. Its calls are signed with a key of its own, .key"""

    def __init__(self, standin, directory, letter="b", **changes):
        self.standin, self.letter = standin, letter
        self.key = f"AKIDNODE{letter.upper()}"
        standin.keys[self.key] = (f"secret+{letter}", None, None)
        self.file = directory / f"natxdpd-{letter}.conf"
        self.file.write_text(configuration(standin, letter, **changes))
        self.log_file = directory / f"log-{letter}"
        self.start()

    def start(self):
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith("AWS_") and "proxy" not in name.lower()}
        with open(self.log_file, "a") as log:
            self.process = subprocess.Popen(
                [str(BUILD / "selftests/aws/policy_node"), str(self.file)], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log, text=True,
                env={**clean, "AWS_ACCESS_KEY_ID": self.key,
                     "AWS_SECRET_ACCESS_KEY": self.standin.keys[self.key][0]})
        line = self.process.stdout.readline()
        assert line, self.log
        self.state = json.loads(line)

    def say(self, *words):
        """Returns the status after it."""
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, self.log
        self.state = json.loads(line)
        return self.state

    def zone(self, letter):
        return self.say("status")["zones"][NUMBER[letter]]

    def owns(self, letter):
        return self.zone(letter)["state"] == "owner"

    def wait(self, condition, what, timeout=30):
        end = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < end, f"in vain: {what}; {self.state}\n{self.log}"
            time.sleep(0.02)

    def wait_owner(self, letter, timeout=30):
        self.wait(lambda: self.owns(letter), f"{NODE[self.letter]} owns zone {letter}", timeout)

    @property
    def log(self):
        return self.log_file.read_text()

    def calls(self, action=None):
        return [entry for entry in self.standin.calls(action) if entry.key == self.key]

    def kill(self):
        """As a crash at this moment."""
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(30)
            finally:
                self.process.kill()
        assert self.process.returncode in (0, -9), self.log
