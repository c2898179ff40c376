# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
# test-timeout: 900
"""The deb on a Debian 12 that boots with systemd, from its installation to its removal.

The guest is the NAT, client and server are namespaces of this host. What the
package needs is found by apt; the tests go on from each other, in this order.

client 10.77.0.2 eth0 == tap/virtio == eth1 [ guest ] eth0 == virtio/tap == eth0 203.0.113.2 server
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import debian_root
import image
import pytest
from capture import Capture
from conftest import guests
from guest import Guest
from lab import Lab, wait_until
from probes import UdpServer, connect, echoed, listener, udp_client
from taps import nic, tap

PORT = 9000
SERVER = "203.0.113.2"
EXTERNAL = "203.0.113.1"
PATIENCE = 60
NOW, LATER = "0.1.0", "0.1.1~next"
NETWORK = {
    "10-outside": f"[Match]\nName=eth0\n[Network]\nAddress={EXTERNAL}/24\nGateway={SERVER}\n",
    "10-inside": "[Match]\nName=eth1\n[Network]\nAddress=10.77.0.1/24\n",
}
QUIET = "LinkLocalAddressing=no\nIPv6AcceptRA=no\n"


def make_deb(version: str) -> Path:
    done = subprocess.run(["make", "-s", "deb", f"PACKAGE_VERSION={version}", f"PACKAGES={image.CACHE / 'packages'}"],
                          cwd=image.TOP, capture_output=True, text=True, timeout=280)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = (image.CACHE / "packages").glob(f"natxdp_{version}_*.deb")
    return path


def needs(deb: Path) -> list[str]:
    depends = image.output("dpkg-deb", "-f", str(deb), "Depends")
    return [part.split()[0] for part in depends.strip().split(", ")]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Debian in which apt has installed the deb."""
    for tool in ("dh", "debootstrap", "mke2fs"):
        if not shutil.which(tool, path="/usr/sbin:/usr/bin"):
            pytest.skip(f"needs {tool}: make deps")
    debs = [make_deb(version) for version in (NOW, LATER)]
    try:
        archive = debian_root.base(needs(debs[0]))
    except image.Unavailable as reason:
        pytest.skip(str(reason))
    root = tmp_path_factory.mktemp("package") / "debian"
    debian_root.unpack(archive, root)
    for name, text in NETWORK.items():
        (root / f"etc/systemd/network/{name}.network").write_text(text + QUIET)
    for deb in debs:
        shutil.copy(deb, root / "var/tmp")
    debian_root.chroot(root, "apt-get", "install", "-q", "-y", "--no-install-recommends", f"/var/tmp/{debs[0].name}")
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope="module")
def machine(root: Path, host_lab: Lab) -> Iterator[Guest]:
    client, server = host_lab.host("client"), host_lab.host("server")
    outside = tap(server, "eth0", f"{SERVER}/24")
    inside = tap(client, "eth0", "10.77.0.2/24")
    client.ip("route add default via 10.77.0.1")
    disk = debian_root.disk(root, root.parent / "disk")
    try:
        guest = Guest({}, devices=nic(0, outside) + nic(1, inside), fds=outside + inside, disk=disk)
    except image.Unavailable as reason:
        pytest.skip(str(reason))
    with guest:
        guests.append(guest)
        host_lab.leaks = Capture(server, "eth0", f"ip and not src host {EXTERNAL}", outgoing=False)
        yield guest
        guests.remove(guest)
    disk.unlink()


@pytest.fixture
def lab(machine: Guest, host_lab: Lab) -> Iterator[Lab]:
    """At the end of each test nothing may have come to the server untranslated."""
    with host_lab.scope():
        yield host_lab
        leaked = host_lab.leaks.forget()
    assert not leaked, f"left the NAT untranslated: {leaked[:5]}"


def sysctls(machine: Guest) -> str:
    return machine.run("cd /proc/sys/net/ipv4 && grep -r . ip_forward ip_local_port_range conf/*/rp_filter "
                       "conf/*/accept_local conf/*/forwarding 2>&1").output  # fmt: skip


def natxdp(machine: Guest, arguments: str):
    return json.loads(machine.run(f"natxdp {arguments} --json").output)


