# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server that answers what a test wants, for what a real manager does not do on command."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any


@dataclasses.dataclass
class Reply:
    """One answer."""

    status: int = 200
    json: Any = None
    text: str = ""
    #: Seconds before it.
    delay: float = 0
    #: Ends the connection instead.
    hang_up: bool = False
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class Request:
    """What a client wanted."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Server:
    """A running server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Request] = []
        self.start = time.monotonic()
        self.end = self.start

    @property
    def seconds(self) -> float:
        """From the start to the last answer."""
        return self.end - self.start


Replies = dict[str, Reply] | Callable[[Request], Reply]


@contextlib.contextmanager
def serving(replies: Replies) -> Iterator[Server]:
    """Answers by path, or by a function."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(self.command, self.path, dict(self.headers), body)
            server.requests.append(request)
            reply = replies(request) if callable(replies) else replies.get(self.path, Reply(404))
            time.sleep(reply.delay)
            server.end = time.monotonic()
            if reply.hang_up:
                self.close_connection = True
                return
            data = json.dumps(reply.json).encode() if reply.json is not None else reply.text.encode()
            with contextlib.suppress(ConnectionError):
                self.send_response(reply.status)
                self.send_header("Content-Length", str(len(data)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = handle_any

        def log_message(self, *_arguments: Any) -> None:
            pass

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Clients of these tests hang up on purpose."""

    httpd = Quiet(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    server = Server(f"http://127.0.0.1:{httpd.server_address[1]}")
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()
