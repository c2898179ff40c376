# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""natxdp load and unload: what they change, what they refuse, what they leave."""

import json
import socket
import sys
from pathlib import Path

import pytest
from lab import Lab, Namespace, wait_until
from probes import UdpServer, echoed, helper, udp_client

PORT = 9000
SO_NETNS_COOKIE = 71
USAGE, CONFIG, PERMISSION, INTERFACE, KERNEL, STATE, NOT_LOADED = range(1, 8)


@pytest.fixture
def bare(two_armed_lab: Lab):
    """The lab without a NAT, and without one at the end."""
    with two_armed_lab.scope():
        yield two_armed_lab
        two_armed_lab.box.end()


def sysctls(ns: Namespace) -> dict[str, str]:
    names = ["net.ipv4.ip_forward", "net.ipv4.ip_local_port_range"]
    names += [
        f"net.ipv4.conf.{dev}.{name}"
        for dev in ("all", "default", "eth0", "eth1")
        for name in ("accept_local", "rp_filter", "forwarding", "send_redirects")
    ]
    return {name: ns.sysctl(name) for name in names}


def xdp_program(ns: Namespace, dev: str) -> int:
    """The id of the XDP program of a device, 0 if it has none."""
    [link] = json.loads(ns.run("ip", "-j", "-d", "link", "show", "dev", dev).stdout)
    return link.get("xdp", {}).get("prog", {}).get("id", 0)


def assert_nothing_is_loaded(lab: Lab, before: dict[str, str]) -> None:
    assert sysctls(lab["nat"]) == before
    assert not lab.box.pin_dir.exists()
    assert [xdp_program(lab["nat"], dev) for dev in ("eth0", "eth1")] == [0, 0]
    assert lab.box.run("status", check=False).returncode == NOT_LOADED


def assert_refused(lab: Lab, status: int, *arguments: object) -> str:
    """The exit status, and one sentence. Returns the sentence."""
    before = sysctls(lab["nat"])
    done = lab.box.run(*arguments, check=False)
    assert done.returncode == status, done
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert sysctls(lab["nat"]) == before
    return done.stderr


def test_unload_restores_everything(bare: Lab) -> None:
    before = sysctls(bare["nat"])
    bare.box.load()
    during = sysctls(bare["nat"])
    assert during["net.ipv4.ip_forward"] == "1"
    assert during["net.ipv4.ip_local_port_range"].split() == ["61000", "65535"]
    assert (bare.box.pin_dir / "flows").exists()
    bare.box.run("unload", "eth0")
    assert_nothing_is_loaded(bare, before)
    assert not list(Path("/run/natxdp").glob(f"*{bare.run}*.watch"))


def test_unload_after_reloads_restores_the_first_values(bare: Lab) -> None:
    before = sysctls(bare["nat"])
    for ports in ("22, 61000-65535", "22, 62000-65535", "22, 63000-65535"):
        bare.box.load("--host-ports", ports)
    assert bare["nat"].sysctl("net.ipv4.ip_local_port_range").split() == ["63000", "65535"]
    bare.box.unload()
    assert_nothing_is_loaded(bare, before)


def killed_after_fix(lab: Lab, dev: str, mtu: int) -> Path:
    """What a load with --fix has written when it is killed just after it lowered an MTU."""
    sock = lab["nat"].socket(socket.AF_INET, socket.SOCK_DGRAM)
    cookie = int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8), sys.byteorder)
    saved = Path("/run/natxdp", lab.box.pin_dir.name + ".nic")
    saved.parent.mkdir(exist_ok=True)
    saved.write_text(f"netns {cookie}\n{dev} mtu {mtu}\n")
    return saved


def test_nic_settings_go_back_where_they_were_changed(bare: Lab) -> None:
    """Whoever clears it away, and from wherever: not on an interface of the same name there."""

    def mtus() -> list[int]:
        return [int(json.loads(bare[role].ip("-j link show eth0"))[0]["mtu"])
                for role in ("nat", "c1")]

    assert mtus() == [1500, 1500]
    saved = killed_after_fix(bare, "eth0", 1480)
    bare["c1"].run(*bare.box.command("unload", "--all"))
    assert mtus() == [1480, 1500] and not saved.exists()
    bare["nat"].ip("link set eth0 mtu 1500")
    saved = killed_after_fix(bare, "eth0", 1480)
    bare["c1"].run(*bare.box.command("load", "eth0", "--no-watch"))
    assert mtus() == [1480, 1500] and not saved.exists()
    bare["c1"].run(*bare.box.command("unload", "--all"))
    bare["nat"].ip("link set eth0 mtu 1500")


