# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A stand-in for AWS on loopback: it checks what it is sent by AWS's own models."""

from .standin import StandIn

__all__ = ["StandIn"]
