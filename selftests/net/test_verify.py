# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""natxdp verify, natxdp reload, and what the watcher makes of a host that changes."""

import json
import threading
from pathlib import Path

import pytest
import topology
from lab import Lab, wait_until
from probes import UdpServer, echoed, listener, udp_client

PORT = 9000


def verify(lab: Lab, *options: str) -> tuple[int, dict]:
    done = lab.box.run("verify", "--json", *options, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def findings(report: dict, result: str) -> list[tuple[str, str]]:
    return [(c["check"], c["what"]) for c in report["checks"] if c["result"] == result]


def gateway_of(lab: Lab) -> str:
    return lab["nat"].ip("route show default").split("via ")[1].split()[0]


def map_path(lab: Lab, name: str) -> str:
    return str(lab.box.pin_dir / "maps" / name)


def bpftool(lab: Lab, *arguments: str) -> str:
    return lab["nat"].run("bpftool", *arguments).stdout


@pytest.fixture
def configured(any_lab: Lab, tmp_path: Path):
    """A NAT that was loaded from a file."""
    any_lab.config = tmp_path / "natxdp.conf"
    any_lab.config.write_text("udp_timeout = 100\n")
    any_lab.box.load("--config", any_lab.config)
    return any_lab


def test_well(any_lab: Lab) -> None:
    for _ in range(2):
        code, report = verify(any_lab)
        assert code == 0, report
        assert report["result"] == "ok"
        assert [c["check"] for c in report["checks"]] == [
            "pins", "attachment", "guard", "program", "configuration", "sysctls", "expiry",
            "watcher", "packet",
        ]  # fmt: skip
        [packet] = [c for c in report["checks"] if c["check"] == "packet"]
        assert "UDP 10.255.255.254:9 to 192.0.2.1:9 became" in packet["found"]
        assert any_lab.external in packet["found"]
        # it took the way of any other, and nothing of it stays
        assert any_lab.box.flows() == []
        stats = any_lab.box.stats()
        assert stats["reasons"]["out_forwarded"]["packets"] == 0
        assert stats["reasons"]["in_forwarded"]["packets"] == 0
        assert stats["events"]["flows_opened"] == 0
    wait_until(lambda: any_lab.box.stats()["events"]["flows_expired"] == 0, "it is swept", 10)


def test_well_beside_loads(lab: Lab) -> None:
    """Between the old and the new there are moments of neither: they are waited for."""
    loading = threading.Event()

    def load() -> None:
        for size in (20_000, 20_000):
            lab.box.load("--max-flows", size)
        lab.box.run("reload")
        loading.set()

    thread = threading.Thread(target=load)
    thread.start()
    seen = []
    while not loading.is_set():
        code, report = verify(lab)
        seen.append((code, findings(report, "drift") + findings(report, "broken")))
    thread.join()
    assert len(seen) > 1
    assert {code for code, _ in seen} == {0}, seen


def of_wire(report: dict) -> dict:
    [found] = [check for check in report["checks"] if check["check"] == "wire"]
    return found


def test_probe_over_the_wire(any_lab: Lab) -> None:
    """An echo, a handshake and a refusal are answers; they come back to the reserved flow."""
    server = any_lab.server
    # in two arms the first packet of all waits for ARP, by the kernel; one arm has to know it
    any_lab["nat"].run("ping", "-c", 1, "-W", 5, gateway_of(any_lab))
    with listener(any_lab["s1"], PORT) as listening:
        for target in (server, f"{server}:{PORT}", f"{server}:{PORT + 1}"):
            code, report = verify(any_lab, "--probe", target)
            assert code == 0, report
            found = of_wire(report)
            assert (found["result"], found["what"]) == ("ok", server)
            assert f"it answered {any_lab.external}:" in found["found"]
        flows = [f for f in any_lab.box.flows() if f["destination"]["address"] == server]
        assert {f["inside"]["address"] for f in flows} == {"10.255.255.254"}
        assert len(flows) == 3 and all(f["in"]["packets"] == 1 for f in flows)
        # the half-open connection was taken back
        listening.settimeout(0.2)
        with pytest.raises(TimeoutError):
            listening.accept()


def test_probe_without_an_answer(any_lab: Lab) -> None:
    any_lab["nat"].run("ping", "-c", 1, "-W", 5, gateway_of(any_lab))
    code, report = verify(any_lab, "--probe", "192.0.2.77:443")
    assert code == 10
    assert of_wire(report)["result"] == "broken"
    assert "no answer in 3000 ms" in of_wire(report)["found"]
    done = any_lab.box.run("verify", "--probe", "example.com:http", check=False)
    assert done.returncode == 1 and "needs an IPv4 address" in done.stderr


def test_packet_that_is_refused(any_lab: Lab) -> None:
    any_lab.box.run("block", "add", "10.255.255.254")
    code, report = verify(any_lab)
    assert (code, findings(report, "broken")) == (10, [("packet", "")])
    any_lab.box.run("block", "del", "10.255.255.254")
    assert verify(any_lab)[0] == 0


def test_sysctl_drifts_and_is_repaired(any_lab: Lab) -> None:
    any_lab["nat"].sysctl("net.ipv4.conf.eth0.accept_local", 0)
    code, report = verify(any_lab)
    assert (code, findings(report, "drift")) == (9, [("sysctls", "net/ipv4/conf/eth0/accept_local")])
    code, report = verify(any_lab, "--repair")
    assert (code, report["repaired"], report["result"]) == (0, True, "ok")
    assert any_lab["nat"].sysctl("net.ipv4.conf.eth0.accept_local") == "1"


def test_map_drifts_and_is_repaired(any_lab: Lab) -> None:
    UdpServer(any_lab["s1"], PORT)
    sock = udp_client(any_lab["c1"], any_lab.server, PORT)
    assert echoed(sock)
    key = "8 0 0 0 10 0 0 0".split()
    bpftool(any_lab, "map", "delete", "pinned", map_path(any_lab, "inside_nets"), "key", *key)
    code, report = verify(any_lab)
    assert code >= 9
    assert ("configuration", "inside prefix 10.0.0.0/8") in findings(report, "drift")
    assert verify(any_lab, "--repair")[0] == 0
    assert echoed(sock)
    assert any_lab.box.flow("--destination", f"0.0.0.0/0:{PORT}")["out"]["packets"] == 2


def test_file_changes_and_is_taken_over(configured: Lab) -> None:
    UdpServer(configured["s1"], PORT)
    sock = udp_client(configured["c1"], configured.server, PORT)
    assert echoed(sock)
    configured.config.write_text("udp_timeout = 200\nlimit_flows = 7\n")
    code, report = verify(configured)
    assert code == 9
    assert findings(report, "drift") == [
        ("configuration", "limit_flows"),
        ("configuration", "udp_timeout (ticks)"),
    ]
    configured.box.run("reload")
    assert verify(configured)[0] == 0
    assert configured.box.status()["behaviour"]["limit_flows"] == 7
    assert echoed(sock)
    assert configured.box.flow("--destination", f"0.0.0.0/0:{PORT}")["out"]["packets"] == 2


def test_refused_reload_changes_nothing(configured: Lab) -> None:
    before = configured.box.status()["behaviour"]
    for text, why in (
        ("udp_timeout = 200\nmax_flows = what\n", "max_flows"),
        ("udp_timeout = 200\nexternal = 192.0.2.1:9-3\n", "external"),
    ):
        configured.config.write_text(text)
        done = configured.box.run("reload", check=False)
        assert done.returncode and why in done.stderr
        assert configured.box.status()["behaviour"] == before


def test_drained_address_is_no_drift(any_lab: Lab) -> None:
    any_lab.box.load("--external", f"{any_lab.external},192.0.2.77")
    any_lab.box.run("pools", "drain", "192.0.2.77")
    code, report = verify(any_lab)
    assert (code, report["result"]) == (0, "note")
    assert findings(report, "note") == [("configuration", "external 192.0.2.77")]


def test_detached_program_comes_back_with_its_flows(any_lab: Lab) -> None:
    """Without the watcher, which would not wait for verify."""
    any_lab.box.unload()
    any_lab.box.load("--no-watch")
    UdpServer(any_lab["s1"], PORT)
    sock = udp_client(any_lab["c1"], any_lab.server, PORT)
    assert echoed(sock)
    link = str(any_lab.box.pin_dir / "links" / any_lab.box.outside)
    bpftool(any_lab, "link", "detach", "pinned", link)
    code, report = verify(any_lab)
    assert code == 10
    assert ("attachment", any_lab.box.outside) in findings(report, "broken")
    code, report = verify(any_lab, "--repair")
    assert (code, report["result"]) == (0, "note"), report  # the watcher
    assert echoed(sock)
    assert any_lab.box.flow("--destination", f"0.0.0.0/0:{PORT}")["out"]["packets"] == 2
    any_lab.leaks.forget()


def test_watcher_follows_mtu_and_addresses(lab: Lab) -> None:
    nat = lab["nat"]
    try:
        nat.ip("link set eth0 mtu 1400")
        wait_until(lambda: lab.box.status()["behaviour"]["egress_mtu"] == 1400, "the MTU")
        lab.box.run("pools", "drain", lab.external)
        nat.ip("addr add 203.0.113.99/24 dev eth0")
        own = map_path(lab, "own_addrs")
        wait_until(lambda: "cb 00 71 63" in bpftool(lab, "-p", "map", "dump", "pinned", own)
                   .replace('","0x', " ").replace("0x", ""), "the address")  # fmt: skip
        assert lab.box.status()["external"][0]["draining"]
    finally:
        nat.ip("addr del 203.0.113.99/24 dev eth0", check=False)
        nat.ip("link set eth0 mtu 1500")
    wait_until(lambda: lab.box.status()["behaviour"]["egress_mtu"] == 1500, "the MTU")
    lab.box.run("pools", "undrain", lab.external)
    assert verify(lab)[0] == 0


@pytest.mark.parametrize("dev, switch", [("eth0", "outsw"), ("eth1", "insw")])
def test_carrier_goes_and_comes_back(lab: Lab, dev: str, switch: str) -> None:
    """A cable out and in again: nothing is ended, and nobody has to load again."""
    UdpServer(lab["s1"], PORT)
    sock = udp_client(lab["c1"], lab.server, PORT)
    assert echoed(sock)
    before = lab.box.status()
    lab[switch].ip("link set nat down")
    wait_until(lambda: "NO-CARRIER" in lab["nat"].ip(f"link show {dev}"), "the carrier goes")
    sock.settimeout(0.2)
    assert not echoed(sock)
    assert lab.box.status()["active"]
    lab[switch].ip("link set nat up")
    sock.settimeout(1)
    wait_until(lambda: echoed(sock), "the flow goes on", timeout=10)
    after = lab.box.status()
    assert after["interfaces"] == before["interfaces"], "nothing was loaded again"
    assert after["watcher"]["pid"] == before["watcher"]["pid"]
    assert len(lab.box.flows("--proto", "udp")) == 1
    assert verify(lab)[0] == 0


def move_away_and_back(lab: Lab) -> None:
    nat, router = lab["nat"], lab["router"]
    nat.ip("link set eth0 netns " + router.name)
    router.ip("link set eth0 netns " + nat.name)
    nat.ip("addr add 10.0.0.10/24 dev eth0")
    nat.ip("link set eth0 up")


def plug_another(lab: Lab) -> None:
    nat, router = lab["nat"], lab["router"]
    nat.ip("link del eth0")
    lab.cable(nat, "eth0", "10.0.0.10/24", router, "nat")
    router.ip("addr add 10.0.0.1/24 dev nat")
    topology.notice_xdp(router, "nat")
    router.ip("route add default via 10.0.0.10 table 100")


@pytest.mark.parametrize("hook", ["xdp", "tc"])
@pytest.mark.parametrize("again", [move_away_and_back, plug_another])
def test_interface_goes_and_comes_back(again, hook: str) -> None:
    """As when an ENI is unplugged and plugged in again: the flows are there again."""
    with topology.one_armed(clients=1) as lab:
        lab.box.hook = hook
        lab.box.load()
        UdpServer(lab["s1"], PORT)
        sock = udp_client(lab["c1"], lab.server, PORT)
        assert echoed(sock)
        before = lab.box.flow("--destination", f"0.0.0.0/0:{PORT}")
        again(lab)
        lab["nat"].ip("route add default via 10.0.0.1")
        wait_until(lambda: verify(lab)[0] == 0, "the NAT", timeout=10)
        assert echoed(sock)
        flow = lab.box.flow("--destination", f"0.0.0.0/0:{PORT}")
        assert flow["external"] == before["external"]
        assert flow["out"]["packets"] == 2
        assert lab.box.status()["hook"] == hook
