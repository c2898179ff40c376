# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""HTTP servers on loopback that can also misbehave.

An application is a function that takes a Request and returns a Response. What
a Listener does with the answer is up to the Response's `mischief`.
"""

import email.utils
import select
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer


@dataclass
class Request:
    method: str
    path: str
    headers: list  # of (name, value), as they came
    body: bytes
    connection: int  # the number of the connection that it came by
    secure: bool = False

    def header(self, name, default=""):
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ",".join(values) if values else default


@dataclass
class Response:
    status: int = 200
    body: bytes = b""
    headers: dict = field(default_factory=dict)
    # None; "reset": RST instead of an answer; "close": FIN instead of one;
    # "half": half of the body (or head, if there is no body), then RST; "drip": a byte each 100 ms
    mischief: str = None
    delay: float = 0.0
    clock: float = 0.0  # seconds that the Date header is ahead


def _wait_for_hangup(connection, seconds):
    """Sleeps, but not past the moment when the client hangs up."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        readable, _, _ = select.select([connection], [], [], left)
        if readable:
            if isinstance(connection, ssl.SSLSocket):
                return
            if not connection.recv(1, socket.MSG_PEEK):
                return
            time.sleep(min(left, 0.05))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120

    def setup(self):
        super().setup()
        self.number = self.server.next_connection()

    def log_message(self, *args):
        pass

    def handle(self):
        try:
            super().handle()
        except (ConnectionError, ssl.SSLError, TimeoutError):
            pass
        finally:
            self.server.closed(self.number)

    def _serve(self):
        length = int(self.headers.get("Content-Length") or 0)
        request = Request(self.command, self.path, list(self.headers.items()),
                          self.rfile.read(length), self.number, self.server.secure)
        response = self.server.application(request)
        if response.delay:
            _wait_for_hangup(self.connection, response.delay)
        self._answer(response)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

    def _abort(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _head(self, response):
        self.send_response_only(response.status)
        headers = dict(response.headers)
        headers.setdefault("Content-Length", str(len(response.body)))
        headers.setdefault("Date", email.utils.formatdate(time.time() + response.clock, usegmt=True))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _answer(self, response):
        if response.mischief == "reset":
            return self._abort()
        if response.mischief == "close":
            self.close_connection = True
            return None
        if response.mischief == "half" and not response.body:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-")
            self.wfile.flush()
            return self._abort()
        self._head(response)
        if response.mischief == "half":
            self.wfile.write(response.body[:len(response.body) // 2])
            self.wfile.flush()
            return self._abort()
        if response.mischief == "drip":
            for i in range(len(response.body)):
                self.wfile.write(response.body[i:i + 1])
                self.wfile.flush()
                time.sleep(0.1)
            return None
        self.wfile.write(response.body)
        return None


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, application, address=("127.0.0.1", 0), certificate=None):
        """@certificate is a pair of file names, certificate and key: then it is HTTPS."""
        self.application = application
        self.secure = certificate is not None
        self.connections = 0
        self.open_connections = set()
        self._lock = threading.Lock()
        self._context = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*certificate)
        super().__init__(address, Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def server_bind(self):
        # not HTTPServer's, which asks DNS for the name of the address
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    @property
    def url(self):
        host, port = self.server_address[:2]
        return f"{'https' if self.secure else 'http'}://{host}:{port}"

    def next_connection(self):
        with self._lock:
            self.connections += 1
            self.open_connections.add(self.connections)
            return self.connections

    def closed(self, number):
        with self._lock:
            self.open_connections.discard(number)

    def finish_request(self, request, client_address):
        # the handshake belongs to the thread of the connection
        if self._context:
            request = self._context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        pass

    def stop(self):
        self.shutdown()
        self.server_close()
        self._thread.join(5)
