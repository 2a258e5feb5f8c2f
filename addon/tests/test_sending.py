# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on their way: hashes, copies, uploads, and what goes wrong with them."""

from __future__ import annotations

import datetime
import errno
import hashlib
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from servers import Reply, Request, serving

from flamenco import packing, shaman, submission, transfer
from flamenco.flamenco_client import ApiError, Client, ConnectionFailed
from flamenco.flamenco_client.models import SharedStorageLocation, SubmittedJob
from flamenco.hashing import HashCache
from flamenco.packing import PackFile, PackProblem
from flamenco.progress import Cancelled, Phase, Progress
from flamenco.submission import Mode, Order, Question, SubmissionFailed


@pytest.fixture
def files(tmp_path: Path) -> tuple[PackFile, ...]:
    """Three files, two of them with the same content."""
    contents = {"shots/010.blend": b"blend" * 1000, "maps/a é.png": b"picture", "maps/copy of a.png": b"picture"}
    made = []
    for name, content in contents.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (1_000_000_000, 1_000_000_000))
        made.append(packing.describe(path, PurePosixPath(name)))
    return tuple(made)


class Store:
    """A file store as its protocol describes it, with mishaps."""

    def __init__(self) -> None:
        self.stored: set[str] = set()
        self.mishaps: list[Reply] = []
        self.checkouts: list[Reply] = []
        self.uploads: list[Request] = []
        self.asked = 0
        self.status = "unknown"
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Reply:
        import json

        with self._lock:
            if request.path.endswith("/checkout/requirements"):
                self.asked += 1
                missing, seen = [], set()
                for spec in json.loads(request.body)["files"]:
                    if spec["sha"] not in self.stored | seen:
                        missing.append({**spec, "status": self.status})
                        seen.add(spec["sha"])
                return Reply(json={"files": missing})
            if request.path.endswith("/checkout/create"):
                wanted = json.loads(request.body)["checkoutPath"]
                return self.checkouts.pop(0) if self.checkouts else Reply(json={"checkoutPath": wanted + "-x1y2"})
            sha = request.path.split("/")[-2]
            if request.method == "GET":
                return Reply(json={"status": "stored" if sha in self.stored else "unknown"})
            self.uploads.append(request)
            if self.mishaps:
                return self.mishaps.pop(0)
            assert hashlib.sha256(request.body).hexdigest() == sha
            self.stored.add(sha)
            return Reply(204)


def upload(
    store: Callable[[Request], Reply],
    files: tuple[PackFile, ...],
    patience: float = 20,
    progress: Progress | None = None,
) -> shaman.Uploaded:
    with serving(store) as server:
        return shaman.upload(
            Client(server.url), files, "shot", progress or Progress(), HashCache(None), patience=patience
        )


def test_what_is_missing_is_sent_once(files: tuple[PackFile, ...]) -> None:
    store, progress = Store(), Progress()
    done = upload(store, files, progress=progress)
    assert done == shaman.Uploaded("shot-x1y2", 5007, 2)
    assert progress.snapshot().phase is Phase.COMMUNICATING
    again = upload(store, files)
    assert (again.sent_bytes, again.sent_files) == (0, 0)
    assert len(store.uploads) == 2


def test_names_travel_in_ascii(files: tuple[PackFile, ...]) -> None:
    store = Store()
    upload(store, files)
    names = {request.headers["X-Shaman-Original-Filename"] for request in store.uploads}
    assert "010.blend" in names
    assert all(name.isascii() and "\n" not in name for name in names)
    long = shaman._header_text("é" * 200 + ".png")
    assert long.isascii() and "\n" not in long and long.startswith("=?utf-8?")


@pytest.mark.parametrize(
    "mishap",
    [Reply(hang_up=True), Reply(425, json={"code": 425, "message": "busy"}), Reply(502), Reply(504, text="gateway")],
)
def test_an_upload_that_breaks_is_done_again(files: tuple[PackFile, ...], mishap: Reply) -> None:
    store = Store()
    store.mishaps = [mishap, mishap]
    assert upload(store, files).sent_files == 2
    assert len(store.uploads) == 4
    assert store.asked >= 2


def test_somebody_else_may_be_quicker(files: tuple[PackFile, ...]) -> None:
    store = Store()
    store.status = "uploading"
    store.mishaps = [Reply(208), Reply(208)]

    def quick(request: Request) -> Reply:
        reply = store(request)
        if reply.status == 208:
            store.stored.add(request.path.split("/")[-2])
        return reply

    assert upload(quick, files).sent_files == 0


