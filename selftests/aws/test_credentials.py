# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Who the calls are made as, the IMDS, and a clock that is wrong."""

import json
import threading
import time

import account
import pytest
from standin.web import Listener, Response

ROLES = "/latest/meta-data/iam/security-credentials/"


def reads(standin, path=None):
    return [entry for entry in standin.imds.record if path is None or entry[1].startswith(path)]


def test_environment(standin, start):
    standin.keys["AKIDSESSION"] = ("s", "token+/=" * 200, None)
    driver = start(environment={"AWS_ACCESS_KEY_ID": "AKIDSESSION", "AWS_SECRET_ACCESS_KEY": "s",
                                "AWS_SESSION_TOKEN": "token+/=" * 200})
    driver.ok("DescribeAddresses")
    driver.ok("GetParameter", {"name": "/natxdp/state"})
    assert {entry.key for entry in standin.calls()} == {"AKIDSESSION"}
    assert standin.imds.record == []


def test_expired_environment(standin, start):
    """There are no others: refused at once."""
    standin.keys["AKIDSTANDIN"] = ("secret/standin+key", None, time.time() - 1)
    for action in ("DescribeAddresses", "GetParameter", "DescribeAutoScalingGroups"):
        result = start().call(action, {"name": "x"})
        assert (result["fault"], result["attempts"]) == ("refused", 1), result


def test_wrong_secret(standin, start):
    driver = start(environment={"AWS_ACCESS_KEY_ID": "AKIDSTANDIN", "AWS_SECRET_ACCESS_KEY": "no"})
    result = driver.call("DescribeAddresses")
    assert (result["fault"], result["code"], result["attempts"]) == \
        ("refused", "SignatureDoesNotMatch", 1)


def test_role_and_region(standin, start):
    driver = start(environment={}, region=None)
    numbers = [driver.begin("DescribeAddresses") for _ in range(10)]
    assert [driver.wait(number)["fault"] for number in numbers] == ["ok"] * 10
    assert driver.stats()["region"] == standin.region
    assert {entry.key for entry in standin.calls()} == {"ASIAROLE0001"}
    assert len(reads(standin, ROLES)) == 2  # the name, and the credentials
    assert len(reads(standin, "/latest/api/token")) == 1
    for entry in standin.calls():
        assert "x-amz-security-token" in entry.headers["authorization"]


def test_refresh_before_expiry(standin, start):
    standin.imds.lifetime = 290  # less than is left when new ones are due
    driver = start(environment={})
    driver.ok("DescribeAddresses")
    driver.ok("DescribeAddresses")
    # those are as new as there are: not asked for again and again
    assert driver.stats()["credentials_loaded"] == 1


def test_expiry_in_flight(standin, start):
    """The keys end while a call is made: it is made again with new ones."""
    driver = start(environment={})
    driver.ok("DescribeAddresses")
    secret, token, _ = standin.keys["ASIAROLE0001"]
    standin.keys["ASIAROLE0001"] = (secret, token, time.time() - 1)
    standin.imds.rotate()
    standin.latency = lambda service, action: 0.5  # all are made before the first is refused
    numbers = [driver.begin(action, account.requests()[action])
               for action in ("ReplaceRoute", "GetItem", "DescribeAutoScalingGroups",
                              "PutMetricData", "SendCommand")]
    results = [driver.wait(number) for number in numbers]
    assert [(result["fault"], result["attempts"]) for result in results] == [("ok", 2)] * 5
    assert driver.stats()["credentials_loaded"] == 2
    assert standin.calls()[-1].key == "ASIAROLE0002"


def test_expired_and_no_others(standin, start):
    """IMDS is away when the keys end: they are used as long as AWS takes them."""
    driver = start(environment={})
    driver.ok("DescribeAddresses")
    standin.imds.faults.add(status=500)
    standin.faults.add(error="RequestExpired", times=1)
    result = driver.call("DescribeAddresses", budget_ms=20000)
    assert (result["fault"], result["attempts"]) == ("ok", 2), result
    assert standin.calls()[-1].key == "ASIAROLE0001"
    stats = driver.stats()
    assert (stats["credentials_loaded"], stats["credentials_failed"]) == (1, 1)
    begun = time.monotonic()
    driver.ok("DescribeAddresses")  # the next does not wait for IMDS again at once
    assert time.monotonic() - begun < 0.4


def test_no_role(standin, start):
    standin.imds.role = None
    driver = start(environment={})
    result = driver.call("DescribeAddresses")
    assert (result["fault"], result["attempts"]) == ("no-credentials", 0)
    assert "no role" in result["message"]
    standin.imds.role = "late"
    assert driver.call("DescribeAddresses")["fault"] == "ok"  # after a pause


def test_no_imds(standin, start):
    driver = start(environment={}, no_imds=True)
    result = driver.call("DescribeAddresses")
    assert (result["fault"], result["attempts"]) == ("no-credentials", 0)
    assert driver.imds("/latest/meta-data/instance-id")["error"] == -95  # ENOTSUP
    driver = start(environment={}, no_imds=True, region=None)
    assert "region" in driver.call("DescribeAddresses")["message"]


@pytest.mark.parametrize("document", [
    "", "{", "[]", "{}", json.dumps({"Code": "Failed"}), "\xff" * 100,
    json.dumps({"Code": "Success", "AccessKeyId": "A", "SecretAccessKey": "S",
                "Token": "evil\r\nX-Amz-Target: x", "Expiration": "2036-01-01T00:00:00Z"}),
    json.dumps({"AccessKeyId": "A", "SecretAccessKey": "S", "Expiration": "soon"}),
    json.dumps({"AccessKeyId": "A" * 500, "SecretAccessKey": "S"}), "[" * 5000])
