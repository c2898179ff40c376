#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""main.py [--short] [NAME]: measures, and reports on all that was measured.
main.py --list: the names. main.py --doc: docs/performance.md from bench.json.

NAME is the beginning of a name, as path or path/64. What was measured before
stays in build/bench.json, so that a run can be done in pieces. What
build/selftests/bench/load prints on another kernel can be put into
build/bench-load-KERNEL.json: the report takes it up.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "net"))

from lab import BUILD, TOP  # noqa: E402
from plot import plot  # noqa: E402
from report import TABLES, measured, print_tables  # noqa: E402
from steps import Amount, all_steps  # noqa: E402
from targets import sane  # noqa: E402

DOC = TOP / "docs" / "performance.md"
IMAGE = TOP / "docs" / "performance.svg"


def machine() -> dict:
    cpuinfo = Path("/proc/cpuinfo").read_text()
    meminfo = Path("/proc/meminfo").read_text()
    return {
        "cpu": re.search(r"model name\s*: (.*)", cpuinfo).group(1) if "model name" in cpuinfo
        else platform.machine(),
        "cpus": cpuinfo.count("processor\t"),
        "memory_gb": round(int(re.search(r"MemTotal:\s*(\d+)", meminfo).group(1)) / 1e6),
        "kernel": platform.release(),
        "date": time.strftime("%Y-%m-%d"),
    }  # fmt: skip


def read_results(file: Path) -> dict:
    found = json.loads(file.read_text()) if file.exists() else {"results": {}}
    for other in sorted(BUILD.glob("bench-load-*.json")):
        result = json.loads(other.read_text())
        found["results"][f"load/{result['kernel']}"] = result
    return found


def measure(wanted: str, short: bool, file: Path) -> dict:
    steps = {n: s for n, s in all_steps(Amount(short)).items() if n.startswith(wanted)}
    if not steps:
        sys.exit(f"bench: nothing is called {wanted}: main.py --list")
    found = {"results": {}} if short else read_results(file)
    found["machine"] = machine()
    for name, step in steps.items():
        start = time.monotonic()
        print(f"{name:24}", end="", flush=True)
        found["results"][name] = step()
        print(f"{time.monotonic() - start:6.1f} s", flush=True)
        file.write_text(json.dumps(found, indent=1) + "\n")
    return found


def in_order(results: dict) -> dict:
    names = list(all_steps(Amount(False)))
    return dict(sorted(results.items(), key=lambda r: names.index(r[0]) if r[0] in names else 99))


def write_doc(found: dict) -> None:
    """Replaces what stands between <!-- bench:NAME --> and <!-- /bench -->."""
    results = in_order(found["results"])
    text = DOC.read_text()

    def fill(match: re.Match) -> str:
        name = match.group(1)
        if name == "machine":
            m = found["machine"]
            body = (f"{m['cpu']}, {m['cpus']} cores of a virtual machine, {m['memory_gb']} GB, "
                    f"Linux {m['kernel']}, {m['date']}")  # fmt: skip
        elif name == "targets" or measured(name, results):
            body = TABLES[name][1](results)
        else:
            body = f"not measured in this run: `make bench T={name}`"
        return f"<!-- bench:{name} -->\n{body}\n<!-- /bench -->"

    pattern = r"<!-- bench:([a-z-]+) -->\n.*?<!-- /bench -->"
    DOC.write_text(re.sub(pattern, fill, text, flags=re.S))
    plot(results, IMAGE)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", nargs="?", default="")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--doc", action="store_true")
    arguments = parser.parse_args()
    file = BUILD / ("bench-short.json" if arguments.short else "bench.json")
    if arguments.list:
        print("\n".join(all_steps(Amount(arguments.short))))
        return
    if arguments.doc:
        write_doc(read_results(file))
        return
    found = measure(arguments.name, arguments.short, file)
    results = in_order(found["results"])
    print_tables(results)
    plot(results, file.with_suffix(".svg"))
    print(f"\nwritten: {file}, {file.with_suffix('.svg')}")
    wrong = sane(results)
    for line in wrong:
        print(f"bench: {line}", file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