def test_a_manager_that_is_back_in_time_goes_unnoticed(files: tuple[PackFile, ...]) -> None:
    store = Store()
    start = time.monotonic()

    def away(request: Request) -> Reply:
        return Reply(hang_up=True) if time.monotonic() - start < 1.5 else store(request)

    assert upload(away, files).sent_files == 2


def test_patience_ends(files: tuple[PackFile, ...]) -> None:
    with pytest.raises(ConnectionFailed):
        upload(lambda _request: Reply(hang_up=True), files, patience=1)
    store = Store()
    store.mishaps = [Reply(425, json={"code": 425, "message": "busy"})] * 100
    with pytest.raises(PackProblem, match="no progress for 1 s"):
        upload(store, files, patience=1)


def test_after_half_of_the_patience_nobody_is_waited_for(files: tuple[PackFile, ...]) -> None:
    store = Store()

    def busy(request: Request) -> Reply:
        if request.headers.get("X-Shaman-Can-Defer-Upload") == "true":
            return Reply(425, json={"code": 425, "message": "busy"})
        return store(request)

    assert upload(busy, files, patience=3).sent_files == 2


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        (Reply(507, json={"code": 507, "message": "the disk is full"}), ApiError, "the disk is full"),
        (Reply(400, json={"code": 400, "message": "what?"}), ApiError, "what?"),
        (Reply(417, json={"code": 417, "message": "wrong sum"}), PackProblem, "arrives damaged"),
    ],
)
def test_what_will_not_pass_ends_the_upload(
    files: tuple[PackFile, ...], reply: Reply, error: type[Exception], message: str
) -> None:
    store = Store()
    store.mishaps = [reply] * 9
    with pytest.raises(error, match=message):
        upload(store, files)


def test_a_file_that_changes_after_it_was_hashed_is_sent_as_it_is_then(files: tuple[PackFile, ...]) -> None:
    store = Store()
    content = b"edited" * 1000

    def late(request: Request) -> Reply:
        if store.asked == 1 and not store.uploads and request.method == "POST" and "/files/" in request.path:
            files[0].source.write_bytes(content)
            store.uploads.append(request)
            return Reply(417, json={"code": 417, "message": "not what it should be"})
        return store(request)

    upload(late, files[:1])
    assert store.stored == {hashlib.sha256(content).hexdigest()}


def test_checkouts_that_fail_are_tried_again(files: tuple[PackFile, ...]) -> None:
    store = Store()
    store.checkouts = [
        Reply(409, json={"code": 409, "message": "taken"}),
        Reply(hang_up=True),
        Reply(424, json={"code": 424, "message": "lost"}),
        Reply(500, json={"code": 500, "message": "unknown files requested in checkout"}),
    ]
    assert upload(store, files).checkout.startswith("shot")
    store.checkouts = [Reply(400, json={"code": 400, "message": "bad name"})]
    with pytest.raises(ApiError, match="bad name"):
        upload(store, files)


def test_a_manager_that_asks_for_more_is_refused(files: tuple[PackFile, ...]) -> None:
    wanted = {"files": [{"sha": "0" * 64, "size": 1, "path": "../.ssh/id", "status": "unknown"}]}
    with pytest.raises(PackProblem, match=r"not offered: \.\./\.ssh/id"):
        upload(lambda _request: Reply(json=wanted), files)


def test_an_upload_can_be_aborted_in_the_middle(files: tuple[PackFile, ...], tmp_path: Path) -> None:
    big = tmp_path / "big.exr"
    with big.open("wb") as file:
        file.truncate(600_000_000)
    progress, store = Progress(), Store()

    def abort() -> None:
        while not (progress.snapshot().phase is Phase.TRANSFERRING and progress.snapshot().done_bytes > 0):
            time.sleep(0.01)
        progress.cancel()

    threading.Thread(target=abort).start()
    start = time.monotonic()
    with pytest.raises(Cancelled):
        upload(store, (packing.describe(big, PurePosixPath("big.exr")),), progress=progress)
    assert not store.stored
    assert time.monotonic() - start < 30


