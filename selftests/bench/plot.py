# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The plot: what a packet costs as flows become more."""

from __future__ import annotations

import subprocess
from pathlib import Path
from statistics import median

from targets import of_kind

PATH_NAMES = {
    "bare": "bare XDP redirect",
    "natxdp": "natxdp",
    "forward": "kernel, forwarding",
    "iptables": "kernel, iptables masquerade",
    "nft": "kernel, nft masquerade",
}
YARD_NAMES = {"natxdp": "natxdp", "hash": "BPF hash map", "lru": "BPF LRU hash map"}


def path_series(results: dict) -> dict[str, dict[int, float]]:
    series: dict[str, dict[int, float]] = {name: {} for name in PATH_NAMES}
    for _, rows in of_kind(results, "path"):
        for row in rows:
            if (row["direction"], row["order"]) != ("out", "uniform"):
                continue
            for peer, values in row["peers"].items():
                series[peer][row["flows"]] = median(values["ns"])
    return series


def established_series(results: dict) -> dict[str, dict[int, float]]:
    series: dict[str, dict[int, float]] = {name: {} for name in YARD_NAMES}
    for kind in ("established", "growth"):
        for _, rows in of_kind(results, kind):
            for row in rows:
                if (row["direction"], row["order"], row["proto"]) != ("out", "uniform", "udp"):
                    continue
                for name in YARD_NAMES.keys() & row["ns"].keys():
                    rounds = row["ns"][name]
                    series[name].setdefault(row["flows"], median(rounds))
    return series


def block(name: str, series: dict[str, dict[int, float]]) -> str:
    """The data of a plot: flows and nanoseconds, a series after the other."""
    lines = [f"${name} << END"]
    for points in series.values():
        lines += [f"{flows} {points[flows]:.1f}" for flows in sorted(points)]
        lines += ["", ""]
    return "\n".join([*lines, "END"])


def panel(name: str, series: dict[str, dict[int, float]], names: dict[str, str], title: str) -> str:
    curves = ", ".join(
        f'${name} index {index} with linespoints pt 7 ps 0.5 lw {3 if key == "natxdp" else 1.5} '
        f'title "{names[key]}"'
        for index, key in enumerate(series)
    )
    return f'set title "{title}"\nplot {curves}'


STYLE = """
set logscale x
set xrange [30:6e6]
set format x "10^{%L}"
set yrange [0:*]
set grid lc rgb "#dddddd"
set key top left reverse Left
set xlabel "flows, one of them at random for each packet"
set ylabel "ns a packet"
"""


def plot(results: dict, file: Path) -> None:
    """Draws what there is; nothing where neither is."""
    panels = [
        ("path", path_series(results), PATH_NAMES, "Whole path over veth, one core, out"),
        ("program", established_series(results), YARD_NAMES, "Over an empty program, UDP, out"),
    ]
    panels = [(n, {k: p for k, p in s.items() if p}, *rest) for n, s, *rest in panels]
    panels = [p for p in panels if p[1]]
    if not panels:
        return
    script = [f'set terminal svg size {500 * len(panels)},420 background "white" font "sans,12"']
    script += [f'set output "{file}"', *(block(name, series) for name, series, *_ in panels)]
    script += [STYLE, f"set multiplot layout 1,{len(panels)}", *(panel(*p) for p in panels)]
    subprocess.run(["gnuplot"], input="\n".join(script), text=True, check=True, timeout=60)
    text = "\n".join(line.rstrip() for line in file.read_text().splitlines())
    file.write_text(text + "\n")
