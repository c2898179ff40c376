# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""An agent takes zones over while AWS does all that AWS can do: what the account is like in the end.

The shipped policy, lease, moves and weights (policy_node.c), without a network between nodes.
"""

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import account
import fleet
import pytest
from function import Function
from policy_node import LEASES, NODE, NUMBER, ZONE, PolicyNode, lease, private, world
from standin import StandIn

MOVING = ("ReplaceRoute", "AssociateAddress", "ModifyListener")
LOOKING = ("DescribeRouteTables", "DescribeAddresses", "DescribeListeners")
LEASING = ("GetItem", "UpdateItem")


@pytest.fixture
def standin():
    with StandIn() as server:
        server.world.load(world())
        yield server
        assert server.problems == []


@pytest.fixture
def node(standin, tmp_path):
    """node(letter, **keys of natxdpd.conf) starts one."""
    started = []

    def starter(letter="b", **changes):
        started.append(PolicyNode(standin, tmp_path, letter, **changes))
        return started[-1]

    yield starter
    for one in started:
        one.stop()


def lease_of(standin, letter):
    with standin.world.lock:
        [item] = [item for item in standin.world.tables[LEASES]["items"]
                  if item["az"]["S"] == ZONE[letter]]
        return {name: next(iter(value.values())) for name, value in item.items()}


def set_lease(standin, letter, owner, epoch):
    """Another node is faster."""
    with standin.world.lock:
        [item] = [item for item in standin.world.tables[LEASES]["items"]
                  if item["az"]["S"] == ZONE[letter]]
        item.update(lease(owner, epoch))


def holders(standin, letter):
    """Of lease, route, elastic IP, and the weight of the zone's target group."""
    with standin.world.lock:
        route = standin.world.route_tables[account.TABLES[letter]]["routes"]["0.0.0.0/0"]
        address = standin.world.addresses[account.ADDRESSES[letter]]
        weight = standin.world.listeners[account.LISTENER]["weights"][account.GROUPS[letter]]
        by_interface = {interface: zone for zone, interface in account.INTERFACES.items()}
        eip = by_interface[address["interface"]]
        assert address["private_address"] == private(letter, eip)
    return (lease_of(standin, letter)["owner"], by_interface[route["NetworkInterfaceId"]], eip, weight)


HOME = {zone: (NODE[zone], zone, zone, 100) for zone in account.ZONES}
TAKEN = (NODE["b"], "b", "b", 0)


def assert_fenced(node):
    """Each call that moves something comes after a look at the lease, or the claim: one each time."""
    looked, called = -1.0, {}
    for entry in sorted(node.calls(), key=lambda entry: entry.time):
        if entry.action in LEASING and entry.status == 200:
            looked = entry.time
        if entry.action in MOVING:
            what = str(entry.params)
            # libcurl repeats at once, by itself, what it sent over a connection that broke
            assert looked > called.get(what, 0) or 0 < entry.time - looked < 5, (entry, node.log)
            called[what] = entry.time


def weights_follow(node, letter, weight):
    node.wait(lambda: holders(node.standin, letter)[3] == weight, f"weight of zone {letter}")


def lose_peer(node):
    """It is heard for a moment, and hears us: so its silence means something soon."""
    node.say("hear", NUMBER["a"], 1 << NUMBER["b"])
    time.sleep(0.3)
    node.say("silent", NUMBER["a"])


def take_over(node):
    node.wait_owner("b")
    lose_peer(node)
    node.wait_owner("a")
    weights_follow(node, "a", 0)


def test_a_zone_is_taken_over(standin, node):
    one = node("b")
    take_over(one)
    assert holders(standin, "a") == TAKEN and holders(standin, "b") == HOME["b"]
    assert lease_of(standin, "a")["epoch"] == "6" and lease_of(standin, "a")["reason"] == "failover"
    assert one.state["placed"] == 3 and one.state["failed"] == 0
    assert len(one.calls("ModifyListener")) == 1
    assert_fenced(one)
    # the account changes before the answer is there, and what is said of it
    for step in ("claim", "ReplaceRoute", "AssociateAddress", "ModifyListener", "move", "weights"):
        one.wait(lambda: f" step={step} " in one.log, f"the log of {step}")


FAULTS = {
    "throttled": {"error": "Throttling"},
    "limit": {"error": "RequestLimitExceeded", "status": 503},
    "internal": {"error": "InternalFailure", "status": 500},
    "internal, done": {"error": "InternalFailure", "status": 500, "applied": True},
    "bad gateway": {"status": 502},
    "reset": {"mischief": "reset"},
    "half an answer": {"mischief": "half"},
    "no answer": {"delay": 1.5},
    "another's answer": {"garbage": "<html>welcome to the portal</html>"},
}


