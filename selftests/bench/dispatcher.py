# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What libxdp's dispatcher costs, as a ratio, where the kernel of this machine refuses it.

In a guest with Debian's 6.1 kernel, emulated: its nanoseconds are those of
qemu's translation of the code, so only what is measured there in turn may be
compared.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "vm"))

import image  # noqa: E402
from boxes import EXTERNAL, INSIDE, INSIDE_END, LONG, OUTSIDE, OUTSIDE_END  # noqa: E402
from guest import Guest  # noqa: E402

WAYS = {"bare": None, "link": "", "dispatcher": "--dispatcher"}
PATIENCE = 900


def cable(guest: Guest, name: str, dev: str, mac: str, end: str, end_mac: str, address: str) -> None:
    guest.run(f"ip -n {name} link add {dev} address {mac} type veth peer name {end}")
    guest.run(f"ip -n {name} link set {end} address {end_mac} netns ends && ip -n ends link set {end} up")
    guest.run(f"ip -n {name} addr add {address} dev {dev} && ip -n {name} link set {dev} up")
    guest.run(f"nsenter --net=/run/netns/{name} ethtool -K {dev} tx off gro on")
    guest.run(f"nsenter --net=/run/netns/ends ethtool -K {end} tx off gro off")


def box(guest: Guest, name: str, options: str | None) -> None:
    """As boxes.Box with two arms."""
    guest.run(f"ip netns add {name} && ip -n {name} link set lo up")
    cable(guest, name, "in0", INSIDE, f"g-{name}", INSIDE_END, "10.0.0.1/30")
    cable(guest, name, "out0", OUTSIDE, f"s-{name}", OUTSIDE_END, f"{EXTERNAL}/24")
    guest.run(f"ip -n {name} neigh add 10.0.0.2 lladdr {INSIDE_END} dev in0 nud permanent")
    guest.run(f"ip -n {name} neigh add 203.0.113.254 lladdr {OUTSIDE_END} dev out0 nud permanent")
    guest.run(f"ip -n {name} route add 10.77.0.0/16 via 10.0.0.2")
    guest.run(f"ip -n {name} route add default via 203.0.113.254")
    if options is not None:
        guest.run(f"nsenter --net=/run/netns/{name} natxdp load out0 --inside in0 {options} --no-watch "
                  f"--pin-dir /sys/fs/bpf/{name} --max-flows 4096 --host-ports none "
                  f"--external {EXTERNAL}:1024-65535 --udp-timeout {LONG}", timeout=PATIENCE)  # fmt: skip


def dispatcher(flows: int, packets: int, rounds: int) -> dict:
    programs = {
        "usr/sbin/natxdp": image.BUILD / "natxdp",
        "usr/sbin/path": image.BUILD / "selftests" / "bench" / "path",
    } | image.xdp_tools()
    with Guest(programs) as guest:
        guest.run("ip netns add ends && ip -n ends link set lo up")
        for name, options in WAYS.items():
            box(guest, name, options)
        named = " ".join(f"{name}=/run/netns/{name}" for name in WAYS)
        done = guest.run(f"nsenter --net=/run/netns/ends path --flows {flows} --packets {packets} "
                         f"--rounds {rounds} {named}", timeout=PATIENCE)  # fmt: skip
        return {"kernel": image.release_of(guest.kernel), "rows": json.loads(done.output)}