def test_unload_after_its_namespace_is_gone(bare: Lab) -> None:
    """There is nothing left to be put back, and nothing that keeps one from unloading."""
    with bare.scope():
        away = bare.host("away")
        bare.cable(away, "eth0", "192.0.2.1/24", bare["c1"], "away")
        away.ip("route add default via 192.0.2.2")
        away.run(*bare.box.command("load", "eth0", "--hook", "tc", "--no-watch"))
    del bare.ns["away"]
    done = bare["c1"].run(*bare.box.command("unload", "--all"))
    assert "where it was loaded is gone" in done.stderr
    assert not bare.box.pin_dir.exists()


def test_nothing_to_unload(bare: Lab) -> None:
    bare.box.run("unload", "--all")
    assert_refused(bare, NOT_LOADED, "unload", "eth0")
    assert_refused(bare, NOT_LOADED, "flows")
    assert_refused(bare, NOT_LOADED, "stats")


@pytest.mark.parametrize(
    "status,arguments",
    [
        (INTERFACE, ["load", "eth9"]),
        (INTERFACE, ["load", "eth0", "--inside", "eth9"]),
        (CONFIG, ["load", "eth0", "--external", "nonsense"]),
        (CONFIG, ["load", "eth0", "--udp-timeout", "soon"]),
        (CONFIG, ["load", "eth0", "--max-flows", "7"]),
        (CONFIG, ["load", "eth0", "--config", "/nonexistent/natxdp.conf"]),
    ],
)
def test_bad_arguments_change_nothing(bare: Lab, status: int, arguments: list[str]) -> None:
    before = sysctls(bare["nat"])
    sentence = assert_refused(bare, status, *arguments)
    assert arguments[-1].split("/")[-1] in sentence
    assert_nothing_is_loaded(bare, before)


def test_usage(bare: Lab) -> None:
    for arguments in (["load"], ["load", "eth0", "--bogus"], ["fly"], ["unload"]):
        done = bare["nat"].run(*bare.box.command()[:1], *arguments, check=False)
        assert done.returncode == USAGE, done


@pytest.mark.parametrize(
    "line,text",
    [
        (1, "no_such_key = 1"),
        (2, "# fine\nudp_timeout = -3"),
        (3, "udp_timeout = 5\n\nexternal = 203.0.113.1:9-8"),
        (2, "max_flows = 4096\nthis is no setting"),
    ],
)
def test_bad_file_changes_nothing(bare: Lab, line: int, text: str) -> None:
    config = bare.scratch / "natxdp.conf"
    config.write_text(text + "\n")
    before = sysctls(bare["nat"])
    sentence = assert_refused(bare, CONFIG, "load", "eth0", "--config", config)
    assert f"{config}:{line}" in sentence
    assert_nothing_is_loaded(bare, before)

    # nor over a NAT that works
    bare.box.load()
    programs = [xdp_program(bare["nat"], dev) for dev in ("eth0", "eth1")]
    assert_refused(bare, CONFIG, *bare.box.load_arguments("--config", config))
    assert [xdp_program(bare["nat"], dev) for dev in ("eth0", "eth1")] == programs
    UdpServer(bare["s1"], PORT)
    assert echoed(udp_client(bare["c1"], bare.server, PORT))


def test_file_and_options(bare: Lab) -> None:
    """A file is read, and an option wins over it."""
    config = bare.scratch / "natxdp.conf"
    config.write_text("inside = eth1\nmax_flows = 5000\nport_range = 5000-5999\n")
    bare.box.run("load", "eth0", "--config", config, "--port-range", "7000-7999")
    status = bare.box.status()
    assert status["mode"] == "two-armed"
    assert status["flows"]["max"] == 5000
    server = UdpServer(bare["s1"], PORT)
    assert echoed(udp_client(bare["c1"], bare.server, PORT))
    assert 7000 <= server.seen[0][1] <= 7999