def suffer(directory, fault, times):
    """The first calls of each action go wrong, all in the same way."""
    with StandIn() as server:
        server.world.load(world())
        one = PolicyNode(server, directory, "b", ha_budget=20)
        try:
            one.wait_owner("b")
            for action in (*MOVING, *LOOKING, *LEASING):
                server.faults.add(action=action, times=times, **fault)
            lose_peer(one)
            one.wait_owner("a", 60)
            weights_follow(one, "a", 0)
            assert holders(server, "a") == TAKEN and holders(server, "b") == HOME["b"], one.log
            # a claim is counted once, however often it was written
            assert lease_of(server, "a")["epoch"] == "6", one.log
            assert lease_of(server, "b")["epoch"] == "5", one.log
            assert_fenced(one)
        finally:
            one.stop()
        assert server.problems == []


def test_whatever_goes_wrong_at_aws(tmp_path):
    def each(item):
        name, fault = item
        directory = tmp_path / name.replace(" ", "-")
        directory.mkdir()
        suffer(directory, fault, 1 if "delay" in fault else 2)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(each, FAULTS.items()))


def test_somebody_is_faster(standin, node):
    """Between the read and the write of the claim."""
    one = node("b")
    one.wait_owner("b")

    def perform(service, action, params, plain=standin.world.perform):
        if action == "UpdateItem" and params["Key"]["az"]["S"] == ZONE["a"] and not changed.is_set():
            set_lease(standin, "a", "nat-x", 6)
            changed.set()
        return plain(service, action, params)

    changed = threading.Event()
    standin.world.perform = perform
    lose_peer(one)
    one.wait(lambda: changed.is_set() and one.zone("a")["epoch"] == 6, "the claim is lost")
    # whom nobody knows cannot be heard; that it is silent does not count before its time
    assert [entry.code for entry in one.calls("UpdateItem")
            if entry.params["Key"]["az"]["S"] == ZONE["a"]] == ["ConditionalCheckFailedException"]
    assert one.zone("a")["state"] in ("standby", "suspect") and one.zone("a")["owner"] == 254
    assert not [entry for action in MOVING for entry in one.calls(action)]
    assert holders(standin, "a") == ("nat-x", "a", "a", 100)


@pytest.mark.parametrize("stuck", ("ReplaceRoute", "AssociateAddress"))
def test_the_epoch_changes_in_the_middle(standin, node, stuck):
    """What is under way ends; what is not done yet is another's."""
    one = node("b")
    one.wait_owner("b")
    standin.faults.add(action=stuck, error="RequestLimitExceeded", status=503)
    lose_peer(one)
    one.wait(lambda: len(one.calls(stuck)) >= 2, "the move is stuck")
    set_lease(standin, "a", "nat-a", 7)
    one.say("hear", NUMBER["a"], 1 << NUMBER["b"])
    one.wait(lambda: one.zone("a")["epoch"] == 7, "it sees who owns the zone")
    assert one.zone("a")["state"] == "standby"
    time.sleep(1)  # what was under way
    standin.faults.clear()
    calls = {action: len(one.calls(action)) for action in MOVING}
    time.sleep(1)
    assert {action: len(one.calls(action)) for action in MOVING} == calls, one.log
    assert_fenced(one)


def test_half_of_a_move_is_refused(standin, node):
    """Routes move, addresses may not: the zone is not called owned, and it is tried again."""
    standin.faults.add(action="AssociateAddress", error="UnauthorizedOperation", status=403)
    one = node("b")
    one.wait_owner("b")
    lose_peer(one)
    one.wait(lambda: one.zone("a")["failures"] >= 1, "the move has failed")
    assert one.zone("a")["state"] == "moving" and not one.owns("a")
    assert holders(standin, "a")[:3] == ("nat-b", "b", "a")
    assert "AWS refuses a call" in one.log and "UnauthorizedOperation" in one.log
    standin.faults.clear()
    one.wait_owner("a")
    assert holders(standin, "a") == TAKEN and lease_of(standin, "a")["epoch"] == "6"
    assert_fenced(one)


def test_not_within_the_budget(standin, node):
    """A failed move is one that is begun again, after ever longer pauses, in the same epoch."""
    standin.faults.add(action="ReplaceRoute", error="InternalError", status=500)
    one = node("b", ha_budget=1)
    lose_peer(one)
    one.wait(lambda: one.zone("a")["failures"] >= 2, "two moves have failed")
    assert "not done within ha_budget" in one.log
    standin.faults.clear()
    one.wait_owner("a")
    assert holders(standin, "a") == TAKEN and lease_of(standin, "a")["epoch"] == "6"


