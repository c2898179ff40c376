# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The measurements. Each is a function that returns what goes into bench.json."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

from boxes import BUILD, Box, Conntrack, bench
from bulk import bulk
from connect import connect
from dispatcher import dispatcher
from lab import Lab, run
from replication import copy, steady

PEERS = ("bare", "natxdp", "nft", "iptables", "forward")
# How natxdp is loaded by each way to attach it.
HOOKS = {
    "link": (),
    "dispatcher": ("--dispatcher",),
    "tc": ("--hook", "tc"),
    "generic": ("--xdp-mode", "generic"),
}
SIZES = (64, 10_000, 200_000, 1_000_000)
ROOM = 262_144  # the default of max_flows: the table does not shrink with the flows in it
MILLION = 1_048_576


class Amount:
    """How much of everything: so that numbers are worth something, or only that it runs."""

    def __init__(self, short: bool) -> None:
        self.short = short
        self.rounds = 2 if short else 5
        self.packets = 20_000 if short else 500_000
        self.sizes = (64, 10_000) if short else SIZES
        self.full = 20_000 if short else MILLION  # a large table
        self.open = 1000 if short else 10_000
        self.loads = (0, 50) if short else (0, 50, 80)
        self.growth = (10_000, 20_000) if short else (1_000_000, 2_000_000, 4_000_000)

    def path_packets(self, flows: int) -> int:
        if self.short:
            return 10_000
        return 200_000 if flows <= 10_000 else 100_000


def single(lab: Lab, max_flows: int) -> Box:
    """The shipped NAT, one-armed, for test runs of its program."""
    box = Box(lab, "natxdp", arms=1)
    box.start(max_flows)
    return box


def established(amount: Amount, flows: int, yardsticks: int = 1) -> list[dict]:
    rows = []
    for proto in ("udp", "tcp"):
        with Lab() as lab:
            box = single(lab, max(flows, ROOM))
            gwlb = box.add_gwlb(max(flows, ROOM)) if yardsticks else []
            rows += bench(
                box.ns, "established", *box.program_arguments(), "--flows", flows, "--proto", proto,
                "--packets", amount.packets, "--rounds", amount.rounds,
                "--yardsticks", yardsticks, *gwlb,
            )  # fmt: skip
    return rows


def growth(amount: Amount) -> list[dict]:
    """What packets cost as flows grow beyond what is usual: only the shipped program."""
    return [
        row
        for flows in amount.growth
        for row in established(amount, flows, yardsticks=0)
        if row["proto"] == "udp"
    ]


def peers(lab: Lab, arms: int, max_flows: int, kinds: tuple[str, ...] = PEERS) -> list[str]:
    named = []
    for kind in kinds:
        box = Box(lab, kind, arms)
        box.start(max_flows)
        named.append(f"{kind}={box.ns.path}")
    return named


def path(amount: Amount, arms: int, flows: int) -> list[dict]:
    with Conntrack(max(flows, ROOM)), Lab() as lab:
        named = peers(lab, arms, max(flows, ROOM))
        return bench(lab["ends"], "path", "--flows", flows, "--packets", amount.path_packets(flows),
                     "--rounds", amount.rounds, *named)  # fmt: skip


def hooks(amount: Amount, flows: int) -> dict:
    """The same NAT by each way to attach it, and the kernel's own."""
    refused = ""
    with Conntrack(max(flows, ROOM)), Lab() as lab:
        named = peers(lab, 2, max(flows, ROOM), ("bare", "nft"))
        for name, options in HOOKS.items():
            box = Box(lab, "natxdp", 2, name)
            try:
                box.start(max(flows, ROOM), *options)
            except AssertionError as problem:
                if name != "dispatcher":
                    raise
                # a kernel may refuse the type of program that libxdp needs
                refused = str(problem).strip().splitlines()[-1]
                continue
            named.append(f"{name}={box.ns.path}")
        rows = bench(lab["ends"], "path", "--flows", flows,
                     "--packets", amount.path_packets(flows), "--rounds", amount.rounds,
                     *named)  # fmt: skip
    return {"rows": rows, "refused": refused}


def fresh(amount: Amount, load: int) -> dict:
    """New flows in a table of which load % is in use."""
    flows = amount.full * load // 100
    with Lab() as lab:
        box = single(lab, amount.full)
        row = bench(box.ns, "open", *box.program_arguments(), "--flows", flows,
                    "--open", amount.open, "--rounds", amount.rounds)  # fmt: skip
    return row | {"load": load}


def fresh_path(amount: Amount, load: int) -> dict:
    flows = amount.full * load // 100
    with Conntrack(amount.full), Lab() as lab:
        named = peers(lab, 2, amount.full)
        [row] = bench(lab["ends"], "path", "--flows", flows, "--open", amount.open,
                      "--rounds", amount.rounds, *named)  # fmt: skip
    return row | {"load": load}


def ports(amount: Amount) -> dict:
    with Lab() as lab:
        # each round fills all ports of one more destination
        box = single(lab, 65_536 * (amount.rounds + 1))
        return bench(box.ns, "ports", *box.program_arguments(), "--rounds", amount.rounds,
                     "--flood", "0.2" if amount.short else "1")  # fmt: skip