def test_hashes_are_remembered_until_the_file_changes(files: tuple[PackFile, ...], tmp_path: Path) -> None:
    path, progress = tmp_path / "cache" / "hashes.json", Progress()
    cache = HashCache(path)
    source = files[0].source
    want = hashlib.sha256(source.read_bytes()).hexdigest()
    assert cache.get(source, progress) == (want, 5000)
    cache.save()
    # Same size and time: it is not read.
    stat = source.stat()
    source.write_bytes(b"x" * 5000)
    os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert HashCache(path).get(source, progress) == (want, 5000)
    other = HashCache(path)
    other.forget(source)
    assert other.get(source, progress)[0] == hashlib.sha256(b"x" * 5000).hexdigest()
    os.utime(source, (1_000_000_001, 1_000_000_001))
    assert HashCache(path).get(source, progress)[0] == hashlib.sha256(b"x" * 5000).hexdigest()


def test_a_file_that_was_just_written_is_not_remembered(tmp_path: Path) -> None:
    source = tmp_path / "fresh"
    source.write_bytes(b"1")
    cache = HashCache(tmp_path / "hashes.json")
    cache.get(source, Progress())
    cache.save()
    assert not (tmp_path / "hashes.json").exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"/x": [1, 2, "short", 3]}'])
def test_a_damaged_cache_of_hashes_is_forgotten(tmp_path: Path, text: str) -> None:
    path = tmp_path / "hashes.json"
    path.write_text(text, encoding="utf-8")
    source = tmp_path / "file"
    source.write_bytes(b"x")
    assert HashCache(path).get(source, Progress()) == (hashlib.sha256(b"x").hexdigest(), 1)


def test_a_pack_is_copied(files: tuple[PackFile, ...], tmp_path: Path) -> None:
    folder, progress = tmp_path / "storage" / "new" / "pack", Progress()
    transfer.copy_pack(files, PurePosixPath("shots/010.blend"), folder, progress)
    assert (folder / "shots/010.blend").read_bytes() == b"blend" * 1000
    assert (folder / "maps/a é.png").stat().st_mtime == 1_000_000_000
    assert "shots/010.blend" in (folder / "pack-info.txt").read_text(encoding="utf-8")
    assert progress.snapshot().percentage == 100


