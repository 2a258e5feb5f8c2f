# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that are slow, that break, and managers that are busy or stopping."""

from __future__ import annotations

import datetime
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pytest
from servers import Reply, Request, serving
from test_bat_and_shaman import blender
from test_sending import JOB, Store, upload

from flamenco import packing, submission
from flamenco.flamenco_client import ApiError, Client, ConnectionFailed
from flamenco.flamenco_client.models import SubmittedJob
from flamenco.hashing import HashCache
from flamenco.packing import PackFile
from flamenco.progress import Cancelled, Progress
from flamenco.submission import Mode, Order, Question, SubmissionFailed, SubmissionUnsure

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


@pytest.fixture(scope="module")
def blendfile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as Blender saves it."""
    path = tmp_path_factory.mktemp("saved") / "a.blend"
    blender("--python-expr", f"import bpy; bpy.ops.wm.save_as_mainfile(filepath={str(path)!r})")
    return path


class Desk:
    """Where jobs are handed in; the first answer gets lost."""

    def __init__(self, lost: Reply, appears_after: float = 0.0, *, answers: bool = True) -> None:
        self.lost = lost
        self.appears_after = appears_after
        self.answers = answers
        self.submitted: list[dict[str, object]] = []
        self.deleted: list[str] = []
        self.on_submit: Callable[[], None] = lambda: None
        self._start = 0.0

    def __call__(self, request: Request) -> Reply:
        if request.path.endswith("/check"):
            return Reply(204)
        if request.method == "DELETE":
            self.deleted.append(request.path)
            return Reply(204)
        if request.method == "POST":
            self._start = time.monotonic()
            self.submitted.append(json.loads(request.body))
            self.on_submit()
            return self.lost
        if not self.answers:
            return Reply(hang_up=True)
        is_there = time.monotonic() - self._start > self.appears_after
        return Reply(json={"jobs": [{**JOB, "metadata": self.submitted[0]["metadata"]}] if is_there else []})


def hand_in(
    desk: Callable[[Request], Reply], blendfile: Path, storage: Path, progress: Progress | None = None
) -> submission.Outcome:
    job = SubmittedJob(name="shot", type="t", submitter_platform="linux", settings={"frames": "1"})
    order = Order(job=job, blendfile=blendfile, project=blendfile.parent, mode=Mode.PACK, storage=str(storage))
    with serving(desk) as server, Client(server.url, read_timeout=0.5) as client:
        return submission.submit(
            order, client, progress or Progress(), HashCache(None), Question(), datetime.datetime.now
        )


def packs(storage: Path) -> list[Path]:
    return sorted(storage.rglob("*.blend"))


#: A manager that takes longer than it is waited for, and a proxy that waits no longer.
SILENT = [Reply(delay=1.0, json=JOB), Reply(504, text="gateway")]


@pytest.mark.parametrize("lost", SILENT, ids=["time is up", "504"])
def test_a_job_that_appears_late_is_found_and_keeps_its_files(blendfile: Path, tmp_path: Path, lost: Reply) -> None:
    desk = Desk(lost, appears_after=4)
    assert hand_in(desk, blendfile, tmp_path).job.id == JOB["id"]
    assert len(desk.submitted) == 1
    assert [str(path) for path in packs(tmp_path)] == [desk.submitted[0]["settings"]["blendfile"]]  # type: ignore[index]


@pytest.mark.parametrize("answers", [True, False])
def test_the_pack_stays_while_the_job_may_still_come(
    blendfile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    monkeypatch.setattr(submission, "LOOK_AFTER_SILENCE", 2.0)
    with pytest.raises(SubmissionUnsure, match=r"may still do so: look for 'shot' at .*/app/jobs .*files stay in"):
        hand_in(Desk(SILENT[0], appears_after=99, answers=answers), blendfile, tmp_path)
    assert len(packs(tmp_path)) == 1


def test_a_job_that_did_not_arrive_leaves_no_pack(
    blendfile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission, "LOOK_AFTER_BREAK", 1.0)
    with pytest.raises(SubmissionFailed, match="submit again"):
        hand_in(Desk(Reply(hang_up=True), appears_after=99), blendfile, tmp_path)
    assert packs(tmp_path) == []


def test_an_abort_while_the_job_is_looked_for_deletes_it(blendfile: Path, tmp_path: Path) -> None:
    progress, desk = Progress(), Desk(SILENT[1])
    desk.on_submit = progress.cancel
    with pytest.raises(Cancelled):
        hand_in(desk, blendfile, tmp_path, progress)
    assert desk.deleted == [f"/api/v3/jobs/{JOB['id']}"]
    assert packs(tmp_path) == []


def test_a_manager_that_stops_is_handed_the_job_again(blendfile: Path, tmp_path: Path) -> None:
    desk = Desk(Reply(503, json=BUSY, headers={"Retry-After": "1"}))

    def second_time() -> None:
        if len(desk.submitted) == 2:
            desk.lost = Reply(json=JOB)

    desk.on_submit = second_time
    assert hand_in(desk, blendfile, tmp_path).job.id == JOB["id"]
    assert len(desk.submitted) == 2
    assert len(packs(tmp_path)) == 1
