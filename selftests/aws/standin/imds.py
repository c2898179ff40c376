# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The instance metadata service, version 2."""

import json
import secrets
import threading
import time

from .faults import Faults, spoil
from .web import Response

ROLE = "natxdp-node"
ROLES = "/latest/meta-data/iam/security-credentials/"


class Imds:
    """Documents by path, set at any time; role credentials that expire.

    lifetime   seconds that new credentials live
    hops       hop limit of the answers to token requests; `distance` > hops: no answer
    """

    def __init__(self, standin, instance="i-0000000000000000a", key="ASIAROLE"):
        self.standin = standin
        self.key = key  # how access keys begin: tells whose call it was
        self.faults = Faults()
        self.lifetime = 6 * 3600
        self.hops = 1
        self.distance = 1
        self.role = ROLE
        self.record = []  # (method, path, status)
        self._lock = threading.Lock()
        self._tokens = {}  # -> expiry
        self._issued = 0
        self._credentials = None
        self._documents = {
            "/latest/meta-data/instance-id": instance,
            "/latest/meta-data/placement/region": standin.region,
            "/latest/meta-data/placement/availability-zone": standin.region + "a",
            "/latest/meta-data/mac": "02:00:00:00:00:0a",
            "/latest/meta-data/autoscaling/target-lifecycle-state": "InService",
            "/latest/meta-data/events/maintenance/scheduled": "[]",
            "/latest/dynamic/instance-identity/document": json.dumps(
                {"instanceId": instance, "region": standin.region, "accountId": "123456789012"}),
        }

    def set(self, path, text):
        """None removes it. Relative paths are below /latest/meta-data/."""
        path = path if path.startswith("/") else "/latest/meta-data/" + path
        with self._lock:
            if text is None:
                self._documents.pop(path, None)
            else:
                self._documents[path] = text if isinstance(text, str) else json.dumps(text)

    def spot_interruption(self, at, action="terminate"):
        self.set("spot/instance-action", {"action": action, "time": _iso(at)})

    def rebalance(self, at):
        self.set("events/recommendations/rebalance", {"noticeTime": _iso(at)})

    def lifecycle(self, state):
        self.set("autoscaling/target-lifecycle-state", state)

    def scheduled_event(self, code, start, end):
        self.set("events/maintenance/scheduled", [
            {"Code": code, "NotBefore": time.strftime("%d %b %Y %H:%M:%S GMT", time.gmtime(start)),
             "NotAfter": time.strftime("%d %b %Y %H:%M:%S GMT", time.gmtime(end)),
             "EventId": "instance-event-0d59937288b749b32", "State": "active"}])

    def forget_tokens(self):
        with self._lock:
            self._tokens.clear()

    def rotate(self):
        """The next read of the credentials gets new ones; the old stay valid until they expire."""
        with self._lock:
            self._credentials = None

    @property
    def issued(self):
        return self._issued

    def serve(self, request):
        fault = self.faults.take("imds", request.path)
        response = Response(200, b"", {"Content-Type": "text/plain"})
        if "status" not in fault and "garbage" not in fault:
            with self._lock:
                self._answer(request, response)
        spoil(fault, response)
        self.record.append((request.method, request.path, response.status))
        return response

    def _answer(self, request, response):
        if request.method == "PUT" and request.path == "/latest/api/token":
            return self._new_token(request, response)
        token = request.header("X-aws-ec2-metadata-token")
        if self._tokens.get(token, 0) < time.monotonic():
            response.status = 401
            return None
        if request.header("X-Forwarded-For"):
            response.status = 403
            return None
        if request.path == ROLES and self.role:
            response.body = self.role.encode()
        elif self.role and request.path == ROLES + self.role:
            response.body = json.dumps(self._current()).encode()
        elif request.path in self._documents:
            response.body = self._documents[request.path].encode()
        else:
            response.status = 404
        return None

    def _new_token(self, request, response):
        lifetime = request.header("X-aws-ec2-metadata-token-ttl-seconds")
        if not lifetime.isdigit() or not 1 <= int(lifetime) <= 21600:
            response.status = 400
            return
        if self.distance > self.hops:
            response.mischief = "close"  # the answer's TTL ends on the way
            return
        token = secrets.token_urlsafe(40)
        self._tokens[token] = time.monotonic() + int(lifetime)
        response.headers["X-aws-ec2-metadata-token-ttl-seconds"] = lifetime
        response.body = token.encode()

    def _current(self):
        now = time.time() + self.standin.clock
        if self._credentials is None or self._credentials[1] - now < min(60, self.lifetime / 2):
            self._issued += 1
            key, secret = f"{self.key}{self._issued:04d}", secrets.token_urlsafe(30)
            # about as long as real ones, with the characters that they have
            token = "IQoJb3JpZ2luX2VjE/+=" + secrets.token_hex(500)
            expires = now + self.lifetime
            self.standin.keys[key] = (secret, token, expires)
            self._credentials = ({
                "Code": "Success", "LastUpdated": _iso(now), "Type": "AWS-HMAC",
                "AccessKeyId": key, "SecretAccessKey": secret, "Token": token,
                "Expiration": _iso(expires)}, expires)
        return self._credentials[0]


def _iso(at):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
