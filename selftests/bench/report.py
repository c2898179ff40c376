# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Tables of what was measured, in Markdown, which is readable as it is."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from targets import of_kind, ratio, size_of, targets


HOOK_NAMES = ("link", "dispatcher", "tc", "generic")
BULK_NAMES = {"tc": "natxdp at TC", "nft": "nft", "forward": "forward"}


def table(head: list[str], rows: list[list[object]]) -> str:
    """The first columns are text as long as they are; numbers go to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(line[i]) for line in [head, *cells]) for i in range(len(head))]
    numeric = [all(isinstance(row[i], Number) for row in rows) for i in range(len(head))]

    def line(row: list[str]) -> str:
        fitted = [
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numeric, strict=True)
        ]
        return "| " + " | ".join(fitted) + " |"

    rule = ["-" * (width - 1) + ":" if n else "-" * width for width, n in zip(widths, numeric)]
    return "\n".join([line(head), line(rule), *map(line, cells)])


class Number(str):
    """Text that goes to the right."""


def number(value: float, digits: int = 0) -> Number:
    return Number(f"{value:,.{digits}f}")


def spread(rounds: list[float], digits: int = 0) -> str:
    """The median, and between what the rounds were."""
    least, most = (f"{end:,.{digits}f}" for end in (min(rounds), max(rounds)))
    return Number(f"{median(rounds):,.{digits}f} ({least}-{most})")


def established_table(results: dict, kind: str = "established") -> str:
    rows = []
    names: list[str] = []
    for _, measured in of_kind(results, kind):
        for row in measured:
            names = list(row["ns"])
            cells = [number(row["flows"]), row["proto"], row["direction"], row["order"]]
            cells += [spread(rounds) for rounds in row["ns"].values()]
            if "hash" in names:
                cells.append(number(ratio(row["ns"]["natxdp"], row["ns"]["hash"]), 2))
            if "gwlb" in names:
                cells.append(number(ratio(row["ns"]["gwlb"], row["ns"]["natxdp"]), 2))
            rows.append(cells)
    head = ["flows", "proto", "way", "order", *names]
    ratios = (["natxdp / hash"] if "hash" in names else []) + (
        ["gwlb / natxdp"] if "gwlb" in names else []
    )
    return table(head + ratios, rows)


def path_table(results: dict, kind: str) -> str:
    rows = []
    names: list[str] = []
    for name, measured in of_kind(results, kind):
        for row in measured:
            names = list(row["peers"])
            ns = {peer: values["ns"] for peer, values in row["peers"].items()}
            rows.append(
                [number(size_of(name)), row["direction"], row["order"]]
                + [number(median(rounds)) for rounds in ns.values()]
                + [number(ratio(ns["natxdp"], ns["bare"]), 2)]
                + [number(ratio(ns["nft"], ns["natxdp"]), 1)]
            )
    return table(
        ["flows", "way", "order", *names, "natxdp / bare", "rate against nft"],
        rows,
    )


def hooks_table(results: dict) -> str:
    rows = []
    names: list[str] = []
    for name, result in of_kind(results, "hooks"):
        for row in result["rows"]:
            ns = {peer: values["ns"] for peer, values in row["peers"].items()}
            names = [peer for peer in ("bare", *HOOK_NAMES, "nft") if peer in ns]
            rows.append(
                [number(size_of(name)), row["direction"], row["order"]]
                + [number(median(ns[peer])) for peer in names]
                + [number(ratio(ns[peer], ns["link"]), 2) for peer in names if peer != "link"]
            )
    head = ["flows", "way", "order", *names]
    return table(head + [f"{peer} / link" for peer in names if peer != "link"], rows)


def dispatcher_table(results: dict) -> str:
    rows = []
    for _, result in of_kind(results, "dispatcher"):
        for row in result["rows"]:
            # whatever else runs, some of the short rounds are left alone
            cost = {peer: min(values["ns"]) for peer, values in row["peers"].items()}
            rows.append(
                [row["direction"], row["order"]]
                + [number(cost[peer] / cost["link"], 2) for peer in ("bare", "dispatcher")]
            )
    return table(["way", "order", "bare / link", "dispatcher / link"], rows)


def bulk_table(results: dict) -> str:
    rows = []
    for _, kinds in of_kind(results, "bulk"):
        for kind, ways in kinds.items():
            cells: list[object] = [BULK_NAMES[kind]]
            for way in ("out", "in"):
                cells.append(spread(ways[way], 1))
                cells.append(number(ratio(ways[way], kinds["nft"][way]), 2))
            rows.append(cells)
    return table(["NAT", "Gbit/s out", "of nft's", "Gbit/s in", "of nft's"], rows)


def new_table(results: dict) -> str:
    rows = []
    for _, row in of_kind(results, "new"):
        ns = row["ns"]
        rows.append(
            [number(row["load"]), number(row["flows"])]
            + [spread(ns[name]) for name in ("natxdp", "hash", "lru")]
            + [number(1e9 / median(ns["natxdp"])), number(ratio(ns["natxdp"], ns["hash"]), 2)]
        )
    head = ["% full", "flows", "natxdp", "hash", "lru", "flows a second", "natxdp / hash"]
    return table(head, rows)


def new_path_table(results: dict) -> str:
    rows = []
    names: list[str] = []
    for _, row in of_kind(results, "new-path"):
        ns = {peer: values["ns"] for peer, values in row["peers"].items()}
        names = list(ns)
        rows.append(
            [number(row["load"]), number(row["flows"])]
            + [number(median(rounds)) for rounds in ns.values()]
            + [number(ratio(ns["natxdp"], ns["nft"]), 2)]
        )
    return table(["% full", "flows", *names, "natxdp / nft"], rows)


def connect_table(results: dict) -> str:
    rows = []
    for _, kinds in of_kind(results, "connect"):
        for kind, rounds in kinds.items():
            rates = [r["connections"] / r["seconds"] for r in rounds]
            rows.append([kind, spread(rates), number(sum(r["failed"] for r in rounds))])
    return table(["NAT", "connections a second", "failed"], rows)


def ports_table(results: dict) -> str:
    rows = []
    for _, result in of_kind(results, "ports"):
        rounds = result["rounds"]
        for name, key in (
            ("all 64,512 ports", "all"),
            ("the last 10 %", "last_10_percent"),
            ("the last 1 %", "last_1_percent"),
        ):
            means = [r[key]["mean_ns"] for r in rounds]
            rows.append([name, spread(means), number(median(r[key]["worst_ns"] for r in rounds))])
        means = [r["refused_mean_ns"] for r in rounds]
        worst = median(r["refused_worst_ns"] for r in rounds)
        rows.append(["refused, when all are taken", spread(means), number(worst)])
    return table(["flows to one destination", "mean ns a flow", "worst ns"], rows)


def upkeep_table(results: dict) -> str:
    rows: list[list[object]] = []
    for _, r in of_kind(results, "expiry"):
        share = 100 * (median(r["taken_during"]) - median(r["taken_before"]))
        rows.append([f"sweep of {r['flows']:,} live flows", number(share, 2), "% of a core"])
        late = r["late"]
        what = f"lateness of expiry, {late['rate']:,} flows a second beside {late['live']:,} live"
        rows.append([f"{what}: mean", number(late["mean_s"], 2), "s"])
        rows.append([f"{what}: worst", number(late["worst_s"], 2), "s"])
    for _, r in of_kind(results, "dump"):
        what = f"natxdp flows --json, {r['flows']:,} flows, {r['bytes'] / 1e6:,.0f} MB"
        rows.append([what, number(median(r["seconds"]), 2), "s"])
    for _, r in of_kind(results, "memory"):
        what = f"memory of all maps, max_flows {r['max_flows']:,}"
        rows.append([what, number(r["bytes"] / 1e6, 1), "MB"])
        rows.append(["the same for a flow", number(r["bytes"] / r["max_flows"], 1), "bytes"])
        for name, size in sorted(r["maps"].items(), key=lambda item: -item[1])[:3]:
            rows.append([f"of these in {name}", number(size / r["max_flows"], 1), "bytes"])
    return table(["what", "measured", "unit"], rows)


def sync_table(results: dict) -> str:
    rows: list[list[object]] = []
    for name, r in of_kind(results, "sync"):
        if name == "sync/rate":
            what = f"{r['flows_per_second']:,} flows a second open, as many close: "
            rows.append([what + "the owner", number(r["owner_percent"], 1), "% of a core"])
            rows.append([what + "the standby", number(r["standby_percent"], 1), "% of a core"])
            rows.append([what + "lag, median", number(r["lag_median_ms"]), "ms"])
            rows.append([what + "lag, worst", number(r["lag_worst_ms"]), "ms"])
            rows.append([what + "sent", number(r["bytes_per_record"], 1), "bytes a record"])
        else:
            what = f"full copy of {r['flows']:,} flows: "
            rows.append([what + "time", number(r["seconds"], 1), "s"])
            rows.append([what + "the owner", number(r["owner_cpu_seconds"], 1), "s of a core"])
            rows.append([what + "the standby", number(r["standby_cpu_seconds"], 1), "s of a core"])
            rows.append([what + "sent", number(r["bytes_per_flow"], 1), "bytes a flow"])
            slower = 100 * (r["forward_ns_during"] / r["forward_ns_alone"] - 1)
            rows.append([what + "a packet of the owner takes longer by", number(slower, 1), "%"])
    return table(["what", "measured", "unit"], rows)


def scale_table(results: dict) -> str:
    rows = []
    for name, measured in of_kind(results, "scale"):
        for row in measured:
            rows.append(
                [name.partition("/")[2].replace("-", " "), number(row["cores"])]
                + [spread(row["established_ns"]), spread(row["new_ns"])]
            )
    return table(["flows of", "cores", "ns a packet", "ns a new flow"], rows)


def load_table(results: dict) -> str:
    rows = []
    for _, result in of_kind(results, "load"):
        for program in result["programs"]:
            rows.append(
                [result["kernel"], program["name"], number(program["instructions"])]
                + [number(program["jited_bytes"]), number(program["verified_instructions"])]
                + [number(median(program["verify_ms"]), 1)]
            )
        rows.append([result["kernel"], "both objects, loaded", *[Number("")] * 3,
                     number(median(result["load_ms"]), 1)])  # fmt: skip
    return table(["kernel", "program", "instructions", "JITed bytes", "verified", "ms"], rows)


def targets_table(results: dict) -> str:
    return table(
        ["target", "measured", "limit", ""],
        [
            [
                t.text,
                number(t.value, 0 if t.unit == "ports" else 2),
                Number(f"{'>=' if t.at_least else '<='} {t.limit:g} {t.unit}"),
                "met" if t.met else "**missed**",
            ]
            for t in targets(results)
        ],
    )


# Of each: what the tables in docs/performance.md are called, its heading, what makes it.
TABLES: dict[str, tuple[str, Callable[[dict], str]]] = {
    "established": ("established packet, ns over an empty program", established_table),
    "path": ("whole path, two arms, ns a packet", lambda r: path_table(r, "path")),
    "one-armed": ("whole path, one arm, ns a packet", lambda r: path_table(r, "one-armed")),
    "new": ("new flow, ns over an empty program", new_table),
    "new-path": ("new flow, whole path, ns", new_path_table),
    "hooks": ("ways to attach, whole path, two arms, ns a packet", hooks_table),
    "dispatcher": (
        "behind libxdp's dispatcher, whole path, two arms, in an emulated guest",
        dispatcher_table,
    ),
    "connect": ("TCP connect and close with sockets", connect_table),
    "bulk": ("bulk TCP with offloads", bulk_table),
    "ports": ("ports of one address to one destination", ports_table),
    "upkeep": ("expiry, dump, memory", upkeep_table),
    "sync": ("replication", sync_table),
    "scale": ("one core and two, ns over an empty program", scale_table),
    "growth": (
        "more flows, ns over an empty program",
        lambda r: established_table(r, "growth"),
    ),
    "load": ("code", load_table),
    "targets": ("targets", targets_table),
}
PARTS = {"upkeep": ("expiry", "dump", "memory"), "targets": ()}


def measured(name: str, results: dict) -> bool:
    parts = PARTS.get(name, (name,))
    return any(True for part in parts for _ in of_kind(results, part))


def print_tables(results: dict) -> None:
    for name, (heading, make) in TABLES.items():
        if measured(name, results):
            print(f"\n{heading}\n\n{make(results)}", flush=True)
    found = targets(results)
    if found:
        print("\ntargets\n")
        for target in found:
            print(target.line())
        print(f"\n{sum(t.met for t in found)} of {len(found)} targets met")
