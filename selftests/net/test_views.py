# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""natxdp flows, the iterator and bpftool tell the same."""

import json
import re
import subprocess

import pytest
from lab import Lab, run
from probes import UdpServer, echoed, tcp_pair, udp_client

PORT = 9000
LINE = re.compile(
    r"(?P<proto>\w+) (?P<inside>\S+) > (?P<external>\S+) > (?P<destination>\S+) "
    r"(?P<state>\S+) out (?P<op>\d+)/(?P<ob>\d+) in (?P<ip>\d+)/(?P<ib>\d+) "
    r"age (?P<age>\d+) idle (?P<idle>\d+)"
)


def end(flow: dict, name: str) -> str:
    number = flow[name].get("port", flow[name].get("identifier", 0))
    return f"{flow[name]['address']}:{number}"


def from_json(lab: Lab) -> set[tuple]:
    return {
        (
            flow["proto"], end(flow, "inside"), end(flow, "external"), end(flow, "destination"),
            flow["state"], flow["out"]["packets"], flow["out"]["bytes"],
            flow["in"]["packets"], flow["in"]["bytes"],
        )
        for flow in lab.box.flows()
    }  # fmt: skip


def from_iterator(lab: Lab) -> set[tuple]:
    seen = set()
    for line in run("cat", lab.pin_dir / "flows").stdout.splitlines():
        found = LINE.fullmatch(line)
        assert found, line
        text = found.group("proto", "inside", "external", "destination", "state")
        seen.add((*text, *map(int, found.group("op", "ob", "ip", "ib"))))
    return seen


def from_text(lab: Lab) -> set[tuple]:
    lines = lab.box.run("flows").stdout.splitlines()[1:]
    return {tuple(line.split()[:5]) for line in lines}


def dump(lab: Lab, name: str) -> list | dict:
    path = lab.pin_dir / "maps" / name
    return json.loads(run("bpftool", "-j", "map", "dump", "pinned", path).stdout)


def test_views_agree(any_lab: Lab) -> None:
    UdpServer(any_lab["s1"], PORT)
    for client in ("c1", "c2"):
        for _ in range(20):
            assert echoed(udp_client(any_lab[client], any_lab.server, PORT))
    any_lab["c1"].run("ping", "-n", "-c", 3, "-i", "0.01", any_lab.server)
    with tcp_pair(any_lab["c2"], any_lab["s1"], any_lab.server, PORT) as (near, far):
        near.sendall(b"x" * 1000)
        assert far.recv(1000, 0x100) == b"x" * 1000  # MSG_WAITALL
        flows = from_json(any_lab)
        assert len(flows) == 42
        assert from_iterator(any_lab) == flows
        icmp = re.compile(r":0$")
        text = {tuple(icmp.sub("", word) for word in flow[:5]) for flow in flows}
        assert {tuple(icmp.sub("", word) for word in flow) for flow in from_text(any_lab)} == text


def test_bpftool_reads_the_small_maps(any_lab: Lab) -> None:
    config = dump(any_lab, "config")[0]["formatted"]["value"]
    assert config["active"] == 1
    assert config["max_flows"] == any_lab.box.status()["flows"]["max"]
    assert config["outside_ifindex"] == any_lab["nat"].ifindex("eth0")
    pool = dump(any_lab, "ext_pool")[0]["formatted"]["value"]
    assert (pool["port_min"], pool["port_max"]) == (1024, 60999)
    for name in ("own_addrs", "inside_nets", "no_nat_nets", "counters", "next_hops"):
        assert dump(any_lab, name), name


@pytest.mark.load("--max-flows", 1024)
def test_bpftool_finds_the_flow(any_lab: Lab) -> None:
    """A small table, because bpftool takes a minute to print a big one."""
    UdpServer(any_lab["s1"], PORT)
    sock = udp_client(any_lab["c1"], any_lab.server, PORT)
    assert echoed(sock)
    entries = [
        way
        for bucket in dump(any_lab, "flow_table")
        for way in bucket["formatted"]["value"]["way"]
        if way["packets"]
    ]
    assert [entry["packets"] for entry in entries] == [1, 1]
    assert {entry["bytes"] for entry in entries} == {20 + 8 + len(b"probe")}


def test_filters(any_lab: Lab) -> None:
    UdpServer(any_lab["s1"], PORT)
    sizes = {"c1": [10, 1000, 100], "c2": [500]}
    for client, payloads in sizes.items():
        for size in payloads:
            assert echoed(udp_client(any_lab[client], any_lab.server, PORT), b"x" * size)
    any_lab["c1"].run("ping", "-n", "-c", 1, any_lab.server)
    flows = any_lab.box.flows
    inside = flows("--proto", "icmp")[0]["inside"]["address"]
    assert len(flows()) == 5
    assert len(flows("--inside", inside)) == 4
    assert len(flows("--destination", f"{any_lab.server}:{PORT}")) == 4
    assert len(flows("--proto", "udp", "--inside", inside)) == 3
    assert len(flows("--state", "replied")) == 5
    assert flows("--state", "established") == []
    ordered = [flow["out"]["bytes"] for flow in flows("--proto", "udp", "--sort", "bytes")]
    assert ordered == [size + 28 for size in (1000, 500, 100, 10)]
    assert len(flows("--sort", "age", "--limit", 2)) == 2


def test_one_line_a_flow_and_closed_pipe(any_lab: Lab) -> None:
    """`natxdp flows | head -1` ends without noise."""
    UdpServer(any_lab["s1"], PORT)
    for _ in range(50):
        assert echoed(udp_client(any_lab["c1"], any_lab.server, PORT))
    command = " ".join(any_lab["nat"].command(*any_lab.box.command("flows")))
    done = subprocess.run(["sh", "-c", f"{command} | head -1"], capture_output=True, text=True)
    assert done.stdout.startswith("PROTO") and not done.stderr
    assert len(any_lab.box.run("flows").stdout.splitlines()) == 51