@pytest.mark.parametrize("dev", ["eth0", "eth1"])
def test_another_program_is_left_alone(bare: Lab, dev: str) -> None:
    bare["nat"].run(helper("xdp_pass"), dev)
    program = xdp_program(bare["nat"], dev)
    try:
        sentence = assert_refused(bare, STATE, *bare.box.load_arguments())
        assert dev in sentence and str(program) in sentence
        assert xdp_program(bare["nat"], dev) == program
        other = {"eth0": "eth1", "eth1": "eth0"}[dev]
        assert xdp_program(bare["nat"], other) == 0
        assert not bare.box.pin_dir.exists()
    finally:
        bare["nat"].ip(f"link set dev {dev} xdp off")
    bare.box.load()


def test_fixed_settings_cannot_change_while_loaded(bare: Lab) -> None:
    bare.box.load()
    for arguments in (
        bare.box.load_arguments("--xdp-mode", "generic"),
        ["load", "eth0"],
    ):
        assert_refused(bare, STATE, *arguments)
    UdpServer(bare["s1"], PORT)
    assert echoed(udp_client(bare["c1"], bare.server, PORT))


def test_two_nats_on_one_machine(bare: Lab) -> None:
    """A second one, one-armed on another interface, with pins of its own."""
    bare.box.load()
    router = bare["inrouter"]
    pins = f"{bare.pin_dir}-second"
    command = [bare.box.command()[0], "load", "far", "--pin-dir", pins]
    try:
        router.run(*command)
        UdpServer(bare["s1"], PORT)
        assert echoed(udp_client(bare["c1"], bare.server, PORT))
        assert len(bare.box.flows()) == 1
    finally:
        router.run(bare.box.command()[0], "unload", "--all", "--pin-dir", pins)
    assert not Path(pins).exists()
    assert bare.box.status()["active"] is True


def test_auto_is_the_interface_that_leads_out(bare: Lab) -> None:
    nat = bare["nat"]
    [default] = nat.run("ip", "route", "show", "default").stdout.splitlines()
    assert "dev eth0" in default
    try:
        nat.ip("route del default")
        refused = assert_refused(bare, INTERFACE, "load", "auto", "--inside", "eth1")
        assert "auto: no route to the internet" in refused
        nat.ip(f"route add {default}")
        bare.box.run("load", "auto", "--inside", "eth1")
        # the way out changes then: the NAT stays where it is
        nat.ip("route replace default via 10.77.0.2")
        bare.box.run("reload")
        assert [link["name"] for link in bare.box.json("status")["interfaces"]] == ["eth0", "eth1"]
    finally:
        nat.ip(f"route replace {default}")
    assert bare.box.json("verify")["result"] == "ok"


def test_generic_mode(bare: Lab) -> None:
    bare.box.load("--xdp-mode", "generic", audit=False)  # veth counts native programs only
    assert bare.box.status()["xdp_mode"] == "generic"
    UdpServer(bare["s1"], PORT)
    sock = udp_client(bare["c1"], bare.server, PORT)
    assert all(echoed(sock, b"%d" % number) for number in range(10))


def test_dispatcher_that_the_kernel_refuses(bare: Lab) -> None:
    """libxdp would take the interface for itself then; that is undone."""
    before = sysctls(bare["nat"])
    command = bare.box.command(*bare.box.load_arguments("--dispatcher"))
    done = bare["nat"].run("env", "LIBXDP_SKIP_DISPATCHER=1", *command, check=False)
    assert done.returncode == KERNEL and "dispatcher" in done.stderr, done
    assert len(done.stderr.strip().splitlines()) == 1
    assert_nothing_is_loaded(bare, before)


def test_watcher_ends_with_the_nat(bare: Lab) -> None:
    bare.box.load()
    pid = bare.box.status()["watcher"]["pid"]
    assert Path("/proc", str(pid)).exists()
    bare.box.unload()
    wait_until(lambda: not Path("/proc", str(pid)).exists(), "the watcher is gone")


def test_watcher_is_started_again_by_load(bare: Lab) -> None:
    bare.box.load()
    bare["nat"].run("kill", "-9", bare.box.status()["watcher"]["pid"])
    wait_until(lambda: not bare.box.status()["watcher"]["running"], "the watcher is seen gone")
    bare.box.load()
    assert bare.box.status()["watcher"]["running"]