def test_a_system_that_cannot_copy_by_itself(
    files: tuple[PackFile, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> int:
        raise OSError(errno.EXDEV, "other file system")

    big = tmp_path / "big"
    big.write_bytes(os.urandom(3 * transfer.BUFFER + 17))
    monkeypatch.setattr(os, "copy_file_range", refuse)
    transfer.copy_pack(
        (*files, packing.describe(big, PurePosixPath("big"))), PurePosixPath("a"), tmp_path / "pack", Progress()
    )
    assert (tmp_path / "pack" / "big").read_bytes() == big.read_bytes()
    assert (tmp_path / "pack" / "shots/010.blend").read_bytes() == b"blend" * 1000


def test_a_copy_that_fails_leaves_nothing(files: tuple[PackFile, ...], tmp_path: Path) -> None:
    folder = tmp_path / "storage" / "pack"
    files[-1].source.unlink()
    with pytest.raises(PackProblem, match=r"copy of a\.png"):
        transfer.copy_pack(files, PurePosixPath("a"), folder, Progress())
    assert not (tmp_path / "storage").exists()
    stopped = Progress()
    stopped.cancel()
    with pytest.raises(Cancelled):
        transfer.copy_pack(files[:1], PurePosixPath("a"), folder, stopped)
    assert not (tmp_path / "storage").exists()
    (tmp_path / "file").touch()
    with pytest.raises(PackProblem, match="Is the storage mounted here"):
        transfer.copy_pack(files[:1], PurePosixPath("a"), tmp_path / "file" / "pack", Progress())
    folder.mkdir(parents=True)
    (folder / "of somebody").touch()
    with pytest.raises(PackProblem, match="exists already"):
        transfer.copy_pack(files[:1], PurePosixPath("a"), folder, Progress())
    assert (folder / "of somebody").exists()


def test_a_storage_that_is_full_is_named_before_anything_is_copied(files: tuple[PackFile, ...], tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(shutil.disk_usage(tmp_path).total * 2)
    with pytest.raises(PackProblem, match=r"The shared storage has .* free"):
        transfer.copy_pack(
            (packing.describe(huge, PurePosixPath("h")),), PurePosixPath("h"), tmp_path / "p", Progress()
        )
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize(
    ("is_inside", "has_shaman", "policy", "want"),
    [
        (True, False, "AUTO", Mode.AS_IS),
        (True, True, "AUTO", Mode.SHAMAN),
        (True, False, "PACK", Mode.PACK),
        (True, True, "AS_IS", Mode.AS_IS),
        (True, True, "FREEZE", Mode.AS_IS),
        (False, False, "AUTO", Mode.PACK),
        (False, False, "AS_IS", Mode.PACK),
        (False, True, "AS_IS", Mode.SHAMAN),
        (False, True, "AUTO", Mode.SHAMAN),
    ],
)
def test_how_files_get_to_the_farm(is_inside: bool, has_shaman: bool, policy: str, want: Mode) -> None:
    where = {"location": "/farm", "audience": "users", "platform": "linux", "shamanEnabled": has_shaman}
    storage = SharedStorageLocation.from_json(where)
    blendfile = Path("/farm/film/010.blend" if is_inside else "/home/film/010.blend")
    assert submission.choose_mode(storage, blendfile, policy) is want


JOB = {
    "id": "1b8c1d2e-0000-4000-8000-000000000001",
    "name": "shot",
    "type": "t",
    "priority": 50,
    "submitter_platform": "linux",
    "created": "2026-01-01T00:00:00Z",
    "updated": "2026-01-01T00:00:00Z",
    "status": "queued",
    "activity": "",
    "steps_completed": 0,
    "steps_total": 0,
}


def hand_in(
    replies: Callable[[Request], Reply], tmp_path: Path, progress: Progress | None = None
) -> submission.Outcome:
    """Submits a file that is on the storage already."""
    job = SubmittedJob(name="shot", type="t", submitter_platform="linux", settings={"frames": "1"})
    order = Order(job=job, blendfile=tmp_path / "a.blend", project=tmp_path, mode=Mode.AS_IS, storage=str(tmp_path))
    with serving(replies) as server:
        client = Client(server.url)
        return submission.submit(
            order, client, progress or Progress(), HashCache(None), Question(), datetime.datetime.now
        )


@pytest.mark.parametrize(
    ("status", "message", "want"),
    [
        (412, "old", "The job type has changed on the manager"),
        (400, "no frames in '10-1'", "no frames in '10-1'"),
        (500, "the database is gone", "the database is gone"),
        (401, "who?", "wants an access token"),
    ],
)
@pytest.mark.parametrize("path", ["/api/v3/jobs/check", "/api/v3/jobs"])
def test_refusals_are_told(tmp_path: Path, path: str, status: int, message: str, want: str) -> None:
    def refuse(request: Request) -> Reply:
        return Reply(status, json={"code": status, "message": message}) if request.path == path else Reply(204)

    with pytest.raises(SubmissionFailed, match=want):
        hand_in(refuse, tmp_path)


def test_a_job_whose_answer_got_lost_is_found_again(tmp_path: Path) -> None:
    import json

    submitted: list[dict[str, object]] = []

    def lose(request: Request) -> Reply:
        if request.path.endswith("/check"):
            return Reply(204)
        if request.method == "POST":
            submitted.append(json.loads(request.body))
            return Reply(hang_up=True)
        return Reply(json={"jobs": [{**JOB, "metadata": submitted[0]["metadata"]}]})

    outcome = hand_in(lose, tmp_path)
    assert outcome.job.id == JOB["id"]
    assert len(submitted) == 1

    def lose_both(request: Request) -> Reply:
        return Reply(204) if request.path.endswith("/check") else lose_it(request)

    def lose_it(request: Request) -> Reply:
        return Reply(hang_up=True) if request.method == "POST" else Reply(json={"jobs": [JOB]})

    with pytest.raises(SubmissionFailed, match="broke before the job arrived"):
        hand_in(lose_both, tmp_path)


def test_an_abort_while_the_job_is_made_deletes_it(tmp_path: Path) -> None:
    progress = Progress()
    deleted: list[str] = []

    def make(request: Request) -> Reply:
        if request.method == "DELETE":
            deleted.append(request.path)
            return Reply(204)
        if request.path.endswith("/check"):
            return Reply(204)
        progress.cancel()
        return Reply(json=JOB)

    with pytest.raises(Cancelled):
        hand_in(make, tmp_path, progress)
    assert deleted == [f"/api/v3/jobs/{JOB['id']}"]


def test_the_check_comes_before_the_files(tmp_path: Path) -> None:
    paths: list[tuple[str, object]] = []

    def record(request: Request) -> Reply:
        import json

        paths.append((request.path, json.loads(request.body)["settings"]["blendfile"]))
        return Reply(204) if request.path.endswith("/check") else Reply(json=JOB)

    hand_in(record, tmp_path)
    assert paths == [
        ("/api/v3/jobs/check", "dummy-for-job-check.blend"),
        ("/api/v3/jobs", str(tmp_path / "a.blend")),
    ]
