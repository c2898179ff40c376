# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The stand-in refuses what AWS would refuse: else tests against it would prove nothing."""

import http.client
import json
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

import account
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from standin import expressions
from standin.others import ACTIONS
from standin.world import ApiError

FORM = "application/x-www-form-urlencoded; charset=utf-8"


def send(standin, service, body, headers, change=None, secret="secret/standin+key"):
    request = AWSRequest("POST", standin.url + "/", headers=headers, data=body)
    SigV4Auth(Credentials("AKIDSTANDIN", secret), service, standin.region).add_auth(request)
    headers, body = dict(request.headers.items()), request.body
    if change:
        headers, body = change(headers, body)
    connection = http.client.HTTPConnection(urllib.parse.urlparse(standin.url).netloc, timeout=10)
    connection.request("POST", "/", body, headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def query(standin, service="ec2", change=None, secret="secret/standin+key", **form):
    body = urllib.parse.urlencode({"Version": "2016-11-15", **form}).encode()
    return send(standin, service, body, {"Content-Type": FORM}, change, secret)


def test_accepts_botocore(standin):
    status, body = query(standin, Action="DescribeAddresses")
    assert status == 200 and "<publicIp>203.0.113.1</publicIp>" in body


def changed_header(name, value):
    return lambda headers, body: ({**headers, name: value}, body)


@pytest.mark.parametrize("change", [
    lambda headers, body: (headers, body + b"&DryRun=true"),
    changed_header("Content-Type", "application/x-www-form-urlencoded"),
    changed_header("X-Amz-Date", "20260101T000000Z"),
    changed_header("X-Amz-Security-Token", "t"),
    changed_header("X-Amz-Target", "unsigned"),
    changed_header("Authorization", "AWS4-HMAC-SHA256 x"),
    lambda headers, body: ({**headers, "Authorization":
                            headers["Authorization"].replace("host;", "")}, body),
])
def test_refuses_what_was_changed(standin, change):
    assert query(standin, Action="DescribeAddresses", change=change)[0] == 403
    assert standin.calls()[0].status == 403


def test_refuses_a_wrong_secret(standin):
    status, body = query(standin, Action="DescribeAddresses", secret="x")
    assert status == 403 and "SignatureDoesNotMatch" in body


@pytest.mark.parametrize("form, code", [
    ({"Action": "NoSuchAction"}, "InvalidAction"),
    ({"Action": "DescribeAddresses", "Version": "2014-01-01"}, "InvalidAction"),
    ({"Action": "DescribeAddresses", "AllocationIds.1": "x"}, "UnknownParameter"),
    ({"Action": "DescribeAddresses", "AllocationId.2": "x"}, "UnknownParameter"),
    ({"Action": "DescribeInstances", "MaxResults": "many"}, "MalformedInput"),
    ({"Action": "ReplaceRoute", "DestinationCidrBlock": "0.0.0.0/0"}, "ValidationError"),
    ({"Action": "AssociateAddress", "AllowReassociation": "yes"}, "MalformedInput"),
])
def test_refuses_wrong_parameters(standin, form, code):
    status, body = query(standin, **form)
    assert status == 400 and f"<Code>{code}</Code>" in body, body


def test_refuses_wrong_json(standin):
    def put(target, body, content="application/x-amz-json-1.0"):
        return send(standin, "dynamodb", json.dumps(body).encode(),
                    {"Content-Type": content, "X-Amz-Target": target})
    target = "DynamoDB_20120810.GetItem"
    good = {"TableName": "lease", "Key": {"zone": {"S": "a"}}}
    assert put(target, good)[0] == 200
    assert put(target, {**good, "Extra": 1})[0] == 400
    assert put(target, {**good, "ReturnConsumedCapacity": "SOME"})[0] == 400
    assert put(target, {"TableName": "l"})[0] == 400
    assert put(target, good, "application/json")[0] == 400
    assert put("DynamoDB_20120810.Nothing", good)[0] == 400


def test_metrics_are_checked(standin):
    def put(**datum):
        form = {"Action": "PutMetricData", "Version": "2010-08-01", "Namespace": "N"}
        form.update({f"MetricData.member.1.{name}": value for name, value in datum.items()})
        return query(standin, "monitoring", **form)[0]
    assert put(MetricName="m", Value="1") == 200
    assert put(MetricName="m", Value="1", Unit="Kilos") == 400
    assert put(MetricName="m", Value="1", **{"Values.member.1": "1"}) == 400
    assert put(MetricName="m", Value="1", Timestamp="2020-01-01T00:00:00Z") == 400
    assert put(MetricName="m" * 256, Value="1") == 400


@pytest.mark.parametrize("events, why", [
    ([(0, "x" * (256 * 1024 - 25))], "too large"),
    ([(0, "x" * (256 * 1024 - 26))] * 4 + [(0, "x")], "batch is too large"),
    ([(0, "x")] * 10001, "batch is too large"),
    ([(1, "x"), (0, "x")], "not in order"),
    ([(-86400_001, "x"), (0, "x")], "24 hours"),
], ids=["event", "bytes", "events", "order", "day"])
def test_limits_of_log_events(standin, events, why):
    now = int(time.time() * 1000)
    with pytest.raises(ApiError, match=why):
        ACTIONS["logs", "PutLogEvents"](standin.world, {
            "logGroupName": "natxdp", "logStreamName": "flows",
            "logEvents": [{"timestamp": now + at, "message": text} for at, text in events]})


def test_conditions():
    item = {"owner": {"S": "me"}, "epoch": {"N": "10"}}
    params = {"ExpressionAttributeValues": {":nine": {"N": "9"}, ":me": {"S": "me"}},
              "ExpressionAttributeNames": {"#o": "owner"}}
    for text, expected in (
            ("epoch > :nine", True), ("epoch < :nine", False), ("#o = :me AND epoch <> :nine", True),
            ("attribute_not_exists(gone) AND NOT #o <> :me", True), ("gone = :nine", False),
            ("epoch = :nine OR (attribute_exists(owner) AND begins_with(owner, :me))", True),
            ("epoch = :me", False)):
        assert expressions.holds(text, item, params) is expected, text
    expressions.update("SET epoch = epoch + :nine, n = if_not_exists(n, :nine) REMOVE #o", item, params)
    assert item == {"epoch": {"N": "19"}, "n": {"N": "9"}}


def test_hooks(standin, start):
    """Where a miniature VPC makes calls real."""
    seen = []
    standin.world.hooks["ReplaceRoute"].append(lambda params, result: seen.append(params))
    start().ok("ReplaceRoute", account.requests()["ReplaceRoute"])
    assert seen[0]["RouteTableId"] == account.TABLES["a"]


def test_as_a_process(tmp_path):
    """The same for those who do not speak Python, by its control interface."""
    (tmp_path / "world.json").write_text(json.dumps(account.world()))
    process = subprocess.Popen([sys.executable, "-m", "standin", str(tmp_path / "world.json")],
                               cwd=Path(__file__).parent, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        where = json.loads(process.stdout.readline())

        def control(**order):
            connection = http.client.HTTPConnection(
                urllib.parse.urlparse(where["control"]).netloc, timeout=10)
            connection.request("POST", "/", json.dumps(order))
            answer = connection.getresponse()
            assert answer.status == 200
            return json.loads(answer.read())

        control(do="fault", action="DescribeAddresses", error="Throttling", times=1)
        control(do="imds", path="spot/instance-action", text="{}")
        done = subprocess.run(
            ["/usr/bin/aws", "--endpoint-url", where["api"], "--region", where["region"], "ec2",
             "describe-addresses"], capture_output=True, timeout=60, check=True,
            env={"PATH": "/usr/bin", "HOME": str(tmp_path), "AWS_ACCESS_KEY_ID": "AKIDSTANDIN",
                 "AWS_SECRET_ACCESS_KEY": "secret/standin+key"})
        assert b"203.0.113.1" in done.stdout
        record = control(do="record")
        assert [(entry["action"], entry["code"]) for entry in record] == [
            ("DescribeAddresses", "Throttling"), ("DescribeAddresses", "")]
        assert control(do="dump")["parameters"]["/natxdp/state"]["version"] == 3
    finally:
        process.stdin.close()
        assert process.wait(10) == 0