def expiry(amount: Amount) -> dict:
    flows = amount.full * 9 // 10 if amount.short else 1_000_000
    spin = ("spin", "--cpu", "1", "--seconds", 1 if amount.short else 4)
    before, during, result = [], [], {"flows": flows}
    with Lab() as lab:
        box = Box(lab, "natxdp", arms=1)
        for _ in range(amount.rounds):
            before.append(bench(None, "expiry", *spin))
        # the timer stays on the CPU on which it was armed
        box.load(flows, cpu=1)
        bench(box.ns, "expiry", "fill", *box.program_arguments(), "--flows", flows)
        for _ in range(amount.rounds):
            during.append(bench(None, "expiry", *spin))
    result["taken_before"] = [r["taken"] for r in before]
    result["taken_during"] = [r["taken"] for r in during]
    result["worst_gap_us"] = max(r["worst_gap_us"] for r in during)
    result["late"] = lateness(amount, flows)
    return result


def lateness(amount: Amount, flows: int) -> dict:
    timeout, live = 2, flows * 8 // 10
    rate = 500 if amount.short else 20_000
    with Lab() as lab:
        box = Box(lab, "natxdp", arms=1)
        box.load(flows, "--udp-timeout", timeout)
        bench(box.ns, "expiry", "fill", *box.program_arguments(), "--flows", live)
        late = bench(box.ns, "expiry", "late", *box.program_arguments(), "--rate", rate,
                     "--seconds", "2" if amount.short else "5", "--timeout", timeout)  # fmt: skip
    return late | {"live": live, "rate": rate}


def dump(amount: Amount) -> dict:
    flows = 10_000 if amount.short else 1_000_000
    seconds, out = [], {}
    with Lab() as lab:
        box = single(lab, max(flows, 16_384))
        bench(box.ns, "expiry", "fill", *box.program_arguments(), "--flows", flows)
        file = lab.scratch / "flows.json"
        for _ in range(amount.rounds if amount.short else 3):
            start = time.monotonic()
            box.ns.run("sh", "-c", f"exec \"$0\" flows --json --pin-dir {box.pin_dir} > {file}",
                       BUILD / "natxdp")  # fmt: skip
            seconds.append(time.monotonic() - start)
        out["bytes"] = file.stat().st_size
        with file.open() as text:
            count = sum(line.count('"destination"') for line in text)
    if count != flows:
        raise AssertionError(f"{count} of {flows} flows in the dump")
    return out | {"flows": flows, "seconds": seconds}


def bpftool(*arguments: object):
    """The one that the build has found."""
    found = re.search(r"^BPFTOOL := (.*)$", (BUILD / "config.mk").read_text(), re.M)
    return json.loads(run(found.group(1) if found else "bpftool", "-j", *arguments).stdout)


def memory(amount: Amount) -> dict:
    """All maps of a NAT, pinned or not."""
    maps = {}
    with Lab() as lab:
        box = single(lab, amount.full)
        link = bpftool("link", "show", "pinned", box.pin_dir / "links" / box.outside)
        program = bpftool("prog", "show", "id", link["prog_id"])
        ids = set(program["map_ids"])
        for pin in (box.pin_dir / "maps").iterdir():
            ids.add(bpftool("map", "show", "pinned", pin)["id"])
        for number in sorted(ids):
            found = bpftool("map", "show", "id", number)
            maps[found["name"]] = found.get("bytes_memlock", 0)
    return {"max_flows": amount.full, "maps": maps, "bytes": sum(maps.values())}


def scale(amount: Amount, one_host: int) -> list[dict]:
    flows = 10_000 if amount.short else 200_000
    with Lab() as lab:
        box = single(lab, MILLION)
        return bench(box.ns, "scale", *box.program_arguments(), "--flows", flows,
                     "--one-host", one_host, "--open", amount.open, "--packets", amount.packets,
                     "--rounds", amount.rounds)  # fmt: skip


def load(amount: Amount) -> dict:
    return bench(None, "load", "--rounds", amount.rounds)


def all_steps(amount: Amount) -> dict[str, Callable[[], object]]:
    """By name, in the order in which they run."""
    steps: dict[str, Callable[[], object]] = {}
    for flows in amount.sizes:
        steps[f"established/{flows}"] = lambda n=flows: established(amount, n)
    for name, arms in (("path", 2), ("one-armed", 1)):
        for flows in amount.sizes:
            steps[f"{name}/{flows}"] = lambda n=flows, a=arms: path(amount, a, n)
    for percent in amount.loads:
        steps[f"new/{percent}"] = lambda p=percent: fresh(amount, p)
    for percent in amount.loads:
        steps[f"new-path/{percent}"] = lambda p=percent: fresh_path(amount, p)
    for flows in amount.sizes[:2]:
        steps[f"hooks/{flows}"] = lambda n=flows: hooks(amount, n)
    if not amount.short:  # it takes a guest
        steps["dispatcher"] = lambda: dispatcher(64, 640, 64)
    steps["connect"] = lambda: connect(amount.rounds, 1)
    steps["bulk"] = lambda: bulk(*((1, 1) if amount.short else (5, 2)))
    steps["ports"] = lambda: ports(amount)
    steps["expiry"] = lambda: expiry(amount)
    steps["dump"] = lambda: dump(amount)
    steps["memory"] = lambda: memory(amount)
    steps["scale/hosts"] = lambda: scale(amount, 0)
    steps["scale/one-host"] = lambda: scale(amount, 1)
    steps["sync/rate"] = lambda: steady(2000 if amount.short else 20_000, 2 if amount.short else 20)
    steps["sync/copy"] = lambda: copy(20_000 if amount.short else 1_000_000)
    steps["growth"] = lambda: growth(amount)
    steps["load"] = lambda: load(amount)
    return steps
