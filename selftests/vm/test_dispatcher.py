# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""natxdp behind libxdp's dispatcher, beside xdp-filter; the network is in inner.py."""

from __future__ import annotations

import json
from collections.abc import Iterator

import inner
import pytest
from guest import Guest
from inner import EXTERNAL, IN_NAT, PORT, SERVER, natxdp, seen

STATE = 6
LOAD = f"{IN_NAT} natxdp load eth0 --inside eth1 --dispatcher"
UNLOAD = f"{IN_NAT} natxdp unload --all"
DEVS = ("eth0", "eth1")


@pytest.fixture(scope="module")
def network(guest: Guest) -> Guest:
    inner.build(guest)
    return guest


@pytest.fixture
def nat(network: Guest) -> Iterator[Guest]:
    network.run(LOAD)
    yield network
    network.run(f"{IN_NAT} xdp-filter unload --all", check=False)
    network.run(UNLOAD)
    assert programs(network) == {dev: [] for dev in DEVS}


@pytest.fixture
def bare(network: Guest) -> Iterator[Guest]:
    yield network
    network.run(f"{IN_NAT} xdp-filter unload --all", check=False)
    network.run(UNLOAD)


def programs(guest: Guest) -> dict[str, list[str]]:
    """The names of those that run on each interface of the NAT, in their order."""
    found: dict[str, list[str]] = {}
    words: list[str] = []
    dev = ""
    for line in guest.run(f"{IN_NAT} xdp-loader status").output.splitlines():
        words = line.split()
        if words[:1] == ["=>"]:
            found[dev].append(words[2])
        elif words and words[0] in DEVS:
            dev = words[0]
            alone = [] if words[1] in ("<No", "xdp_dispatcher") else [words[1]]
            found[dev] = alone
    return found


def works(guest: Guest) -> bool:
    seen(guest, "udp")
    done = guest.run(f"ip netns exec client talk udp {SERVER} {PORT} 1", check=False)
    return done.status == 0 and [address for address, _ in seen(guest, "udp")] == [EXTERNAL]


OURS = {"eth0": ["natxdp_outside"], "eth1": ["natxdp_inside"]}


def test_load_and_unload(nat: Guest) -> None:
    status = natxdp(nat, "status")
    assert (status["active"], status["dispatcher"], status["xdp_mode"]) == (True, True, "native")
    assert programs(nat) == OURS
    assert nat.run(f"ip netns exec client talk tcp {SERVER} {PORT} 300000").status == 0
    assert works(nat)
    done = nat.run(f"{IN_NAT} natxdp check eth0 --inside eth1 --dispatcher --json 2>/dev/null", check=False)
    found = {entry["name"]: entry["level"] for entry in json.loads(done.output)["checks"]}
    assert found["eth0 other XDP"] == "ok"


def test_xdp_filter_joins_and_leaves(nat: Guest) -> None:
    """It runs before: what it drops the NAT does not see."""
    nat.run(f"{IN_NAT} xdp-filter load -p allow eth1")
    assert programs(nat)["eth1"] == ["xdpfilt_alw_all", "natxdp_inside"]
    assert natxdp(nat, "status")["active"] is True
    assert works(nat)
    before = natxdp(nat, "stats")["reasons"]
    nat.run(f"{IN_NAT} xdp-filter ip 10.77.0.2 -m src")
    nat.run(f"ip netns exec client busybox ping -c 2 -W 1 {SERVER}", check=False)
    assert natxdp(nat, "stats")["reasons"]["out_forwarded"] == before["out_forwarded"]
    nat.run(f"{IN_NAT} xdp-filter unload eth1")
    assert programs(nat) == OURS
    assert works(nat)


def test_xdp_filter_was_first_and_stays(bare: Guest) -> None:
    bare.run(f"{IN_NAT} xdp-filter load -p allow eth0")
    assert bare.run(LOAD.replace(" --dispatcher", ""), check=False).status == STATE
    bare.run(LOAD)
    assert programs(bare)["eth0"] == ["xdpfilt_alw_all", "natxdp_outside"]
    assert works(bare)
    bare.run(UNLOAD)
    assert programs(bare) == {"eth0": ["xdpfilt_alw_all"], "eth1": []}


