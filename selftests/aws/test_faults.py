# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Each call with each fault: what is tried again, and what the caller is told.

test-timeout: 600
"""

import time
from concurrent.futures import ThreadPoolExecutor

import account
import pytest
from driver import Driver
from standin import StandIn

PARTS = 6

# Calls that may be made twice without harm are repeated whatever went wrong;
# these only if the service surely did nothing.
ONCE = {"PutMetricData", "PutLogEvents", "SendCommand"}

# name: (what goes wrong once, is it sure that nothing was done, fault if it is not repeated)
FAULTS = {
    "throttled": ({"error": "Throttling"}, True, "throttled"),
    "throttled-429": ({"status": 429}, True, "throttled"),
    "limit": ({"error": "RequestLimitExceeded", "status": 503}, True, "throttled"),
    "busy": ({"error": "ServiceUnavailable", "status": 503}, True, "unavailable"),
    "internal": ({"error": "InternalFailure", "status": 500}, False, "unavailable"),
    "gateway": ({"status": 502}, False, "unavailable"),
    "reset": ({"mischief": "reset"}, False, "unreachable"),
    "close": ({"mischief": "close"}, False, "unreachable"),
    "half": ({"mischief": "half"}, False, "unreachable"),
    "slow": ({"delay": 5}, False, "timed-out"),
    "expired": ({"error": "ExpiredToken", "status": 403}, None, "refused"),
    "denied": ({"error": "UnauthorizedOperation", "status": 403}, None, "refused"),
    "html": ({"garbage": "<html>welcome to the portal</html>"}, None, "bad-answer"),
    "nothing": ({"garbage": b"\xff\x00{"}, None, "bad-answer"),
    "moved": ({"status": 302}, None, "bad-answer"),
}


def try_calls(server, driver, name, actions):
    fault, sure, kind = FAULTS[name]
    for action in actions:
        server.world.load(account.world())
        server.faults.add(action=action, times=1, **fault)
        server.forget()
        result = driver.call(action, account.requests()[action])
        repeated = sure or (sure is False and action not in ONCE)
        if repeated:
            # made twice; some say the second time that it was done before
            assert result["fault"] == "ok" or "mischief" in fault or "delay" in fault, result
            assert [entry.action for entry in server.calls()] == [action] * 2
            # libcurl repeats by itself what it sent over a connection that had been used before
            assert result["attempts"] == 2 or name in ("reset", "close"), result
        else:
            assert (result["fault"], result["attempts"]) == (kind, 1), (action, result)
            assert len(server.calls()) == 1
            assert result["message"], result
            assert result["maybe_done"] == (sure is False or kind == "bad-answer"
                                            and name != "moved"), (action, result)
        assert len(server.faults) == 0
    stats = driver.stats()
    assert stats["calls"] == len(actions) and stats["in_flight"] == 0
    assert stats["longest_turn_ms"] < 500


@pytest.mark.parametrize("name", [name for name in FAULTS if name != "slow"])
def test_each_call(start, standin, name):
    try_calls(standin, start(), name, list(account.requests()))


def test_each_call_without_an_answer_in_time():
    """A second each: some at a time, each part with an AWS of its own."""
    def part(number):
        with StandIn() as server:
            driver = Driver(server, attempt_ms=1000)
            try:
                try_calls(server, driver, "slow", list(account.requests())[number::PARTS])
            finally:
                driver.stop()
            assert server.problems == []

    with ThreadPoolExecutor(PARTS) as pool:
        list(pool.map(part, range(PARTS)))


def test_no_content_where_there_should_be(start, standin):
    standin.faults.add(garbage="")
    driver = start()
    assert driver.call("DescribeInstances")["fault"] == "bad-answer"
    # JSON actions without output answer with nothing, and that is right
    assert driver.call("CreateLogGroup", {"group": "g"})["fault"] == "ok"


@pytest.mark.parametrize("attempts", [1, 2, 7])
def test_attempts(start, standin, attempts):
    standin.faults.add(error="Throttling")
    driver = start(attempts=attempts, backoff_max_ms=5)
    result = driver.call("DescribeAddresses")
    assert (result["fault"], result["attempts"], result["code"]) == ("throttled", attempts, "Throttling")
    assert len(standin.calls()) == attempts
    result = driver.call("DescribeAddresses", attempts=3)
    assert result["attempts"] == 3


def test_budget(start, standin):
    """However it fails, a call ends when its time is over, queue and pauses included."""
    standin.faults.add(delay=20)
    driver = start(attempt_ms=300, attempts=100, in_flight=1)
    begun = time.monotonic()
    numbers = [driver.begin("DescribeAddresses", budget_ms=1000) for _ in range(3)]
    results = [driver.wait(number) for number in numbers]
    assert time.monotonic() - begun < 1.6
    assert [result["fault"] for result in results] == ["timed-out"] * 3
    assert all(600 <= result["duration_ms"] <= 1300 for result in results), results


def test_retry_after(start, standin):
    standin.faults.add(error="Throttling", times=1, retry_after=1)
    result = start().call("DescribeAddresses")
    assert result["fault"] == "ok" and result["duration_ms"] >= 1000
    standin.faults.add(error="Throttling", times=1, retry_after=60)
    result = start().call("DescribeAddresses", budget_ms=5000)
    assert result["fault"] == "throttled" and result["duration_ms"] < 1000


def test_quota(start, standin):
    """A service that is down does not get every call four times."""
    standin.faults.add(service="ec2", error="InternalError", status=500)
    driver = start(backoff_max_ms=2)
    for _ in range(60):
        assert driver.call("DescribeAddresses")["fault"] == "unavailable"
    stats = driver.stats()
    assert stats["retries"] == 100 and stats["retries_denied"] == 60 - 34 + 1
    assert len(standin.calls()) == 160
    # other services have their own
    standin.faults.add(service="ssm", error="InternalServerError", status=500, times=1)
    assert driver.ok("GetParameter", {"name": "/natxdp/state"})
    standin.faults.clear()
    # what goes well pays back
    for _ in range(5):
        driver.ok("DescribeAddresses")
    standin.faults.add(service="ec2", error="InternalError", status=500, times=1)
    assert driver.call("DescribeAddresses")["attempts"] == 2


def test_queue(start, standin):
    """A slow service has its own queue, which is bounded; others do not wait."""
    standin.faults.add(service="monitoring", delay=1.2)
    driver = start(in_flight=2, queue=5)
    metric = account.requests()["PutMetricData"]
    numbers = [driver.begin("PutMetricData", metric, budget_ms=3300) for _ in range(10)]
    time.sleep(0.3)
    begun = time.monotonic()
    driver.ok("ReplaceRoute", account.requests()["ReplaceRoute"])
    assert time.monotonic() - begun < 1
    stats = driver.stats()
    assert (stats["in_flight"], stats["queued"], stats["queue_full"]) == (2, 5, 3)
    results = [driver.wait(number) for number in numbers]
    assert [result.get("error") for result in results] == [None] * 7 + [-11] * 3
    assert [result["fault"] for result in results[:7]].count("ok") == 4
    assert [result["fault"] for result in results[:7]].count("timed-out") == 3
    # nothing that ended in the queue was sent
    assert len(standin.calls("PutMetricData")) <= 6


def test_cancel(start, standin):
    standin.faults.add(service="monitoring", delay=2)
    driver = start(in_flight=1)
    metric = account.requests()["PutMetricData"]
    flying, queued = driver.begin("PutMetricData", metric), driver.begin("PutMetricData", metric)
    for number in (flying, queued, 12345):
        driver.wait(driver.send(cancel=number))
    standin.faults.clear()
    driver.ok("PutMetricData", metric)
    assert driver.stats()["in_flight"] == 0
    assert not driver.arrived(flying) and not driver.arrived(queued)


def test_stop_with_calls_under_way(start, standin):
    standin.faults.add(delay=10)
    driver = start()
    for action, args in account.requests().items():
        driver.begin(action, args)
    driver.send(imds="/latest/meta-data/instance-id")
    driver.stop()  # ASan would tell what was left behind


def test_answer_too_long(start, standin):
    standin.world.tags = {}
    for number in range(2000):
        standin.world.instances[f"i-{number:017x}"] = {"zone": "a", "subnet": "s", "tags": {}}
    driver = start(answer_max=100_000)
    result = driver.call("DescribeInstances")
    assert (result["fault"], result["attempts"]) == ("bad-answer", 1)
    assert "100000" in result["message"]
    assert start().ok("DescribeInstances")["items"][1999]["id"] == f"i-{1999:017x}"


def test_connection_reuse(start, standin):
    driver = start()
    for _ in range(20):
        driver.ok("DescribeAddresses")
        driver.ok("GetParameter", {"name": "/natxdp/state"})
    assert len({entry.connection for entry in standin.calls()}) <= 2


def test_nobody_there(start, standin):
    driver = start(endpoint="http://127.0.0.1:9", attempts=2)
    result = driver.call("PutMetricData", account.requests()["PutMetricData"])
    assert (result["fault"], result["attempts"], result["maybe_done"]) == ("unreachable", 2, False)


def test_slow_name_server(start, standin):
    """A resolver that hangs holds up the call, never the loop, not even when it ends."""
    driver = start(endpoint_ec2="http://ec2.slow.test:1", connect_ms=500, attempts=1)
    number = driver.begin("DescribeAddresses", budget_ms=600)
    for _ in range(10):
        driver.ok("GetParameter", {"name": "/natxdp/state"})
    result = driver.wait(number)
    assert (result["fault"], result["maybe_done"]) == ("timed-out", False)
    assert result["duration_ms"] < 1500
    assert driver.stats()["longest_turn_ms"] < 300
    time.sleep(3)  # ASan looks when the resolver's thread is gone


def test_wrong_endpoint(standin, start):
    for url in ("ftp://x", "http://", "https://a b", "http://h/path", "http://h?x=1", "h"):
        driver = start(endpoint=url)
        with pytest.raises(AssertionError, match="Invalid argument"):
            driver.call("DescribeAddresses")
        with pytest.raises(AssertionError):
            driver.stop()
        driver.stop = lambda: None


def test_tls(start, certificate):
    with StandIn(certificate=certificate) as secure:
        secure.world.load(account.world())
        good, bad = Driver(secure, ca_file=certificate[0]), Driver(secure, attempts=1)
        try:
            assert good.ok("DescribeAddresses")["items"]
            assert len(secure.calls()) == 1
            result = bad.call("PutMetricData", account.requests()["PutMetricData"])
            assert (result["fault"], result["maybe_done"]) == ("unreachable", False)
            assert "certificate" in result["message"]
            assert len(secure.calls()) == 1
        finally:
            good.stop()
            bad.stop()
