# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""An agent that publishes to the stand-in for AWS, and what has come there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent import SANITIZED, Agent
from lab import Lab

if TYPE_CHECKING:
    from standin import StandIn

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDSTANDIN", "AWS_SECRET_ACCESS_KEY": "secret/standin+key"}


def agent_of(lab: Lab, cloud: StandIn, **conf: object) -> Agent:
    """With sanitizers. An interval of the default minute is a second here."""
    return Agent(lab, KEYS, program=SANITIZED, **({
        "cloudwatch_metrics": "basic", "interval": 1, "sample": "0.2", "aws_region": cloud.region,
        "aws_endpoint": cloud.url, "aws_timeout": 2,
    } | conf))


def data(cloud: StandIn, name: str) -> list[dict]:
    return [datum for datum in list(cloud.world.metrics) if datum["MetricName"] == name]


def value(datum: dict) -> float:
    """Of a sum, or the highest of a gauge."""
    return datum["StatisticValues"]["Maximum"] if "StatisticValues" in datum else datum["Value"]


def total(cloud: StandIn, name: str) -> float:
    return sum(datum["Value"] for datum in data(cloud, name))


def highest(cloud: StandIn, name: str) -> float:
    return max(value(datum) for datum in data(cloud, name))


def times(cloud: StandIn, name: str) -> list[float]:
    return [float(datum["Timestamp"]) for datum in data(cloud, name)]
