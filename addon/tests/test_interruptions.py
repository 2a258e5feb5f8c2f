# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that are slow, that break, and managers that are busy or stopping."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pytest
from servers import Reply, Request
from test_sending import Store, upload

from flamenco import packing
from flamenco.flamenco_client import ApiError, Client, ConnectionFailed
from flamenco.packing import PackFile

BUSY = {"code": 503, "message": "the manager is stopping; try again"}


@pytest.fixture
def files(tmp_path: Path) -> tuple[PackFile, ...]:
    made = []
    for number in range(6):
        path = tmp_path / f"{number}.exr"
        path.write_bytes(os.urandom(100_000))
        made.append(packing.describe(path, PurePosixPath(path.name)))
    return tuple(made)


def test_a_lost_status_check_does_not_abort_the_upload(files: tuple[PackFile, ...]) -> None:
    store = Store()
    lost: list[str] = []

    def lose_one(request: Request) -> Reply:
        if request.method == "GET" and "/files/" in request.path and not lost:
            lost.append(request.path)
            return Reply(hang_up=True)
        return store(request)

    assert upload(lose_one, files).sent_files <= len(files)
    assert lost
    assert len(store.stored) == len(files)


@pytest.mark.parametrize("where", ["requirements", "GET", "POST", "create"])
@pytest.mark.parametrize(
    "reply",
    [
        Reply(503, json=BUSY, headers={"Retry-After": "1"}),
        Reply(503, text="<h1>No server is available</h1>"),
        Reply(429, json={"code": 429, "message": "busy"}, headers={"Retry-After": "1"}),
        Reply(408, json={"code": 408, "message": "idle"}),
    ],
    ids=["503 and when to come back", "503 of a proxy", "429", "408"],
)
def test_a_manager_that_is_busy_is_asked_again(files: tuple[PackFile, ...], reply: Reply, where: str) -> None:
    store = Store()
    times: list[float] = []

    def refuse_once(request: Request) -> Reply:
        is_meant = request.path.endswith(where) or ("/files/" in request.path and request.method == where)
        if not is_meant:
            return store(request)
        times.append(time.monotonic())
        return reply if len(times) == 1 else store(request)

    upload(refuse_once, files[:1])
    assert len(store.stored) == 1
    if reply.headers:
        assert times[1] - times[0] >= 1, "it said when to come back"


def test_a_file_store_that_is_switched_off_is_not_waited_for(files: tuple[PackFile, ...]) -> None:
    off = Reply(503, json={"code": 503, "message": "the file store is switched off"})
    start = time.monotonic()
    with pytest.raises(ApiError, match="switched off"):
        upload(lambda _request: off, files)
    assert time.monotonic() - start < 5


@contextmanager
def slow_server(piece: int, pause: float) -> Iterator[tuple[str, list[int]]]:
    """Takes a request at a steady, low rate, and answers 204."""
    received: list[int] = [0]
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def take() -> None:
            connection, _ = listener.accept()
            with connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(1)
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                while received[0] < length:
                    data = connection.recv(piece)
                    if not data:
                        return
                    received[0] += len(data)
                    time.sleep(pause * len(data) / piece)
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        thread = threading.Thread(target=take)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", received
        thread.join()


def test_an_upload_may_be_slower_than_the_time_to_connect(tmp_path: Path) -> None:
    size = 12_000_000
    path = tmp_path / "large.exr"
    with path.open("wb") as file:
        file.truncate(size)
    # A megabyte takes longer than to connect may, and yet something arrives all the time.
    with (
        slow_server(50_000, 0.02) as (url, received),
        Client(url, connect_timeout=0.2, read_timeout=2) as client,
        path.open("rb") as file,
    ):
        assert client.shaman_file_store("abc", size, file, timeout=30) == 204
    assert received == [size]


def test_an_upload_that_nobody_takes_ends() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        start = time.monotonic()
        with (
            Client(f"http://127.0.0.1:{listener.getsockname()[1]}", read_timeout=0.5) as client,
            pytest.raises(ConnectionFailed),
        ):
            client.shaman_file_store("abc", 50_000_000, bytes(50_000_000))
        assert time.monotonic() - start < 10
