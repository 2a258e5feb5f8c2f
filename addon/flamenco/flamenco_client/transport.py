# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends requests and tells answers from failures."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import IO, Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as UrllibTimeout

from . import wire
from .errors import ApiError, BadAnswer, ClientError, ConnectionFailed, TimedOut

__all__ = ["Call", "FileBody", "Transport"]

#: What can be uploaded: bytes, or a file opened for reading bytes, which is sent from its current position to
#: its end, piece by piece.
FileBody = bytes | IO[bytes]

#: How much of a file is read and sent at a time, in bytes.
PIECE = 1024 * 1024

#: How much of the answer to a failed request is read, in bytes.
ERROR_LIMIT = 64 * 1024

#: What urllib3's messages start with: the Python object that failed.
_OBJECT = re.compile(r"^(<[^>]*>|\w+\([^)]*\)): ")


class Call:
    """A request that is being put together."""

    def __init__(self, method: str, path: str) -> None:
        self.method = method
        self.target = path
        self.parameters: list[tuple[str, str]] = []
        self.headers: dict[str, str] = {}
        self.body: Any = None

    def path(self, name: str, value: Any, codec: wire.Codec) -> None:
        """Fills in a parameter of the path."""
        text = _text(codec.write(value))
        if text in ("", ".", ".."):
            raise ValueError(f"{name} must not be {text!r}, which would lead to another address")
        self.target = self.target.replace("{" + name + "}", quote(text, safe=""))

    def query(self, name: str, value: Any, codec: wire.Codec) -> None:
        """Adds a parameter to the query; None adds nothing, a list is repeated."""
        if value is None:
            return
        written = codec.write(value)
        for item in written if isinstance(written, list) else [written]:
            self.parameters.append((name, _text(item)))

    def header(self, name: str, value: Any, codec: wire.Codec) -> None:
        """Adds a header; None adds nothing."""
        if value is None:
            return
        written = codec.write(value)
        text = ", ".join(map(_text, written)) if isinstance(written, list) else _text(written)
        # http.client would encode text as Latin-1, and fail for the rest.
        self.headers[name] = text.encode("utf-8").decode("latin-1")

    def json(self, body: Any, codec: wire.Codec) -> None:
        """Sets the body; None means that there is none."""
        if body is None:
            return
        self.body = json.dumps(codec.write(body), allow_nan=False).encode("utf-8")
        self.headers["Content-Type"] = "application/json"

    def upload(self, body: FileBody, content_type: str) -> None:
        """Sets a body that is sent piece by piece."""
        length = _length(body)
        self.body = body if isinstance(body, (bytes, bytearray, memoryview)) else _Pieces(body, length)
        self.headers["Content-Type"] = content_type
        if length is not None:
            self.headers["Content-Length"] = str(length)

    @property
    def address(self) -> str:
        """Path and query."""
        return self.target + ("?" + urlencode(self.parameters) if self.parameters else "")


class _Pieces:
    """A file in pieces that are larger than those of http.client, which makes uploads twice as fast."""

    def __init__(self, file: IO[bytes], length: int | None) -> None:
        self._file = file
        self._length = length

    def __iter__(self) -> Iterator[bytes]:
        left = self._length
        # What a file grows by meanwhile would be taken for the next request.
        while piece := self._file.read(PIECE if left is None else min(PIECE, left)):
            yield piece
            if left is not None:
                left -= len(piece)


class _Steady:
    """A connection whose timeout, while it sends, is for how long nothing at all gets away.

    urllib3 has its own for sending: that of connecting, and Python counts it for the whole of a piece, which is too
    short for people with a slow line.
    """

    #: In seconds.
    patience: float
    sock: Any

    def send(self, data: Any) -> None:
        """Sends something. Raises `OSError`."""
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]
        self.sock.settimeout(self.patience)
        if not isinstance(data, (bytes, bytearray, memoryview)):
            super().send(data)  # type: ignore[misc]
            return
        left = memoryview(data).cast("B")
        while left:
            left = left[self.sock.send(left) :]


