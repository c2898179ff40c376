# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The arithmetic of scripts/cost.sh, against sums that are made here."""

import json
import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]

# Round numbers, each different, so that no price can stand in for another.
PRICES = {
    "date": "2000-01-01", "region": "nowhere", "currency": "USD", "hours": 100,
    "nat_gateway": {"hour": 1, "gb": 0.5}, "public_ipv4": {"hour": 0.1}, "interface_endpoint": {"hour": 0.2},
    "nlb": {"hour": 0.3}, "gwlb": {"hour": 0.4, "gb": 0.05}, "gwlb_endpoint": {"hour": 0.6, "gb": 0.03},
    "internet_out": {"gb": 0.7}, "cross_az": {"gb": 0.02},
    "cloudwatch": {"metric": 0.01, "alarm": 0.02, "fast_alarm": 0.06, "composite_alarm": 0.04, "dashboard": 5},
    "lambda": {"gb_second": 0.0001}, "ebs": {"gb": 0.09}, "kms": {"key": 2}, "spot": {"share_of_on_demand": 0.25},
    "instances": {"x.large": {"hour": 3, "gbps": 1}},
}
METRICS, ALARMS, FAST = 50, 20, 2  # fast: NATReachability, every 10 seconds


@pytest.fixture
def cost(tmp_path):
    prices = tmp_path / "prices.json"
    prices.write_text(json.dumps(PRICES))

    def run(*arguments):
        done = subprocess.run([str(TOP / "scripts/cost.sh"), "--json", "--prices", str(prices), "--instance", "x.large",
                               *arguments], capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout)

    return run


def parts(answer, who="natxdp"):
    return {part["what"]: part["amount"] for part in answer["cost"][who]["parts"]}


def test_eip(cost):
    answer = cost("--azs", "2", "--out", "1000", "--in", "3000", "--eips", "3", "--endpoints", "2")
    expected = {
        "instances": 2 * 3 * 100,
        "disks": 2 * 8 * 0.09,
        "public addresses": 2 * (3 + 1) * 0.1 * 100,
        "interface endpoints": 2 * 2 * 0.2 * 100,
        "metrics": 2 * METRICS * 0.01,
        "alarms and dashboard": 2 * (ALARMS * 0.02 + FAST * 0.06 + 0.04) + 5,
        "health probe": 100 * 3600 * 0.125 * 0.0001,
        "key": 2,
    }
    assert parts(answer) == pytest.approx(expected)
    assert answer["cost"]["natxdp"]["total"] == pytest.approx(sum(expected.values()), abs=0.01)
    assert parts(answer, "NAT gateway") == pytest.approx({"gateways": 200, "processing": 2000, "public addresses": 20})
    assert answer["cost"]["NAT gateway"]["total"] == 2220
    assert answer["saved"] == pytest.approx(2220 - sum(expected.values()), abs=0.01)
    assert answer["same_for_all"]["internet out"] == 700


def test_others(cost):
    answer = cost("--azs", "2")
    assert parts(answer, "fck-nat") == pytest.approx({"instances": 600, "disks": 1.44, "public addresses": 20})
    assert parts(answer, "alterNAT") == pytest.approx({
        "instances": 600, "disks": 1.44, "standby NAT gateways": 200, "public addresses": 40,
        "interface endpoint": 40, "health probe": 9})


def test_eni_has_a_load_balancer(cost):
    eip, eni = cost("--mode", "eip"), cost("--mode", "eni")
    assert parts(eni)["network load balancer"] == 30
    assert eni["cost"]["natxdp"]["total"] - eip["cost"]["natxdp"]["total"] == pytest.approx(30)


def test_gwlb_is_paid_by_the_gigabyte(cost):
    answer = cost("--mode", "gwlb", "--azs", "2", "--out", "1000", "--in", "1000")
    assert parts(answer)["gateway load balancer"] == pytest.approx(2 * 0.4 * 100 + 2000 * 0.05)
    assert parts(answer)["its endpoints"] == pytest.approx(2 * 0.6 * 100 + 2000 * 0.03)
    assert parts(answer)["public addresses"] == pytest.approx(2 * 0.1 * 100)


def test_spot(cost):
    answer = cost("--azs", "3", "--spot", "2")
    assert parts(answer)["instances"] == pytest.approx((1 + 2 * 0.25) * 3 * 100)


@pytest.mark.parametrize("mode", ["eip", "gwlb"])
def test_at_the_break_even_point_both_cost_the_same(cost, mode):
    point = cost("--mode", mode, "--out", "1", "--in", "1")["break_even_gb"]
    assert point > 0
    answer = cost("--mode", mode, "--out", str(point), "--in", "0")
    # It is rounded up to a gigabyte, which is half a dollar here.
    assert 0 <= answer["saved"] <= 0.5


def test_warns_of_a_busy_hour(cost):
    # 1 Gbit/s for 100 hours is 45,000 GB.
    fits = cost("--azs", "1", "--out", "44999", "--in", "0", "--peak", "1")
    assert fits["warnings"] == [] and fits["peak_gbps_per_zone"] == 1
    busy = cost("--azs", "1", "--out", "22501", "--in", "0", "--peak", "2")
    assert len(busy["warnings"]) == 1 and "x.large carries 1 Gbit/s" in busy["warnings"][0]


def test_the_list_gives_again_what_others_have_published():
    """fck-nat's and alterNAT's README: 10 TB a month through a NAT gateway, half of it out, are 954 dollars."""
    done = subprocess.run([str(TOP / "scripts/cost.sh"), "--json", "--azs", "1", "--out", "5120", "--in", "5120"],
                          capture_output=True, text=True, timeout=60, check=True)
    answer = json.loads(done.stdout)
    gateway = parts(answer, "NAT gateway")
    assert round(gateway["gateways"] + gateway["processing"] + answer["same_for_all"]["internet out"]) == 954


def test_metrics_and_alarms_are_those_that_there_are():
    listed = (TOP / "agent/metric_list.h").read_text()
    assert len(re.findall(r"METRIC\([A-Z0-9_]+,\s*\"\w+\",\s*[A-Z_]+,\s*[A-Z]+,\s*NAT,\s*BASIC,", listed)) == METRICS
    kinds = (TOP / "terraform/modules/observability/main.tf").read_text()
    # One of drops stands apart.
    assert len(re.findall(r"^      [a-z-]+\s+= \{ metric = ", kinds, re.M)) + 1 == ALARMS


@pytest.mark.parametrize("arguments, says", [
    (["--out", "many"], "--out must be a number, not many"),
    (["--azs", "9"], "--azs must be 1 to 6"),
    (["--mode", "nlb"], "--mode must be eni, eip or gwlb"),
    (["--instance", "t1.micro"], "there is no price of t1.micro"),
    (["--size", "9"], "there is no option --size"),
    (["--out"], "--out needs a value"),
])
def test_refuses(arguments, says):
    done = subprocess.run([str(TOP / "scripts/cost.sh"), *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert says in done.stderr


def test_the_alarms_are_those_of_terraform(cost):
    """Of each zone, by the metrics that they look at."""
    text = (TOP / "terraform/modules/observability/main.tf").read_text()
    kinds = re.findall(r"^      [a-z-]+ += \{ metric = \"(\w+)\"", text, re.M)
    of_drops = len(re.search(r"for_each = (\{ dropped = .*\})", text).group(1).split(","))
    fast = kinds.count("NATReachability")
    assert (len(kinds) - fast + of_drops, fast) == (ALARMS, FAST)
    without = cost("--no-control-plane")["question"]
    assert (without["alarms"], without["fast_alarms"]) == (ALARMS - 3, 0)
