# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Somebody takes the NAT's program off its interfaces: nothing leaves untranslated, no
connection is reset, and the packets are counted. With the program back all goes on.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest
from capture import Capture
from conftest import nat_in
from lab import Lab, run, wait_until
from probes import HttpServer, curl, listener, tcp_pair

PORT = 8080
HOST_PORT = 61_000  # one that the host keeps for itself
RESET = "tcp[tcpflags] & tcp-rst != 0"
UNREACHABLE = "icmp[icmptype] == icmp-unreach"


WAYS = ("two-armed-xdp", "two-armed-tc", "one-armed-xdp", "one-armed-tc")


def nat_at(way: str, request: pytest.FixtureRequest) -> Iterator[Lab]:
    arms, hook = way.rsplit("-", 1)
    lab = request.getfixturevalue("two_armed_lab" if arms == "two-armed" else "one_armed_lab")
    before, lab.box.hook = lab.box.hook, hook
    yield from nat_in(lab, request)
    lab.box.hook = before


@pytest.fixture(params=WAYS)
def any_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    yield from nat_at(request.param, request)


@pytest.fixture(params=["two-armed-xdp", "one-armed-tc"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    yield from nat_at(request.param, request)


def take_off(lab: Lab) -> None:
    """Nobody is left to put it back."""
    box = lab.box
    box.audit = None  # what meets no program of the NAT is not counted, ARP for one
    run("pkill", "-9", "-f", f"natxdp watch.*{box.pin_dir}", check=False)
    for wire in box.wires:
        if box.hook == "tc":
            box.ns.run("tc", "filter", "del", "dev", wire.dev, "ingress", "pref", "1")
        else:
            run("bpftool", "link", "detach", "pinned", box.pin_dir / "links" / wire.dev)


def is_guarded(lab: Lab, dev: str) -> bool:
    """By the last of the filters there."""
    shown = lab.box.ns.run("tc", "-j", "filter", "show", "dev", dev, "ingress").stdout
    names = [item["options"]["bpf_name"] for item in json.loads(shown or "[]")
             if "bpf_name" in item.get("options", {})]
    return names[-1].startswith("natxdp_guard")


def qdiscs(lab: Lab, dev: str) -> list[str]:
    shown = lab.box.ns.run("tc", "-j", "qdisc", "show", "dev", dev).stdout
    return [item["kind"] for item in json.loads(shown)]


def dropped(lab: Lab) -> int:
    return lab.box.packets("drop_detached")


def test_connections_outlive_the_program(any_lab: Lab) -> None:
    lab = any_lab
    with tcp_pair(lab["c1"], lab["s1"], lab.server, PORT) as (near, far):
        near.sendall(b"before")
        assert far.recv(100) == b"before"
        answers = [Capture(lab[role], "eth0", f"({RESET}) or ({UNREACHABLE})")
                   for role in ("c1", "s1")]
        take_off(lab)
        far.sendall(b"down")
        wait_until(lambda: dropped(lab) >= 2, "the answers are dropped, and sent again", 20)
        near.sendall(b"up")
        with lab["c1"].socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            for _ in range(20):
                udp.sendto(b"x", (lab.server, PORT))
        wait_until(lambda: dropped(lab) >= 24, "what was to be translated is dropped", 20)
        assert [frame for capture in answers for frame in capture.frames()] == []
        lab.box.load(audit=False)
        assert far.recv(100) == b"up"
        near.settimeout(20)
        assert near.recv(100) == b"down"
        settled = dropped(lab)
        near.sendall(b"after")
        assert far.recv(100) == b"after"
        assert dropped(lab) == settled
        assert [frame for capture in answers for frame in capture.frames()] == []


def reach_the_host(lab: Lab, external: str) -> None:
    assert curl(lab["s1"], f"http://{external}:{PORT}/") == b"hello"
    with listener(lab["nat"], HOST_PORT) as listening:
        with lab["s1"].socket(socket.AF_INET, socket.SOCK_STREAM) as client:
            client.settimeout(10)
            client.connect((external, HOST_PORT))
            listening.accept()[0].close()


def test_the_host_is_still_reached(lab: Lab) -> None:
    """On a port of its own, and where a socket of it hears; with the program, and without."""
    external = lab.box.status()["external"][0]["address"]
    HttpServer(lab["nat"], PORT, b"hello")
    reach_the_host(lab, external)
    take_off(lab)
    reach_the_host(lab, external)
    assert not dropped(lab)


def test_it_comes_and_goes_with_the_nat(lab: Lab) -> None:
    for wire in lab.box.wires:
        assert is_guarded(lab, wire.dev)
    lab.box.unload()
    for wire in lab.box.wires:
        assert "clsact" not in qdiscs(lab, wire.dev)
    lab.box.load(audit=False)


def test_filters_of_others_stay(lab: Lab) -> None:
    dev = lab.box.wires[0].dev
    lab.box.unload()
    lab.box.ns.run("tc", "qdisc", "add", "dev", dev, "clsact")
    try:
        lab.box.ns.run("tc", "filter", "add", "dev", dev, "ingress", "pref", "50000", "bpf",
                       "bytecode", "1,6 0 0 0")
        lab.box.load(audit=False)
        assert is_guarded(lab, dev)
        lab.box.unload()
        left = lab.box.ns.run("tc", "filter", "show", "dev", dev, "ingress").stdout
        assert "pref 50000" in left and "natxdp" not in left
    finally:
        lab.box.ns.run("tc", "qdisc", "del", "dev", dev, "clsact")


def test_verify_misses_it(lab: Lab) -> None:
    lab.box.audit = None
    dev = lab.box.wires[0].dev
    assert not lab.box.run("verify", check=False).returncode
    lab.box.ns.run("tc", "filter", "del", "dev", dev, "ingress", "pref", "2")
    done = lab.box.run("verify", "--json", check=False)
    assert done.returncode
    wrong = [item for item in json.loads(done.stdout)["checks"] if item["result"] != "ok"]
    assert [(item["check"], item["what"]) for item in wrong] == [("guard", dev)]
    lab.box.run("verify", "--repair")
    assert is_guarded(lab, dev)
    assert not lab.box.run("verify", check=False).returncode


def test_unloaded_from_another_namespace(lab: Lab) -> None:
    """It goes where the NAT was loaded, and puts all back there."""
    lab.box.audit = None
    nat, dev = lab.box.ns, lab.box.wires[0].dev
    assert is_guarded(lab, dev)
    assert nat.sysctl("net.ipv4.ip_forward") == "1"
    before = lab["c1"].sysctl("net.ipv4.ip_forward")
    done = lab["c1"].run(*lab.box.command("unload", "--all"))
    assert done.stderr == ""
    assert "natxdp" not in nat.run("tc", "filter", "show", "dev", dev, "ingress").stdout
    assert "clsact" not in nat.run("tc", "qdisc", "show").stdout
    assert nat.sysctl("net.ipv4.ip_forward") == "0"
    assert nat.sysctl(f"net.ipv4.conf.{dev}.accept_local") == "0"
    assert lab["c1"].sysctl("net.ipv4.ip_forward") == before
    assert not lab.leaks.frames()