# where it stands when it is killed: the action whose answer does not come
STATES = {"unknown": "GetItem", "claiming": "UpdateItem", "routes": "ReplaceRoute",
          "addresses": "AssociateAddress", "weights": "ModifyListener", "verifying": "DescribeAddresses",
          "owner": None}


@pytest.mark.parametrize("state", STATES)
def test_a_crash_is_rolled_forward(standin, node, state):
    """Killed in each state, and started again: in the end the zone is as it should be."""
    action = STATES[state]
    if action:
        standin.faults.add(action=action, delay=5)
    one = node("b")
    lose_peer(one)
    if not action:
        one.wait_owner("a")
    else:
        one.wait(lambda: any(entry.action == action and ZONE["a"] in str(entry.params)
                             or entry.action == action != "UpdateItem" for entry in one.calls()),
                 f"{action} is called")
    one.kill()
    standin.faults.clear()
    one.start()
    lose_peer(one)
    one.wait_owner("a")
    one.wait_owner("b")
    weights_follow(one, "a", 0)
    assert holders(standin, "a") == TAKEN and holders(standin, "b") == HOME["b"], one.log
    assert lease_of(standin, "a")["epoch"] == "6" and lease_of(standin, "b")["epoch"] == "5"


def test_both_alive_but_cut_off(standin, node):
    """Neither hears the other, both reach AWS: witnesses are counted up, and nothing moves."""
    # slow enough that a machine that stalls for a moment is not taken for a node that is gone
    both = [node(letter, ha_heartbeat=0.5, ha_suspicion=5) for letter in "ab"]
    for one in both:
        one.wait_owner(one.letter)
    for one, other in zip(both, "ba"):
        one.say("hear", NUMBER[other], 3)
    time.sleep(1)
    for one, other in zip(both, "ba"):
        one.say("silent", NUMBER[other])
    time.sleep(7)
    for one in both:
        one.wait(lambda one=one: int(lease_of(standin, one.letter)["witness"]) > 3, "a witness")
        assert one.owns(one.letter) and lease_of(standin, one.letter)["epoch"] == "5", one.log
        assert not [entry for action in MOVING for entry in one.calls(action)], one.log
    assert {zone: holders(standin, zone) for zone in account.ZONES} == HOME


def test_a_node_that_slept_moves_nothing(standin, node):
    """SIGSTOP, another takes its zone, SIGCONT: it finds that out before it calls anything."""
    a, b = node("a"), node("b")
    for one in a, b:
        one.wait_owner(one.letter)
    a.process.send_signal(signal.SIGSTOP)
    lose_peer(b)
    b.wait_owner("a")
    weights_follow(b, "a", 0)
    woken = time.time()
    a.process.send_signal(signal.SIGCONT)
    a.wait(lambda: a.zone("a")["epoch"] == 6, "it sees that its zone has gone")
    assert a.zone("a")["state"] in ("standby", "suspect")
    time.sleep(1)
    assert not [entry for action in MOVING for entry in a.calls(action) if entry.time > woken], a.log
    assert holders(standin, "a") == TAKEN


def test_an_outage_of_all_of_aws(standin, node):
    """Nothing is claimed while nothing can be read, and all is caught up with afterwards."""
    one = node("b")
    one.wait_owner("b")
    one.say("hear", NUMBER["a"], 1 << NUMBER["b"])
    time.sleep(0.3)
    standin.faults.add(status=503)
    one.say("silent", NUMBER["a"])
    one.wait(lambda: one.zone("a")["state"] == "suspect", "it suspects a")
    time.sleep(2)
    assert one.zone("a")["state"] in ("suspect", "standby") and holders(standin, "a") == HOME["a"]
    standin.faults.clear()
    one.wait_owner("a")
    weights_follow(one, "a", 0)
    assert holders(standin, "a") == TAKEN


def test_a_held_zone_stays(standin, node):
    """One hold: whether the agent or nat-route-failover sets it or lets it go, both keep to it."""
    one = node("b")
    one.wait_owner("b")
    one.say("hear", NUMBER["a"], 1 << NUMBER["b"])
    run = Function("nat-route-failover", standin, fleet.environment())
    held = lambda: run({"action": "status"})["leases"][ZONE["a"]]["hold"]  # noqa: E731
    try:
        run({"action": "hold", "zone": ZONE["a"]})
        one.wait(lambda: one.zone("a")["held"], "the agent sees the hold of the function")
        one.say("hold", NUMBER["a"], 0)
        one.wait(lambda: not held(), "the function sees that the agent has let go")
        one.say("hold", NUMBER["a"], 1)
        one.wait(held, "the function sees the hold of the agent")
        assert one.zone("a")["held"]
        one.say("silent", NUMBER["a"])
        time.sleep(2)
        assert holders(standin, "a") == HOME["a"] and one.zone("a")["state"] == "standby"
        run({"action": "release", "zone": ZONE["a"]})
        one.wait_owner("a")
    finally:
        run.close()