def show(machine: Guest, unit: str, *names: str) -> list[str]:
    output = machine.run(f"systemctl show {unit} -p {','.join(names)}").output
    found = dict(line.split("=", 1) for line in output.splitlines())
    return [found[name] for name in names]


def running(machine: Guest) -> dict[str, object]:
    return {
        "programs": [link["program_id"] for link in natxdp(machine, "status")["interfaces"]],
        "since": show(machine, "natxdp", "ActiveEnterTimestampMonotonic"),
        "agent": show(machine, "natxdpd", "MainPID"),
    }


def forwards(lab: Lab, port: int) -> None:
    """UDP and TCP by a NAT that is cold."""
    server = UdpServer(lab["server"], port)
    sock = udp_client(lab["client"], SERVER, port)
    wait_until(lambda: echoed(sock), "an answer through the NAT", PATIENCE)
    assert server.peers() == {EXTERNAL}
    with listener(lab["server"], port) as waiting, connect(lab["client"], SERVER, port) as near:
        far, (address, _) = waiting.accept()
        with far:
            assert address == EXTERNAL
            for source, sink in ((near, far), (far, near)):
                source.sendall(b"x" * 100_000)
                sink.settimeout(PATIENCE)
                received = 0
                while received < 100_000:
                    received += len(sink.recv(65536))


def journal(machine: Guest) -> str:
    """What failed, for failures."""
    return machine.run("systemctl --failed; journalctl -b -o cat -u natxdp -u natxdpd -n 30").output


def up(machine: Guest) -> str:
    """How the machine is once it is up."""
    return machine.run("systemctl is-system-running --wait", check=False, timeout=240).output.strip()


def agent_answers(machine: Guest) -> None:
    machine.wait_until("curl -sf http://127.0.0.1:9469/healthz", timeout=PATIENCE)
    [pid] = show(machine, "natxdpd", "MainPID")
    assert machine.run(f"stat -c %U /proc/{pid}").output == "natxdp\n"


def test_an_installation_starts_nothing(root: Path, machine: Guest, lab: Lab) -> None:
    assert re.search(r"^natxdp:x:\d+:", (root / "etc/passwd").read_text(), re.M)
    assert up(machine) == "running", journal(machine)
    for unit in ("natxdp", "natxdpd"):
        assert machine.run(f"systemctl is-enabled {unit}", check=False).output == "disabled\n"
        assert machine.run(f"systemctl is-active {unit}", check=False).output == "inactive\n"
    machine.before = sysctls(machine)
    assert "ip_forward:0" in machine.before
    assert not echoed(udp_client(lab["client"], SERVER, PORT))


def test_enabled_it_translates(machine: Guest, lab: Lab) -> None:
    machine.run("sed -i 's/^inside = none$/inside = eth1/' /etc/natxdp/natxdp.conf")
    done = machine.run("systemctl enable --now natxdp natxdpd", check=False, timeout=120)
    assert done.status == 0, done.output + journal(machine)
    assert [link["name"] for link in natxdp(machine, "status")["interfaces"]] == ["eth0", "eth1"]
    assert natxdp(machine, "verify")["result"] == "ok"
    forwards(lab, PORT)
    agent_answers(machine)


def test_a_reboot_keeps_it(machine: Guest, lab: Lab) -> None:
    machine.reboot()
    assert up(machine) == "running", journal(machine)
    assert show(machine, "natxdp", "ActiveState", "NRestarts") == ["active", "0"]
    [loaded] = show(machine, "natxdp", "ActiveEnterTimestampMonotonic")
    [online] = show(machine, "network-online.target", "ActiveEnterTimestampMonotonic")
    assert 0 < int(loaded) < int(online), "who waits for the network has not waited for the NAT"
    forwards(lab, PORT + 1)
    agent_answers(machine)


