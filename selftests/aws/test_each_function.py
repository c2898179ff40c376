# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What all functions have in common: a busy AWS, too little time, and the same event again."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import account
import fleet
from function import Failed, Function
from standin import StandIn
from test_failover import dies
from test_functions import leave_things

A = account.INSTANCES["a"]
DEADLINE = 2.5

EVENTS = {
    "nat-health-probe": fleet.schedule(), "nat-route-failover": fleet.alarm("a"),
    "asg-lifecycle-handler": fleet.lifecycle("launch", "a"), "eip-recover": fleet.schedule(),
    "config-guard": fleet.schedule(), "nat-probe-runner": fleet.schedule(),
    "nat-janitor": {"dry_run": False}, "nat-isolate": fleet.finding(),
}


def make_work(name, standin, nodes):
    """So that each function has something to do."""
    if name == "nat-route-failover":
        dies(standin)
    elif name == "asg-lifecycle-handler":
        standin.world.interfaces[account.INTERFACES["a"]]["source_dest_check"] = True
    elif name == "eip-recover":
        standin.world.addresses[account.ADDRESSES["a"]].update(
            interface=None, association=None, private_address=None)
    elif name == "config-guard":
        nodes.exits[("verify", A)] = 9
    elif name == "nat-janitor":
        leave_things(standin.world)


@contextlib.contextmanager
def working(name):
    """(stand-in, function), in a world of their own."""
    with StandIn() as standin:
        standin.world.load(fleet.world())
        make_work(name, standin, fleet.Nodes(standin))
        run = Function(name, standin, fleet.environment(NATXDP_AGENT_PORT="1"))
        try:
            yield standin, run
        finally:
            run.close()
        assert standin.problems == []


def state(standin):
    """What is there in the end, without times."""
    world = standin.world
    return {
        "routes": {name: table["routes"] for name, table in world.route_tables.items()},
        "addresses": {name: (item.get("interface"), item.get("private_address"))
                      for name, item in world.addresses.items()},
        "checks": {name: item.get("source_dest_check") for name, item in world.interfaces.items()},
        "instances": {name: item.get("state") for name, item in world.instances.items()},
        "targets": {name: sorted(group["targets"]) for name, group in world.target_groups.items()},
        "groups": {name: group["instances"] for name, group in world.groups.items()},
        "blocked": "10.0.3.4" in world.parameters["/natxdp/egress/blocked"]["value"],
        "leases": [item["owner"] for item in world.tables["egress-lease"]["items"]],
    }


def well_done(name):
    """The calls of a function when nothing goes wrong, in order, and what it leaves."""
    with working(name) as (standin, run):
        run(EVENTS[name])
        return [entry.action for entry in standin.calls()], state(standin)


def is_held_up_by_a_busy_api(name):
    """Each call is throttled once, and all is as if it had not been."""
    actions, end = well_done(name)
    with working(name) as (standin, run):
        for action in set(actions):
            standin.faults.add(action=action, error="Throttling", times=1)
        run(EVENTS[name], deadline=60)
        assert len(standin.faults) == 0
        assert state(standin) == end, name


def ends_in_time(name, number):
    """One call gets no answer: it ends before it is ended, and the same event completes it."""
    actions, end = well_done(name)
    with working(name) as (standin, run):
        skip = actions[:number].count(actions[number]) if number >= 0 else (
            actions.count(actions[number]) - 1)
        standin.faults.add(action=actions[number], delay=30, skip=skip)
        began = time.monotonic()
        with contextlib.suppress(Failed):
            run(EVENTS[name], deadline=DEADLINE)
        assert time.monotonic() - began < DEADLINE, (name, actions[number])
        standin.faults.clear()
        with contextlib.suppress(Failed):  # a lifecycle action that is over, for example
            run(EVENTS[name])
        assert state(standin) == end, (name, actions[number])


def for_each(test, *arguments):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: test(name, *arguments), EVENTS))


def test_a_busy_api():
    for_each(is_held_up_by_a_busy_api)


def test_no_answer_to_the_first_call():
    for_each(ends_in_time, 0)


def test_no_answer_to_the_last_call():
    for_each(ends_in_time, -1)


def test_the_same_event_twice():
    def twice(name):
        with working(name) as (standin, run):
            run(EVENTS[name])
            end = state(standin)
            run(EVENTS[name])
            assert state(standin) == end, name

    for_each(twice)
