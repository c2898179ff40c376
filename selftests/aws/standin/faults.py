# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What goes wrong, on order.

A fault is a dictionary. Which requests it is for:
  action       e.g. "ReplaceRoute"; for the IMDS a path or the end of one; absent: all
  service      name of the signature, e.g. "ec2"; absent: all
  times        how often, then it is gone; absent: until it is cleared
  skip         how many to let pass first
  share        0..1: the part of the requests that it hits, by chance with a seed
What it does, any of:
  delay        seconds before the answer
  error        code of an error, with `status` (default 400) and `message`
  status       HTTP status (with a body that is none of AWS if there is no error)
  mischief     "reset", "close", "half", "drip" (see web.Response)
  garbage      bytes or text instead of the body, with status 200
  retry_after  seconds, as a header
  applied      True: the action is done before this goes wrong; default: only
               if nothing but delay or mischief is asked for after the answer
"""

import random
import threading


class Faults:
    def __init__(self, seed=1):
        self._lock = threading.Lock()
        self._random = random.Random(seed)
        self._faults = []

    def add(self, **fault):
        with self._lock:
            self._faults.append(dict(fault))

    def clear(self):
        with self._lock:
            self._faults.clear()

    def __len__(self):
        with self._lock:
            return len(self._faults)

    def take(self, service, action):
        """The first fault for a request, or an empty dictionary."""
        with self._lock:
            for fault in self._faults:
                if fault.get("service", service) != service:
                    continue
                if not action.endswith(fault.get("action", "")):
                    continue
                if fault.get("skip", 0) > 0:
                    fault["skip"] -= 1
                    continue
                if self._random.random() >= fault.get("share", 1):
                    continue
                if "times" in fault:
                    fault["times"] -= 1
                    if fault["times"] <= 0:
                        self._faults.remove(fault)
                return dict(fault)
        return {}


def spoil(fault, response):
    """Changes @response as the fault says."""
    response.delay = fault.get("delay", 0)
    response.mischief = fault.get("mischief")
    if "retry_after" in fault:
        response.headers["Retry-After"] = str(fault["retry_after"])
    if "garbage" in fault:
        garbage = fault["garbage"]
        response.body = garbage.encode() if isinstance(garbage, str) else garbage
        response.status = fault.get("status", 200)
    elif "status" in fault and "error" not in fault:
        response.status = fault["status"]
        response.body = b"<html><body>something is wrong</body></html>"
        response.headers["Content-Type"] = "text/html"
    return response