def _pool_classes(patience: float) -> dict[str, Any]:
    """What urllib3 makes connections with, by scheme."""
    plain = type("PlainConnection", (_Steady, HTTPConnection), {"patience": patience})
    secure = type("SecureConnection", (_Steady, HTTPSConnection), {"patience": patience})
    return {
        "http": type("PlainPool", (urllib3.HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("SecurePool", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }


class Transport:
    """Sends requests to one manager. Nothing is sent twice: only the caller knows if it may be."""

    def __init__(
        self,
        base_url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        token: str | None = None,
        name: str | None = None,
        user_agent: str = "flamenco-client-python",
        connect_timeout: float = 10.0,
        read_timeout: float = 60.0,
    ) -> None:
        """`base_url` is the manager's address; it may have a path, for a manager behind a proxy. `token` is an
        access token, for a manager that asks for one, and `name` is who shows it, for the audit trail.

        The timeouts are in seconds. `read_timeout` is how long the manager may be silent, or take nothing of
        what is sent, so a large upload may take as long as it needs. Raises `ValueError` if the address is none.
        """
        self.base_url = _base_url(base_url)
        self._headers = {"User-Agent": user_agent, "Accept": "application/json, text/plain;q=0.5, */*;q=0.1"}
        if username is not None:
            self._headers.update(urllib3.make_headers(basic_auth=f"{username}:{password or ''}"))
        if token:
            self._headers["Authorization"] = _authorization(token, name or "")
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._pool = urllib3.PoolManager(maxsize=8)
        self._pool.pool_classes_by_scheme = _pool_classes(read_timeout)

    @property
    def read_timeout(self) -> float:
        """How long the manager may be silent, in seconds, where nothing else is said."""
        return self._read_timeout

    def close(self) -> None:
        """Closes the connections. The client can still be used, and makes new ones then."""
        self._pool.clear()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _send(self, call: Call, answers: Mapping[int, Any], timeout: float | None) -> Any:
        """Sends a request. `answers` tells how to read the answer of each good status code."""
        response = self._request(call, self._read_timeout if timeout is None else timeout)
        try:
            if response.status >= 400:
                problem = _api_error(response)
                problem.had_credentials = "Authorization" in self._headers
                raise problem
            if response.status not in answers:
                raise BadAnswer(f"{call.method} {call.target}: unexpected answer, HTTP {response.status}")
            try:
                return _decode(response, answers[response.status])
            except BadAnswer as error:
                raise BadAnswer(f"{call.method} {call.target}: {error}") from error
        except (HTTPError, OSError) as error:
            response.close()
            raise self._connection_error(error) from error
        finally:
            response.release_conn()

    def _request(self, call: Call, read_timeout: float) -> Any:
        try:
            return self._pool.request(
                call.method,
                self.base_url + call.address,
                body=call.body,
                headers={**self._headers, **call.headers},
                timeout=urllib3.Timeout(connect=self._connect_timeout, read=read_timeout),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (HTTPError, OSError) as error:
            raise self._connection_error(error) from error

    def _connection_error(self, error: Exception) -> ClientError:
        # urllib3 counts a refused connection among the timeouts.
        slow = isinstance(error, (UrllibTimeout, TimeoutError)) and not isinstance(error, NewConnectionError)
        kind = TimedOut if slow else ConnectionFailed
        # The first of the two is not always a kind of the second.
        is_sent = not isinstance(error, (NewConnectionError, ConnectTimeoutError))
        text = f"no connection to the manager at {self.base_url}: {_OBJECT.sub('', str(error))}"
        return kind(text, is_sent=is_sent)


def _authorization(token: str, name: str) -> str:
    """The header that shows a token. With a name, it comes as the password of that user."""
    user = name.replace(":", "").strip()
    if not user:
        return f"Bearer {token}"
    # urllib3 can only write Latin-1.
    return "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode("ascii")


def _base_url(address: str) -> str:
    """The address without the slash at its end."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{address!r} is not the address of a manager, such as http://manager:8080/")
    return f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")


def _text(value: Any) -> str:
    """How a value is written outside of JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _length(body: FileBody) -> int | None:
    """How many bytes are left of a file; None if it cannot tell."""
    if isinstance(body, (bytes, bytearray, memoryview)):
        return len(body)
    try:
        position = body.tell()
        end = body.seek(0, io.SEEK_END)
        body.seek(position)
        return end - position
    except (AttributeError, OSError):
        return None


def _decode(response: Any, reader: Any) -> Any:
    if reader is wire.STATUS:
        return response.status
    if reader is None:
        return None
    data = response.read()
    if reader is wire.BYTES:
        return data
    if reader is wire.PLAIN_TEXT:
        return data.decode("utf-8", "replace")
    try:
        value = json.loads(data)
    except ValueError as error:
        raise BadAnswer(f"the answer is not JSON, but starts with {data[:100]!r}") from error
    return reader.read(value, "")


def _api_error(response: Any) -> ApiError:
    """The error of a failed request, whatever its body looks like."""
    data = response.read(ERROR_LIMIT)
    if len(data) == ERROR_LIMIT:
        # The rest is not worth reading, but it would be taken for the next answer.
        response.close()
    text = data.decode("utf-8", "replace").strip()
    try:
        body = json.loads(text)
    except ValueError:
        body = text or None
    message = body.get("message") if isinstance(body, dict) else body
    if not isinstance(message, str) or not message:
        message = text or response.reason or "the manager gave no reason"
    wait = response.headers.get("Retry-After", "")
    return ApiError(response.status, message[:2000], int(wait) if wait.isdigit() else None, body)
