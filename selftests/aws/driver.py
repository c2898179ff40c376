# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A driver process (see driver.c), as an object."""

import json
import os
import queue
import subprocess
import threading
from pathlib import Path

BUILD = Path(os.environ.get("NATXDP_BUILD", Path(__file__).resolve().parents[2] / "build"))
STATIC = {"AWS_ACCESS_KEY_ID": "AKIDSTANDIN", "AWS_SECRET_ACCESS_KEY": "secret/standin+key"}
FAST = {"backoff_ms": 1, "backoff_max_ms": 20}


class Driver:
    """Runs under ASan and UBSan, unless sanitize is False; a leak fails stop().

    environment replaces the credentials of the stand-in's only user; other
    options are those of struct aws_options.
    """

    def __init__(self, standin, environment=None, sanitize=True, **options):
        options = {"region": standin.region, "endpoint": standin.url,
                   "imds_endpoint": standin.imds_url, **FAST, **options}
        options = {name: value for name, value in options.items() if value is not None}
        program = BUILD / "selftests/aws" / ("driver-asan" if sanitize else "driver")
        clean = {name: value for name, value in os.environ.items()
                 if not name.startswith("AWS_") and "proxy" not in name.lower()}
        self._process = subprocess.Popen(
            [str(program), json.dumps(options)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            env={**clean, **(STATIC if environment is None else environment)})
        self._answers = queue.Queue()
        self._early = {}
        self._last = 0
        self._threads = [threading.Thread(target=self._read, daemon=True),
                         threading.Thread(target=self._read_errors, daemon=True)]
        self.errors = ""
        for thread in self._threads:
            thread.start()

    @property
    def pid(self):
        return self._process.pid

    def _read(self):
        for line in self._process.stdout:
            self._answers.put(json.loads(line))
        self._answers.put(None)

    def _read_errors(self):
        self.errors = self._process.stderr.read()

    def send(self, **order):
        """Returns the number to wait() for."""
        self._last += 1
        self._process.stdin.write(json.dumps({"id": self._last, **order}) + "\n")
        self._process.stdin.flush()
        return self._last

    def wait(self, number, timeout=30):
        while number not in self._early:
            answer = self._answers.get(timeout=timeout)
            if answer is None:
                self._threads[1].join(5)
                raise AssertionError(f"the driver has ended: {self.errors}")
            self._early[answer["id"]] = answer
        return self._early.pop(number)

    def arrived(self, number):
        while not self._answers.empty():
            answer = self._answers.get()
            self._early[answer["id"]] = answer
        return number in self._early

    def begin(self, action, args=None, **limits):
        return self.send(call=action, args=args or {}, **limits)

    def call(self, action, args=None, **limits):
        return self.wait(self.begin(action, args, **limits))

    def ok(self, action, args=None, **limits):
        """The output of a call that must go well."""
        result = self.call(action, args, **limits)
        assert result.get("fault") == "ok", result
        return result["output"]

    def imds(self, path, **limits):
        return self.wait(self.send(imds=path, **limits))

    def stats(self):
        return self.wait(self.send(stats=True))

    def stop(self):
        if self._process.poll() is None:
            self._process.stdin.close()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._threads[1].join(5)
        assert self._process.returncode == 0, self.errors