# ---- weights alone


def test_groups_that_nobody_names_stay(standin, node):
    """They are written as they were read; of a zone whose owner is no node nothing is known."""
    other = account.GROUPS["a"].replace("nat-a", "other")
    with standin.world.lock:
        standin.world.target_groups[other] = {"port": 8080, "targets": {}}
        standin.world.listeners[account.LISTENER]["weights"] = {other: 7, account.GROUPS["a"]: 33}
    set_lease(standin, "a", "nat-x", 5)
    one = node("b")
    one.wait_owner("b")
    # its own group was not even there
    one.wait(lambda: standin.world.listeners[account.LISTENER]["weights"] == {
        other: 7, account.GROUPS["a"]: 33, account.GROUPS["b"]: 100}, "its weight is there")
    assert len(one.calls("ModifyListener")) == 1


def test_two_zones_are_swapped(standin, node):
    """Each node serves the other's zone: both serve. At no moment does the listener forward to nobody."""
    seen = []
    standin.world.hooks["ModifyListener"].append(lambda params, result: seen.append(
        dict(standin.world.listeners[account.LISTENER]["weights"])))
    a, b = both = node("a"), node("b")
    for one, other in zip(both, "ba"):
        one.say("hear", NUMBER[other], 3)
        one.wait_owner(one.letter)

    def give(owners, weights):
        for zone, owner in owners.items():
            set_lease(standin, zone, NODE[owner], int(lease_of(standin, zone)["epoch"]) + 1)
        for zone, owner in owners.items():
            {"a": a, "b": b}[owner].wait_owner(zone)
        for one in both:
            one.wait(lambda: {zone: holders(standin, zone)[3] for zone in account.ZONES} == weights,
                     f"the weights {weights} of {owners}")

    give({"a": "b", "b": "a"}, {"a": 100, "b": 100})
    time.sleep(2)  # an audit of each
    assert {zone: holders(standin, zone) for zone in account.ZONES} == {
        "a": (NODE["b"], "b", "b", 100), "b": (NODE["a"], "a", "a", 100)}
    give({"a": "a"}, {"a": 100, "b": 0})
    give({"a": "b"}, {"a": 100, "b": 100})
    give({"b": "b"}, {"a": 0, "b": 100})
    give({"a": "a"}, {"a": 100, "b": 100})
    assert all(any(weights.values()) for weights in seen), seen


def test_a_weight_that_somebody_overwrites(standin, node):
    """The next audit mends it: two that write at once may lose a write."""
    one = node("b")
    take_over(one)
    with standin.world.lock:
        standin.world.listeners[account.LISTENER]["weights"][account.GROUPS["a"]] = 100
    weights_follow(one, "a", 0)
    assert one.owns("a") and one.state["failed"] == 0


def test_weights_are_refused(standin, node):
    """No way for packets: the zone is owned all the same, and an operator is told."""
    standin.faults.add(action="ModifyListener", error="AccessDenied", status=403)
    one = node("b")
    one.wait_owner("b")
    lose_peer(one)
    one.wait_owner("a")
    one.wait(lambda: one.say("status")["failed"] >= 1, "the failure is counted")
    assert holders(standin, "a") == (*TAKEN[:3], 100) and one.zone("a")["failures"] == 0
    assert "step=weights result=failed" in one.log and "AccessDenied" in one.log
    standin.faults.clear()
    weights_follow(one, "a", 0)


def test_weights_do_not_follow_who_has_lost_the_zone(standin, node):
    """The look at the lease comes just before the call."""
    set_lease(standin, "a", "nat-b", 5)
    standin.faults.add(action="DescribeListeners", delay=0.5)
    one = node("b")
    one.wait(lambda: one.calls("DescribeListeners"), "it looks at the weights")
    set_lease(standin, "a", "nat-a", 6)
    one.say("hear", NUMBER["a"], 1 << NUMBER["b"])
    one.wait(lambda: one.zone("a")["epoch"] == 6, "it sees that the zone has gone")
    time.sleep(1.5)
    assert holders(standin, "a")[3] == 100 and not one.calls("ModifyListener"), one.log
