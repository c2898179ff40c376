# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The AWS API, the IMDS, and what a test does with them."""

import gzip
import json
import threading
import time
import uuid
from dataclasses import dataclass

from . import shapes, signing
from .faults import Faults, spoil
from .imds import Imds
from .web import Listener, Response
from .world import ApiError, World

# an error of the signature, by protocol: query, ec2, json
SIGNATURE_CODES = {
    "missing": ("MissingAuthenticationToken", "MissingAuthenticationToken",
                "MissingAuthenticationTokenException"),
    "key": ("InvalidClientTokenId", "AuthFailure", "UnrecognizedClientException"),
    "expired": ("ExpiredToken", "RequestExpired", "ExpiredTokenException"),
    "skewed": ("SignatureDoesNotMatch", "RequestExpired", "InvalidSignatureException"),
    "mismatch": ("SignatureDoesNotMatch", "SignatureDoesNotMatch", "InvalidSignatureException"),
}


@dataclass
class Entry:
    """One request, as the record keeps it."""
    time: float
    service: str
    region: str
    action: str
    params: dict
    status: int
    code: str  # of the error, or ""
    key: str
    connection: int
    headers: dict
    length: int  # of the body as it came
    mischief: str
    fault: bool
    delay: float = 0.0  # seconds until the answer


class StandIn:
    """Use it as a context manager, or start() and stop() it.

    keys     access key -> (secret, session token or None, expiry or None)
    world    what there is; see world.py. world.hooks[action] are called with
             (params, result) after an action was done and before its answer.
    faults   see faults.py; those of the IMDS are imds.faults
    latency  function(service, action) -> seconds that each answer takes, faults aside
    clock    seconds that the servers' clock is ahead of ours
    record   every request to the AWS API, list of Entry
    """

    def __init__(self, region="eu-central-1", certificate=None, seed=1, address=("127.0.0.1", 0)):
        self.region = region
        self.certificate = certificate
        self.address = address  # of the API
        self.keys = {"AKIDSTANDIN": ("secret/standin+key", None, None)}
        self.faults = Faults(seed)
        self.world = World(region)
        self.imds = Imds(self)
        self.latency = None
        self.clock = 0.0
        self.record = []
        self.problems = []  # of the stand-in itself
        self._lock = threading.Lock()
        self._api = self._imds = None

    def start(self):
        self._api = Listener(self.serve, self.address, self.certificate)
        self._imds = Listener(self.imds.serve)
        return self

    def stop(self):
        for listener in (self._api, self._imds):
            if listener:
                listener.stop()

    __enter__ = start

    def __exit__(self, *unused):
        self.stop()

    @property
    def url(self):
        return self._api.url

    @property
    def imds_url(self):
        return self._imds.url

    @property
    def listener(self):
        return self._api

    def calls(self, action=None):
        """The record, or the entries of one action."""
        with self._lock:
            return [entry for entry in self.record if action in (None, entry.action)]

    def forget(self):
        with self._lock:
            self.record.clear()

    # ---- one request

    def serve(self, request):
        entry = Entry(time.time(), "", "", "", {}, 200, "", "", request.connection,
                      {name.lower(): value for name, value in request.headers},
                      len(request.body), None, False)
        service, fault = None, {}
        request_id = str(uuid.uuid4())
        try:
            entry.service, entry.region, entry.key = self._verify(request, entry)
            service = shapes.model(entry.service)
            if request.header("Content-Encoding") == "gzip":
                request.body = gzip.decompress(request.body)
            operation, raw = shapes.operation(service, request)
            entry.action = operation.name
            fault = self.faults.take(entry.service, operation.name)
            response = self._perform(service, operation, raw, entry, fault, request_id)
        except signing.BadSignature as error:
            entry.code = self._signature_code(entry.service, error.kind)
            response = self._failure(entry, 403, str(error), request_id)
        except shapes.BadRequest as error:
            entry.code = error.code
            response = self._failure(entry, 400, str(error), request_id)
        except Exception as error:  # a mistake in the stand-in, which the test must see
            self.problems.append(repr(error))
            entry.code = "InternalFailure"
            response = self._failure(entry, 500, f"stand-in: {error!r}", request_id)
        response.headers.setdefault("x-amzn-RequestId", request_id)
        response.clock = self.clock
        spoil(fault, response)
        if self.latency:
            response.delay += self.latency(entry.service, entry.action)
        entry.status, entry.mischief, entry.fault = response.status, response.mischief, bool(fault)
        entry.delay = response.delay
        with self._lock:
            self.record.append(entry)
        return response

    def _verify(self, request, entry):
        if request.method != "POST" or request.path != "/":
            raise shapes.BadRequest("InvalidAction", "calls are POST to /")
        scope = signing.AUTHORIZATION.match(request.header("Authorization"))
        if scope:
            entry.service = scope["service"]
        if scope and scope["service"] not in shapes.MODELS:
            raise shapes.BadRequest("InvalidAction", f"no service {scope['service']}")
        if scope and scope["region"] != self.region:
            raise signing.BadSignature("mismatch", "Credential should be scoped to a valid region")
        return signing.verify(request, self.keys, self.clock)

    def _perform(self, service, operation, raw, entry, fault, request_id):
        broken = "error" in fault or "status" in fault or "garbage" in fault
        params = shapes.parameters(service, operation, raw)
        entry.params = params
        result = None
        if not broken or fault.get("applied"):
            try:
                result = self.world.perform(entry.service, operation.name, params)
            except ApiError as error:
                entry.code = error.code
                return self._failure(entry, error.status, str(error), request_id)
        if "error" in fault:
            entry.code = fault["error"]
            return self._failure(entry, fault.get("status", 400),
                                 fault.get("message", "as the test wanted"), request_id)
        content_type, body = "text/plain", b""
        if not broken:
            content_type, body = shapes.answer(service, operation, result or {}, request_id)
        return Response(200, body, {"Content-Type": content_type})

    def _failure(self, entry, status, message, request_id):
        service = shapes.model(entry.service) if entry.service in shapes.MODELS else None
        content_type, body = shapes.failure(service, entry.code, message, request_id)
        return Response(status, body, {"Content-Type": content_type})

    @staticmethod
    def _signature_code(service, kind):
        if service not in shapes.MODELS:
            return SIGNATURE_CODES[kind][0]
        protocol = shapes.model(service).metadata["protocol"]
        return SIGNATURE_CODES[kind][{"query": 0, "ec2": 1, "json": 2}[protocol]]

    # ---- the control interface, for tests that are not in Python

    def control(self, request):
        """An application: POST a JSON object {"do": NAME, ...} to it."""
        order = json.loads(request.body or b"{}")
        name = order.pop("do", "")
        if name == "fault":
            (self.imds.faults if order.pop("imds", False) else self.faults).add(**order)
        elif name == "clear":
            self.faults.clear()
            self.imds.faults.clear()
        elif name == "imds":
            self.imds.set(order["path"], order.get("text"))
        elif name == "clock":
            self.clock = float(order["ahead"])
        elif name == "world":
            self.world.load(order["world"])
        elif name == "record":
            return _json([vars(entry) for entry in self.calls(order.get("action"))])
        elif name == "dump":
            return _json(self.world.dump())
        else:
            return Response(400, b"unknown order\n")
        return _json({})


def _json(value):
    return Response(200, json.dumps(value, default=str).encode(), {"Content-Type": "application/json"})