class Stream:
    """A connection through the NAT that says something and wants it back, again and again."""

    def __init__(self, lab: Lab, port: int) -> None:
        with listener(lab["server"], port) as waiting:
            self.near = connect(lab["client"], SERVER, port)
            self.far, self.peer = waiting.accept()
        self.near.settimeout(PATIENCE)
        self.far.settimeout(PATIENCE)
        self.rounds = 0
        self.ending = False
        self.error = ""
        self.thread = threading.Thread(target=self.go, daemon=True)
        self.thread.start()

    def go(self) -> None:
        while not self.ending and not self.error:
            try:
                for source, sink in ((self.near, self.far), (self.far, self.near)):
                    source.sendall(self.rounds.to_bytes(8, "big"))
                    if sink.recv(8) != self.rounds.to_bytes(8, "big"):
                        self.error = f"other bytes in round {self.rounds}"
                self.rounds += 1
            except OSError as error:
                self.error = f"round {self.rounds}: {error}"

    def end(self) -> None:
        self.ending = True
        self.thread.join()
        self.near.close()
        self.far.close()


def test_an_upgrade_keeps_flows(machine: Guest, lab: Lab) -> None:
    # those of the tests before may expire meanwhile, on a machine that is slow enough
    known = {flow["external"]["port"] for flow in natxdp(machine, f"flows --destination {SERVER}")}
    UdpServer(lab["server"], PORT)
    sock = udp_client(lab["client"], SERVER, PORT)
    wait_until(lambda: echoed(sock), "an answer through the NAT", PATIENCE)
    flows = {flow["external"]["port"] for flow in natxdp(machine, f"flows --destination {SERVER}")} - known
    assert flows
    stream = Stream(lab, PORT + 2)
    before = running(machine)
    machine.run(f"dpkg -i /var/tmp/natxdp_{LATER}_*.deb", timeout=180)
    rounds = stream.rounds
    wait_until(lambda: stream.rounds > rounds + 5 or stream.error, "the connection goes on", PATIENCE)
    stream.end()
    assert not stream.error and rounds > 0
    assert machine.run("dpkg-query -W -f '${Version} ${db:Status-Status}' natxdp").output == f"{LATER} installed"
    after = running(machine)
    assert not set(after["programs"]) & set(before["programs"]), "the program of before runs"
    assert after["since"] == before["since"], "the NAT was started again"
    assert after["agent"] != before["agent"], "the agent of before runs"
    assert echoed(sock)
    assert stream.peer[1] in flows | {flow["external"]["port"] for flow in natxdp(machine, "flows --proto tcp")}
    assert flows <= {flow["external"]["port"] for flow in natxdp(machine, f"flows --destination {SERVER}")}
    assert machine.run("grep ^inside /etc/natxdp/natxdp.conf | head -n 1").output == "inside = eth1\n"
    assert natxdp(machine, "verify")["result"] == "ok"
    agent_answers(machine)


def test_a_reload_with_a_bad_file_changes_nothing(machine: Guest, lab: Lab) -> None:
    machine.run("cp /etc/natxdp/natxdp.conf /tmp/good && echo 'max_flow = 1' >>/etc/natxdp/natxdp.conf")
    assert machine.run("systemctl reload natxdp", check=False).status != 0
    assert "max_flow" in machine.run("journalctl -b -u natxdp -n 20 -o cat").output
    assert show(machine, "natxdp", "ActiveState") == ["active"]
    machine.run("cp /tmp/good /etc/natxdp/natxdp.conf && systemctl reload natxdp")
    forwards(lab, PORT + 3)


def test_a_removal_restores_the_machine(machine: Guest, lab: Lab) -> None:
    machine.run("dpkg --purge natxdp", timeout=120)
    for dev in ("eth0", "eth1"):
        assert "xdp" not in machine.run(f"ip -d link show dev {dev}").output
    machine.run("test ! -e /sys/fs/bpf/natxdp")
    for path in ("/etc/natxdp", "/usr/sbin/natxdp", "/var/log/natxdp", "/run/natxdp"):
        machine.run(f"test ! -e {path}")
    assert machine.run("ls /proc/[0-9]*/exe -l 2>/dev/null | grep natxdp", check=False).output == ""
    for unit in ("natxdp", "natxdpd"):
        assert show(machine, unit, "LoadState") == ["not-found"]
    ours, kernels = "ip_local_port_range:61000\t65535", "ip_local_port_range:32768\t60999"
    assert ours in machine.before
    assert sysctls(machine) == machine.before.replace(ours, kernels)
    assert not echoed(udp_client(lab["client"], SERVER, PORT))
