# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A Lambda function: the shipped bootstrap under a stand-in of the runtime API.

The runtime API is the documented one of 2018-06-01: /invocation/next waits for
an event, /invocation/ID/response and /invocation/ID/error end it.
"""

import json
import os
import queue
import re
import subprocess
import threading
import time
import uuid
from pathlib import Path

from standin.web import Listener, Response

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("NATXDP_BUILD", TOP / "build"))
BOOTSTRAP = Path(os.environ.get("NATXDP_BOOTSTRAP", BUILD / "lambda/x86_64/bootstrap"))
EMULATOR = os.environ.get("NATXDP_BOOTSTRAP_EMULATOR", "").split()
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIDSTANDIN", "AWS_SECRET_ACCESS_KEY": "secret/standin+key"}


class Failed(Exception):
    """The function ended with an error: .kind is its errorType."""

    def __init__(self, error):
        super().__init__(error["errorMessage"])
        self.kind = error["errorType"]


class Runtime:
    def __init__(self):
        self._events = queue.Queue()
        self._answers = queue.Queue()
        self.init_error = None
        self.first_next = None  # when the process first asked for an event
        self.closed = False
        self._listener = Listener(self._serve)
        self.api = self._listener.url.removeprefix("http://")

    def _next(self):
        self.first_next = self.first_next or time.monotonic()
        while not self.closed:
            try:
                request, event, deadline = self._events.get(timeout=0.1)
            except queue.Empty:
                continue
            return Response(200, event, {
                "Content-Type": "application/json", "Lambda-Runtime-Aws-Request-Id": request,
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + deadline) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:f",
                "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"})
        return Response(mischief="close")

    def _serve(self, request):
        path = request.path.removeprefix("/2018-06-01/runtime")
        if request.method == "GET" and path == "/invocation/next":
            return self._next()
        if request.method == "POST" and path == "/init/error":
            self.init_error = json.loads(request.body)
            self._answers.put(("", self.init_error))
            return Response(202, b'{"status":"OK"}')
        ended = re.fullmatch(r"/invocation/([^/]+)/(response|error)", path)
        if request.method == "POST" and ended:
            body = json.loads(request.body)
            assert ended[2] == "response" or request.header("Lambda-Runtime-Function-Error-Type")
            self._answers.put((ended[1], body if ended[2] == "response" else Failed(body)))
            return Response(202, b'{"status":"OK"}')
        return Response(404, b"{}")

    def invoke(self, event, deadline):
        request = str(uuid.uuid4())
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        self._events.put((request, body, deadline))
        ended, answer = self._answers.get(timeout=deadline + 20)
        assert ended == request, answer
        return answer

    def close(self):
        self.closed = True
        self._listener.stop()


class Function:
    """Runs one function. Call it with an event: it returns the answer, or raises Failed.

    lines     what it logged, a dictionary a line
    metrics   [(name, value, {dimension: value})] of the embedded metrics
    """

    def __init__(self, name, standin, environment):
        self.runtime = Runtime()
        self.lines, self.metrics = [], []
        clean = {key: value for key, value in os.environ.items()
                 if not key.startswith(("AWS_", "NATXDP_")) and "proxy" not in key.lower()}
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            [*EMULATOR, str(BOOTSTRAP)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, encoding="utf-8",
            env={**clean, **CREDENTIALS, "AWS_REGION": standin.region, "_HANDLER": name,
                 "AWS_LAMBDA_RUNTIME_API": self.runtime.api, "AWS_ENDPOINT_URL": standin.url,
                 **environment})
        self.errors = ""
        self._threads = [threading.Thread(target=self._read, daemon=True),
                         threading.Thread(target=self._read_errors, daemon=True)]
        for thread in self._threads:
            thread.start()

    def _read(self):
        for text in self._process.stdout:
            line = json.loads(text)
            if "_aws" not in line:
                self.lines.append(line)
                continue
            for directive in line["_aws"]["CloudWatchMetrics"]:
                assert directive["Namespace"] == "NATXDP"
                assert abs(line["_aws"]["Timestamp"] / 1000 - time.time()) < 60
                for dimensions in directive["Dimensions"]:
                    for metric in directive["Metrics"]:
                        self.metrics.append((metric["Name"], line[metric["Name"]],
                                             {key: line[key] for key in dimensions}))

    def _read_errors(self):
        self.errors = self._process.stderr.read()

    def __call__(self, event, deadline=30):
        before = len(self.lines)
        answer = self.runtime.invoke(event, deadline)
        # the lines of an event are written before its answer, and read a moment later
        time.sleep(0.02)
        for line in self.lines[before:]:
            assert {"time", "level", "function", "requestId", "message"} <= set(line), line
        if isinstance(answer, Failed):
            raise answer
        return answer

    def wait_init_error(self):
        """What it said instead of beginning."""
        _, answer = self.runtime._answers.get(timeout=20)
        assert self._process.wait(10) != 0
        return answer

    def logged(self, **fields):
        return [line for line in self.lines
                if all(line.get(key) == value for key, value in fields.items())]

    def metric(self, name, **dimensions):
        return [value for have, value, by in self.metrics
                if have == name and all(by.get(key) == value for key, value in dimensions.items())
                and len(by) == len(dimensions) + 1]

    def close(self):
        self.runtime.close()
        self._process.terminate()
        self._process.wait(10)
        for thread in self._threads:
            thread.join(5)