def test_reload_in_place(nat: Guest) -> None:
    nat.run(f"{IN_NAT} xdp-filter load -p allow eth0")
    assert works(nat)
    before = {flow["external"]["port"] for flow in natxdp(nat, "flows --proto udp")}
    program = natxdp(nat, "status")["interfaces"][0]["program_id"]
    nat.run(LOAD)
    assert natxdp(nat, "status")["interfaces"][0]["program_id"] != program
    assert {flow["external"]["port"] for flow in natxdp(nat, "flows --proto udp")} == before
    assert programs(nat) == {"eth0": ["xdpfilt_alw_all", "natxdp_outside"], "eth1": ["natxdp_inside"]}
    assert works(nat)
    assert nat.run(LOAD.replace(" --dispatcher", ""), check=False).status == STATE


def test_reload_under_traffic(nat: Guest) -> None:
    """One connection goes on through a reload, every byte as it was."""
    nat.run(f"(ip netns exec client talk tcp {SERVER} {PORT} 20000000 >/tmp/long 2>&1; echo $? >/tmp/long.status) &")
    nat.wait_until("[ -e /tmp/long ]")
    nat.run(LOAD)
    nat.wait_until("[ -s /tmp/long.status ]", 120)
    assert nat.run("cat /tmp/long.status /tmp/long; rm /tmp/long*").output.startswith("0\n")


def test_other_tables_under_traffic(nat: Guest) -> None:
    """Another max_flows: the flows go over to new tables, and a program beside it stays."""
    nat.run(f"{IN_NAT} xdp-filter load -p allow eth0")
    assert works(nat)
    before = {flow["external"]["port"] for flow in natxdp(nat, "flows --proto udp")}
    dropped = natxdp(nat, "stats")["verdicts"]["drop"]["packets"]
    nat.run(f"(ip netns exec client talk tcp {SERVER} {PORT} 20000000 >/tmp/long 2>&1; echo $? >/tmp/long.status) &")
    nat.wait_until("[ -e /tmp/long ]")
    nat.run(f"{LOAD} --max-flows 4096")
    nat.wait_until("[ -s /tmp/long.status ]", 120)
    assert nat.run("cat /tmp/long.status /tmp/long; rm /tmp/long*").output.startswith("0\n")
    assert natxdp(nat, "status")["flows"]["max"] == 4096
    assert {flow["external"]["port"] for flow in natxdp(nat, "flows --proto udp")} == before
    assert natxdp(nat, "stats")["verdicts"]["drop"]["packets"] == dropped
    assert programs(nat) == {"eth0": ["xdpfilt_alw_all", "natxdp_outside"], "eth1": ["natxdp_inside"]}
    assert works(nat)


def test_killed_while_it_changes_tables(nat: Guest) -> None:
    """At any moment the old tables or the new ones work, and the next load leaves nothing."""
    for number, tenths in enumerate(range(25, 80, 20)):
        load = f"{LOAD} --max-flows {(4096, 8192)[number % 2]}"
        nat.run(f"busybox timeout -s KILL {tenths // 10}.{tenths % 10} {load}", check=False)
        assert natxdp(nat, "status")["active"] is True
        assert works(nat)
    nat.run(f"{LOAD} --max-flows 4096")
    assert programs(nat) == OURS
    assert nat.run("ls /sys/fs/bpf/natxdp").output.split() == ["flows", "insert", "links", "maps"]
    assert works(nat)


def test_killed_while_it_reloads(nat: Guest) -> None:
    """At any moment: the old one or the new one works, and the next reload leaves one of each."""
    for tenths in range(10, 50, 13):
        nat.run(f"busybox timeout -s KILL {tenths // 10}.{tenths % 10} {LOAD}", check=False)
        assert natxdp(nat, "status")["active"] is True
        assert works(nat)
    nat.run(LOAD)
    assert programs(nat) == OURS
    assert works(nat)


def test_killed_while_it_loads(bare: Guest) -> None:
    for tenths in range(15, 60, 20):
        bare.run(f"busybox timeout -s KILL {tenths // 10}.{tenths % 10} {LOAD}", check=False)
        bare.run(UNLOAD)
        assert programs(bare) == {dev: [] for dev in DEVS}
        assert bare.run("ls /sys/fs/bpf").output.strip() in ("", "xdp")


def test_taken_away_by_others(nat: Guest) -> None:
    """Somebody unloads all of libxdp's programs: status tells, and load heals."""
    nat.run(f"{IN_NAT} xdp-loader unload eth1 --all")
    assert nat.run(f"{IN_NAT} natxdp status", check=False).status == STATE
    nat.run(LOAD)
    assert programs(nat) == OURS
    assert works(nat)