def test_bad_documents(standin, start, document):
    standin.imds.faults.add(action="natxdp-node", garbage=document)
    result = start(environment={}).call("DescribeAddresses")
    assert (result["fault"], result["attempts"]) == ("no-credentials", 0), result
    assert standin.calls() == []


def test_documents(standin, start):
    driver = start()
    assert driver.imds("/latest/meta-data/instance-id")["text"] == "i-0000000000000000a"
    missing = driver.imds("/latest/meta-data/spot/instance-action")
    assert (missing["fault"], missing["status"]) == ("ok", 404) and "text" not in missing
    standin.imds.spot_interruption(1800000000)
    text = driver.imds("/latest/meta-data/spot/instance-action")["text"]
    assert json.loads(text) == {"action": "terminate", "time": "2027-01-15T08:00:00Z"}
    assert [entry[0] for entry in standin.imds.record].count("PUT") == 1
    standin.imds.forget_tokens()  # as when the instance was stopped
    standin.imds.lifecycle("Terminated")
    state = driver.imds("/latest/meta-data/autoscaling/target-lifecycle-state")
    assert state["text"] == "Terminated"
    assert [entry[0] for entry in standin.imds.record].count("PUT") == 2


def test_imds_faults(standin, start):
    driver = start()
    path = "/latest/meta-data/instance-id"
    for fault in ({"status": 500}, {"status": 503}, {"status": 429}, {"mischief": "reset"},
                  {"mischief": "half"}, {"mischief": "close"}):
        standin.imds.faults.add(times=2, **fault)
        assert driver.imds(path)["status"] == 200, fault
    standin.imds.faults.add(delay=10)
    begun = time.monotonic()
    assert driver.imds(path, budget_ms=700)["fault"] == "timed-out"
    assert time.monotonic() - begun < 1.5
    standin.imds.faults.clear()
    standin.imds.faults.add(action="/latest/api/token", status=403)
    standin.imds.forget_tokens()
    refused = driver.imds(path)
    assert (refused["fault"], refused["status"]) == ("refused", 403)
    standin.imds.faults.clear()
    standin.imds.faults.add(action="/latest/api/token", garbage="a\r\nb: c")
    assert driver.imds(path)["fault"] == "bad-answer"


def test_too_many_hops(standin, start):
    standin.imds.distance = 2
    result = start(environment={}).call("DescribeAddresses", budget_ms=9000)
    assert (result["fault"], result["attempts"]) == ("no-credentials", 0)


def test_imds_queue(standin, start):
    standin.imds.faults.add(delay=1)
    driver = start()
    numbers = [driver.send(imds="/latest/meta-data/mac") for _ in range(20)]
    results = [driver.wait(number) for number in numbers]
    assert [result.get("error") for result in results].count(-11) == 4


def test_imds_paths(start):
    driver = start()
    for path in ("", "latest", "/with blank", "/with\r\nHeader: x", "/" + "a" * 300):
        assert driver.imds(path)["error"] == -22


def test_container(standin, start, tmp_path):
    """ECS and EKS: a document from an URL, with a token from a file."""
    standin.keys["ASIACONTAINER"] = ("s", "t", None)
    seen = []

    def serve(request):
        seen.append((request.path, request.header("Authorization")))
        return Response(200, json.dumps({
            "AccessKeyId": "ASIACONTAINER", "SecretAccessKey": "s", "Token": "t",
            "Expiration": "2100-01-01T00:00:00Z"}).encode())

    listener = Listener(serve)
    (tmp_path / "token").write_text("secret-token\n")
    driver = start(environment={
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": listener.url + "/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token")})
    driver.ok("DescribeAddresses")
    listener.stop()
    assert seen == [("/v1/credentials", "secret-token")]
    assert standin.calls()[0].key == "ASIACONTAINER"


@pytest.mark.parametrize("ahead", [-7 * 86400, -3600, -301, 301, 3600, 7 * 86400])
def test_wrong_clock(standin, start, ahead):
    """AWS says what time it is, and the next try is signed with that."""
    standin.clock = ahead
    driver = start()
    for action in ("DescribeAddresses", "GetParameter", "DescribeAutoScalingGroups"):
        driver.ok(action, {"name": "/natxdp/state"})
    statuses = [entry.status for entry in standin.calls()]
    assert statuses == [403, 200, 200, 200]
    assert abs(driver.stats()["clock_skew_ms"] - ahead * 1000) < 2000


def test_clock_mended(standin, start):
    """Somebody sets the clock while the correction is in use."""
    standin.clock = 3600
    driver = start()
    driver.ok("DescribeAddresses")
    standin.clock = 0
    driver.ok("DescribeAddresses")
    assert abs(driver.stats()["clock_skew_ms"]) < 2000


def test_wrong_clock_and_role(standin, start):
    standin.clock = 12 * 3600
    driver = start(environment={})
    driver.ok("DescribeAddresses")


def test_small_skew(standin, start):
    standin.clock = 200
    driver = start()
    driver.ok("DescribeAddresses")
    assert len(standin.calls()) == 1 and driver.stats()["clock_skew_ms"] == 0


def test_many_at_once_share_a_load(standin, start):
    standin.imds.faults.add(action="natxdp-node", delay=0.5, times=1)
    driver = start(environment={})
    numbers = [driver.begin("DescribeAddresses") for _ in range(30)]
    assert [driver.wait(number)["fault"] for number in numbers] == ["ok"] * 30
    assert standin.imds.issued == 1 and threading.active_count() < 60
