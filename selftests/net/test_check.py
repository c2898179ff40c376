# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""natxdp check: what it sees of a host, that it changes nothing, and its exit status."""

import json
import socket

import pytest
from lab import Lab
from probes import helper

PERMISSION, INTERFACE, KERNEL, STATE = 3, 4, 5, 6


@pytest.fixture
def bare(two_armed_lab: Lab):
    with two_armed_lab.scope():
        yield two_armed_lab
        two_armed_lab.box.run("unload", "--all", check=False)


def check(lab: Lab, status: int, *options: object) -> dict[str, dict]:
    """The findings by name, the last of each."""
    done = lab.box.run("check", "eth0", "--inside", "eth1", "--json", *options, check=False)
    assert done.returncode == status, done
    result = json.loads(done.stdout)
    assert (result["ready"], result["status"]) == (status == 0, status)
    return {entry["name"]: entry for entry in result["checks"]}


def test_a_fresh_host(bare: Lab) -> None:
    before = bare["nat"].sysctl("net.ipv4.ip_forward")
    found = check(bare, 0)
    assert found["net/ipv4/ip_forward"]["level"] == "load"
    assert found["net/ipv4/ip_forward"]["mend"] == "sysctl -w net/ipv4/ip_forward='1'"
    assert found["eth0 driver"]["found"].startswith("veth ")
    assert found["eth1 mtu"]["found"] == "1500"
    # it has none: those of the machine's own eth0, which /sys here shows, are another's
    assert "eth0 irqs" not in found
    assert found["route"]["level"] == "ok"
    assert found["gateway"]["found"].startswith("203.0.113.254, ")
    assert found["netfilter nat"]["level"] == "ok"
    assert bare["nat"].sysctl("net.ipv4.ip_forward") == before
    assert not bare.box.pin_dir.exists()


def test_the_commands_it_gives_mend(bare: Lab) -> None:
    for name, entry in check(bare, 0).items():
        if name.startswith("net/"):
            bare["nat"].run("sh", "-c", entry["mend"])
    found = check(bare, 0)
    assert found["sysctls"]["level"] == "ok"
    bare["nat"].sysctl("net.ipv4.ip_forward", 0)
    for dev in ("eth0", "eth1"):
        bare["nat"].sysctl(f"net.ipv4.conf.{dev}.accept_local", 0)
    bare["nat"].sysctl("net.ipv4.ip_local_port_range", "32768 60999")


def test_under_a_nat_that_runs(bare: Lab) -> None:
    """Its own program and its own sysctls are as they should be."""
    bare.box.load()
    found = check(bare, 0)
    assert found["eth0 other XDP"]["level"] == "ok"
    assert found["sysctls"]["level"] == "ok"


def test_another_program(bare: Lab) -> None:
    bare["nat"].run(helper("xdp_pass"), "eth1")
    try:
        entry = check(bare, STATE)["eth1 other XDP"]
        assert (entry["level"], entry["mend"].split(" (")[0]) == (
            "fail",
            "ip link set dev eth1 xdp off",
        )
    finally:
        bare["nat"].ip("link set dev eth1 xdp off")
    check(bare, 0)


def test_listening_sockets(bare: Lab) -> None:
    for kind, port in ((socket.SOCK_STREAM, 8443), (socket.SOCK_DGRAM, 5353)):
        sock = bare["nat"].socket(socket.AF_INET, kind)
        sock.bind(("0.0.0.0", port))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        entry = check(bare, 0)["host ports"]
        assert entry["level"] == "warn" and f"port {port}" in entry["found"]
        assert check(bare, 0, "--host-ports", f"22, {port}")["host ports"]["level"] == "ok"
        sock.close()
    sock = bare["nat"].socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", 8444))
    sock.listen()
    assert check(bare, 0)["host ports"]["level"] == "ok"


def test_routes_and_links(bare: Lab) -> None:
    nat = bare["nat"]
    nat.ip("route del default")
    try:
        assert check(bare, INTERFACE)["route"]["found"] == "there is none"
        nat.ip("route add default via 10.77.0.254")
        assert check(bare, INTERFACE)["route"]["found"] == "leads out by another interface"
        nat.ip("route del default")
    finally:
        nat.ip("route add default via 203.0.113.254")
    nat.ip("link set eth1 down")
    try:
        assert check(bare, INTERFACE)["eth1 link"]["level"] == "fail"
    finally:
        nat.ip("link set eth1 up")


def test_nat_of_netfilter(bare: Lab) -> None:
    nat = bare["nat"]
    nat.run("nft", "table ip old { chain post { type nat hook postrouting priority 100; masquerade; }; }")
    try:
        entry = check(bare, 0)["netfilter nat"]
        assert (entry["level"], entry["found"]) == ("warn", "1 chains, one in old")
    finally:
        nat.run("nft", "delete table ip old")


def test_without_privileges(bare: Lab) -> None:
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *bare.box.command("check", "eth0", "--json")]
    done = bare["nat"].run(*command, check=False)
    assert done.returncode == PERMISSION, done
    levels = {entry["name"]: entry["level"] for entry in json.loads(done.stdout)["checks"]}
    assert levels["capabilities"] == "fail"


def test_text_has_a_line_for_each(bare: Lab) -> None:
    lines = bare.box.run("check", "eth0").stdout.splitlines()
    assert {line.split()[0] for line in lines} <= {"ok", "load", "warn", ">"}
    assert any(line.startswith("ok    kernel") for line in lines)
