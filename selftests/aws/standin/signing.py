# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Checks signatures of version 4 by making them again with botocore's signer."""

import calendar
import hmac
import re
import time

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/"
    r"(?P<service>[^/]+)/aws4_request, ?SignedHeaders=(?P<headers>[a-z0-9;-]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})$")
SKEW_MAX = 300  # seconds

# What AWS wants to be signed where it is there.
MUST_BE_SIGNED = {"host", "x-amz-date", "x-amz-security-token", "x-amz-target", "content-type"}


class BadSignature(Exception):
    def __init__(self, kind, text):
        super().__init__(text)
        self.kind = kind  # "missing", "key", "expired", "skewed", "mismatch"


def verify(request, keys, clock=0.0):
    """Returns (service, region, key). @keys: key -> (secret, token, expires)."""
    parsed = AUTHORIZATION.match(request.header("Authorization"))
    if not parsed:
        raise BadSignature("missing", "Missing or malformed Authorization header")
    signed = parsed["headers"].split(";")
    present = {name.lower() for name, _ in request.headers}
    unsigned = (MUST_BE_SIGNED & present) - set(signed)
    if unsigned:
        raise BadSignature("mismatch", f"headers that must be signed are not: {sorted(unsigned)}")
    if signed != sorted(signed) or "host" not in signed:
        raise BadSignature("mismatch", "signed headers are not in order, or lack host")
    doubled = [name for name in signed
               if len([1 for key, _ in request.headers if key.lower() == name]) != 1]
    if doubled:
        raise BadSignature("mismatch", f"signed headers that do not come once: {doubled}")
    _check_key(request, keys, parsed["key"], clock)
    _check_date(request, parsed["date"], clock)
    expected = _signature(request, keys[parsed["key"]], parsed, signed)
    if not hmac.compare_digest(expected, parsed["signature"]):
        raise BadSignature("mismatch", "The request signature we calculated does not match the "
                                       "signature you provided.")
    return parsed["service"], parsed["region"], parsed["key"]


def _check_key(request, keys, key, clock):
    if key not in keys:
        raise BadSignature("key", "The security token included in the request is invalid.")
    _, token, expires = keys[key]
    if (token or "") != request.header("X-Amz-Security-Token"):
        raise BadSignature("key", "The security token included in the request is invalid.")
    if expires and time.time() + clock >= expires:
        raise BadSignature("expired", "The security token included in the request is expired")


def _check_date(request, scope_date, clock):
    stamp = request.header("X-Amz-Date")
    if not re.fullmatch(r"\d{8}T\d{6}Z", stamp) or not stamp.startswith(scope_date):
        raise BadSignature("mismatch", "Date in Credential scope does not match X-Amz-Date")
    ahead = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ")) - (time.time() + clock)
    if abs(ahead) > SKEW_MAX:
        word = "not yet current" if ahead > 0 else "expired"
        raise BadSignature("skewed", f"Signature {word}: {stamp}")


def _signature(request, credentials, parsed, signed):
    secret, token, _ = credentials
    scheme = "https" if request.secure else "http"
    again = AWSRequest(method=request.method, data=request.body,
                       url=f"{scheme}://{request.header('Host')}{request.path}")
    for name in signed:
        again.headers[name] = request.header(name)
    again.context["timestamp"] = request.header("X-Amz-Date")
    # the token is a header like the others here: it is signed if it is among them
    signer = SigV4Auth(Credentials(parsed["key"], secret), parsed["service"], parsed["region"])
    canonical = signer.canonical_request(again)
    return signer.signature(signer.string_to_sign(again, canonical), again)
