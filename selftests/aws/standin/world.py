# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A small AWS account: what there is, and what actions do to it."""

import copy
import threading
from collections import defaultdict


class ApiError(Exception):
    def __init__(self, code, message, status=400):
        super().__init__(message)
        self.code = code
        self.status = status


class World:
    """State by kind; actions are functions that services.py and its like register.

    hooks   action -> functions(params, result), called after the action was
            done, outside of the lock and before the answer: this is where a
            miniature VPC makes a ReplaceRoute real. If one raises ApiError the
            caller gets that error.
    """

    KINDS = ("instances", "interfaces", "route_tables", "addresses", "target_groups", "listeners",
             "rules", "groups", "metrics", "log_groups", "parameters", "commands", "tables")

    def __init__(self, region):
        self.region = region
        self.lock = threading.RLock()
        self.hooks = defaultdict(list)
        self.next_number = 1
        for kind in self.KINDS:
            setattr(self, kind, {})
        self.metrics = []  # of PutMetricData, one a datum
        self.lifecycle_actions = []  # (hook, group, instance or token, result)
        self.run_command = None  # function(instance, lines) -> (exit code, stdout, stderr)
        # name -> function(instance, parameters) -> the same, or a function that takes its time
        # for that; its None is an instance that never answers
        self.documents = {}

    def new_id(self, prefix):
        number = self.next_number
        self.next_number += 1
        return f"{prefix}-{number:017x}"

    def load(self, state):
        """Sets kinds from a dictionary of dictionaries, as dump() returns it."""
        with self.lock:
            for kind, value in state.items():
                assert kind in self.KINDS, kind
                setattr(self, kind, copy.deepcopy(value))

    def dump(self):
        with self.lock:
            return {kind: copy.deepcopy(getattr(self, kind)) for kind in self.KINDS}

    def perform(self, service, action, params):
        from . import compute, others  # they need ApiError from here
        function = compute.ACTIONS.get((service, action)) or others.ACTIONS.get((service, action))
        if not function:
            raise ApiError("InvalidAction", f"the stand-in has no {service} {action}")
        with self.lock:
            result = function(self, params)
        for hook in self.hooks[action]:
            hook(params, result)
        return result

    def find(self, kind, name, code, word="does not exist"):
        found = getattr(self, kind).get(name)
        if found is None:
            raise ApiError(code, f"The ID '{name}' {word}")
        return found


def page(items, params, token="NextToken", size="MaxResults"):
    """One page of a list, and the token of the next or None. Tokens are positions."""
    text = params.get(token)
    if text and not text.startswith("page-"):
        raise ApiError("InvalidNextToken", "that is no token")
    start = int(text[5:]) if text else 0
    length = params.get(size) or len(items) or 1
    following = start + length
    return items[start:following], f"page-{following}" if following < len(items) else None
