# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""How long does a failure last, and what does it cost? Many runs of each, in the miniature VPC.

Writes every run to build/bench-ha.json, after each one, and prints the distribution; a run
that is there already is not made again unless --anew is given. --doc writes the table of
docs/performance.md from that file.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "net")]

import scenario  # noqa: E402
from failures import FAILURES, Failure  # noqa: E402
from fleet import Fleet  # noqa: E402
from lab import BUILD, TOP  # noqa: E402

FILE = BUILD / "bench-ha.json"
DOCUMENT = TOP / "docs" / "performance.md"
BEGIN, END = "<!-- bench-ha: begin -->\n", "<!-- bench-ha: end -->\n"
COLUMNS = ("failure", "runs", "connections", "lost", "outage beyond API time, ms: median",
           "90 %", "worst", "of it until the first call: median", "API time, ms: median")


def load() -> dict:
    return json.loads(FILE.read_text()) if FILE.exists() else {"machine": machine(), "runs": []}


def machine() -> dict:
    return {"kernel": os.uname().release, "cpus": os.cpu_count()}


def save(results: dict) -> None:
    FILE.parent.mkdir(exist_ok=True)
    new = FILE.with_suffix(".tmp")
    new.write_text(json.dumps(results, indent=1) + "\n")
    new.replace(FILE)


def once(vpc: Fleet, traffic: scenario.Traffic, failure: Failure) -> dict:
    """One run, and all as before."""
    result = scenario.run(vpc, failure.name, lambda: failure.strike(vpc, "a"), "a",
                          traffic=traffic, moves=failure.moves, watch=3)
    if any(pair[0] != pair[1] for pair in result.holders.values()):
        result.problems.append(f"split: {result.holders}")
    failure.undo(vpc, "a")
    vpc.go_home("a")
    vpc.wait_ready()
    vpc.leaks.forget()
    return result.as_dict() | {"at": time.time(), "api": vpc.cloud.api,
                               "propagation": vpc.cloud.propagation,
                               "load": os.getloadavg()[0]}


def measure(results: dict, names: list[str], options: argparse.Namespace) -> None:
    """Those of one VPC; connections that were lost are not there in the next run, so it ends."""
    nodes = FAILURES[names[0]].nodes
    with Fleet(nodes=nodes) as vpc:
        vpc.cloud.api, vpc.cloud.propagation = options.api, options.propagation
        vpc.power_on()
        interval = options.interval or max(500, options.connections * 1000 // 6250)
        traffic = scenario.Traffic(vpc, "a", options.connections, interval=interval)
        while names:
            name = names.pop(0)
            run = once(vpc, traffic, FAILURES[name])
            results["runs"].append(run)
            save(results)
            print(f"{name}: beyond {run['beyond_ms']:.0f} ms of {run['outage_ms']:.0f} ms, "
                  f"lost {run['lost']} of {run['connections']} {run['problems'] or ''}", flush=True)
            if run["lost"]:
                return


def wanted(results: dict, chosen: list[str], runs: int, connections: int) -> list[str]:
    """What is missing, one failure after the other, those of one kind of VPC together."""
    missing = []
    for name in chosen:
        have = sum(run["scenario"] == name and run["connections"] >= connections * 0.9
                   for run in results["runs"])
        missing += [name] * max(0, runs - have)
    return missing


def rows(results: dict) -> list[tuple]:
    table = []
    groups: dict[tuple[str, int], list[dict]] = {}
    for run in results["runs"]:
        groups.setdefault((run["scenario"], run["connections"]), []).append(run)
    for (name, connections), runs in sorted(groups.items(), key=lambda item: (
            item[0][1], list(FAILURES).index(item[0][0]))):
        beyond = sorted(run["beyond_ms"] for run in runs)
        moved = FAILURES[name].moves
        table.append((
            f"{name}: {FAILURES[name].what}", len(runs), f"{connections:,}",
            f"{sum(run['lost'] for run in runs)}", f"{statistics.median(beyond):,.0f}",
            f"{beyond[min(len(beyond) - 1, len(beyond) * 9 // 10)]:,.0f}", f"{beyond[-1]:,.0f}",
            f"{statistics.median(run['first_call_ms'] for run in runs):,.0f}"
            if moved and not FAILURES[name].planned else "-",
            f"{statistics.median(run['api_ms'] for run in runs):,.0f}" if moved else "-"))
    return table


def document(results: dict) -> None:
    """Replaces what is between the marks."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---" + "|---:" * (len(COLUMNS) - 1) + "|"]
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows(results)]
    text = DOCUMENT.read_text()
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.S)
    assert pattern.search(text), f"{DOCUMENT} has no marks of bench-ha"
    body = BEGIN + "\n".join(lines) + "\n" + END
    DOCUMENT.write_text(pattern.sub(lambda _: body, text))


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench-ha", description=__doc__)
    parser.add_argument("failures", nargs="*", help=f"of {', '.join(FAILURES)} (all)")
    parser.add_argument("--runs", type=int, default=30, help="of each (30)")
    parser.add_argument("--connections", type=int, default=300, help="in all zones (300)")
    parser.add_argument("--interval", type=int, help="ms between messages of a connection "
                        "(500, or so that there are 6,250 a second)")
    parser.add_argument("--api", type=float, default=0, help="seconds of an API call (0)")
    parser.add_argument("--propagation", type=float, default=0, help="seconds until it acts (0)")
    parser.add_argument("--anew", action="store_true", help="forget the runs so far")
    parser.add_argument("--doc", action="store_true", help="write the table, measure nothing")
    options = parser.parse_args()
    results = load()
    if options.doc:
        document(results)
        return 0
    if options.anew:
        results = {"machine": machine(), "runs": []}
    chosen = options.failures or list(FAILURES)
    if set(chosen) - set(FAILURES):
        parser.error(f"there are {', '.join(FAILURES)}")
    while missing := wanted(results, chosen, options.runs, options.connections):
        nodes = FAILURES[missing[0]].nodes
        measure(results, [name for name in missing if FAILURES[name].nodes == nodes], options)
    for row in [COLUMNS, *rows(results)]:
        print("\t".join(map(str, row)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
