# SPDX-License-Identifier: GPL-3.0-or-later
"""Uploads a pack to the manager's file store, Shaman, and has it put together as a folder.

Only what the manager does not have yet is sent. A broken connection costs the file that was on its way; what arrived
before stays, so that a second attempt goes on where the first one stopped.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import io
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from email.header import Header
from pathlib import Path
from typing import IO, TypeVar, cast

from .flamenco_client import ApiError, Client, ConnectionFailed
from .flamenco_client.models import (
    ShamanCheckout,
    ShamanFileSpec,
    ShamanFileStatus,
    ShamanRequirementsRequest,
)
from .hashing import HashCache
from .packing import PackFile, PackProblem, changed
from .progress import Cancelled, Phase, Progress, readable_time

__all__ = ["Uploaded", "is_temporary", "upload"]

#: How many files are on their way at the same time.
PARALLEL = 3
#: How long to go on without any progress, in seconds.
PATIENCE = 600.0
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 5.0
#: How often to try to make a checkout that fails for a reason that may pass.
CHECKOUT_ATTEMPTS = 5
#: For how long the manager may be silent after it got a file: much of it may still be on its way, and it has to be
#: written to the disk; in seconds.
ANSWER = 120.0
#: How long to wait at most because the manager says so, in seconds.
LONGEST_WAIT = 60

T = TypeVar("T")
R = TypeVar("R")


@dataclasses.dataclass(frozen=True)
class Uploaded:
    """What became of it."""

    #: The path of the checkout, as the manager made it.
    checkout: str
    #: Bytes and files that were sent; the rest was there already.
    sent_bytes: int
    sent_files: int


@dataclasses.dataclass
class _File:
    """A file with what identifies it."""

    file: PackFile
    sha: str
    size: int
    #: Whether this is not what the file was when it was looked through.
    is_late: bool = False

    @property
    def identity(self) -> tuple[str, int]:
        return (self.sha, self.size)

    def spec(self) -> ShamanFileSpec:
        return ShamanFileSpec(sha=self.sha, size=self.size, path=self.file.name)


class _Body(io.RawIOBase):
    """A file that counts what is read of it, and stops being readable when the upload is cancelled."""

    def __init__(self, path: Path, progress: Progress, stop: threading.Event) -> None:
        self._file = path.open("rb", buffering=0)
        self._progress = progress
        self._stop = stop
        self.sent = 0

    def read(self, size: int = -1) -> bytes:
        self._progress.check()
        if self._stop.is_set():
            # Another file failed, so this one is not needed.
            raise Cancelled
        piece = self._file.read(size) or b""
        self.sent += len(piece)
        self._progress.advance(len(piece))
        return piece

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def close(self) -> None:
        self._file.close()
        super().close()


def upload(
    client: Client,
    files: Iterable[PackFile],
    checkout: str,
    progress: Progress,
    cache: HashCache,
    *,
    patience: float = PATIENCE,
    look: Callable[[list[Path]], None] = lambda _late: None,
) -> Uploaded:
    """Uploads what is missing, and makes a checkout at, or near, the path `checkout`.

    `look` is called when everything is there, with the blend files that were sent otherwise than they were when they
    were looked through, and may raise something to prevent the checkout. Raises `PackProblem`, `ApiError`,
    `ConnectionFailed` and `Cancelled`.
    """
    uploader = _Uploader(client, progress, cache, patience)
    try:
        uploader.hash(files)
        for _ in range(CHECKOUT_ATTEMPTS):
            uploader.send_missing()
            look([file.file.source for file in uploader.files if file.is_late and _is_blendfile(file.file.source)])
            made = uploader.check_out(checkout)
            if made is not None:
                return Uploaded(made, uploader.sent_bytes, uploader.sent_files)
        raise PackProblem("The manager loses the uploaded files before the job can be made; tell who runs it")
    finally:
        cache.save()


class _Uploader:
    def __init__(self, client: Client, progress: Progress, cache: HashCache, patience: float) -> None:
        self.client = client
        self.progress = progress
        self.cache = cache
        self.patience = patience
        self.files: list[_File] = []
        self.sent_bytes = 0
        self.sent_files = 0
        self._last_success = time.monotonic()
        self._counting = threading.Lock()
        #: Set when one of the files that are worked on together fails.
        self._stop = threading.Event()
        #: For how long the manager wants to be left alone, in seconds.
        self._wait = 0.0

    def hash(self, files: Iterable[PackFile]) -> None:
        """Finds out what identifies each file. The second time it hardly reads anything."""
        unique = list({file.name: file for file in files}.values())
        self.progress.enter(Phase.INVESTIGATING, "Hashing files", sum(file.size for file in unique))

        def identify(file: PackFile) -> _File:
            self.progress.say(f"Hashing {file.source.name}")
            sha, size = self.cache.get(file.source, self.progress)
            return _File(file, sha, size, is_late=changed(file))

        try:
            self.files = list(self._each(identify, unique, min(4, os.cpu_count() or 1)))
        except OSError as error:
            raise PackProblem(f"Cannot read {error.filename}: {error.strerror or error}") from error

    def _each(self, work: Callable[[T], R], items: Iterable[T], parallel: int) -> Iterator[R]:
        """Does something for each item, some at a time; the first failure ends it."""
        stop = self._stop = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(parallel, thread_name_prefix="flamenco-files") as pool:
            futures = [pool.submit(work, item) for item in items]
            try:
                for future in futures:
                    yield future.result()
            except BaseException:
                stop.set()
                for future in futures:
                    future.cancel()
                raise

    def send_missing(self) -> None:
        """Repeats to ask and to upload until nothing is missing."""
        self._last_success = time.monotonic()
        pause = SHORTEST_PAUSE
        while True:
            progressed = False
            try:
                missing = self._requirements()
                if not missing:
                    return
                progressed = self._send_all(missing)
            except (ConnectionFailed, ApiError) as error:
                if isinstance(error, ApiError):
                    self._wait_for(error)
                self._give_up_in_time(error)
                self.progress.say(self._waiting_text())
            if progressed:
                self._last_success = time.monotonic()
                pause = SHORTEST_PAUSE
                continue
            self._give_up_in_time(None)
            self._pause(pause)
            pause = min(LONGEST_PAUSE, pause * 1.6)

    def _wait_for(self, error: ApiError) -> None:
        """Notes when the manager wants to be asked again. Raises the error if that will not help."""
        if not is_temporary(error):
            raise error
        self._wait = max(self._wait, min(float(error.retry_after or 0), LONGEST_WAIT))

    def _pause(self, seconds: float) -> None:
        """Waits, longer if the manager said so. Raises `Cancelled`."""
        self.progress.sleep(max(seconds, self._wait))
        self._wait = 0.0

    def _give_up_in_time(self, error: Exception | None) -> None:
        if time.monotonic() - self._last_success < self.patience:
            return
        if error is not None:
            raise error
        raise PackProblem(
            f"The upload made no progress for {readable_time(self.patience)}; other uploads of the same files hang"
        )

    def _waiting_text(self) -> str:
        left = self.patience - (time.monotonic() - self._last_success)
        return f"No connection to the manager; trying again for {readable_time(left)}"

    def _requirements(self) -> list[tuple[_File, bool]]:
        """What has to be sent, the files that nobody else sends first, and whether somebody else sends it."""
        offered = {file.file.name: file for file in self.files}
        request = ShamanRequirementsRequest(files=[file.spec() for file in self.files])
        answer = self.client.shaman_checkout_requirements(request)
        unknown, uploading = [], []
        for wanted in answer.files:
            file = offered.get(wanted.path)
            if file is None or file.identity != (wanted.sha, wanted.size):
                raise PackProblem(f"The manager asks for a file that was not offered: {wanted.path}")
            if wanted.status == ShamanFileStatus.UNKNOWN:
                unknown.append((file, False))
            elif wanted.status == ShamanFileStatus.UPLOADING:
                uploading.append((file, True))
            else:
                raise PackProblem(f"The manager gives {wanted.path} the status {wanted.status}, which is not known")
        # Two artists who send the same project get into each other's way less.
        random.shuffle(unknown)
        random.shuffle(uploading)
        return unknown + uploading

    def _send_all(self, missing: list[tuple[_File, bool]]) -> bool:
        """Sends files; whether any got there."""
        self.progress.enter(Phase.TRANSFERRING, "Uploading", sum(file.size for file, _ in missing))
        # When nothing has moved for a while, the uploads of others are not waited for.
        is_patient = time.monotonic() - self._last_success < self.patience / 2
        last = len(missing) - 1
        jobs = [(file, is_patient and index < last) for index, (file, _) in enumerate(missing)]
        results = list(self._each(lambda job: self._send(*job), jobs, PARALLEL))
        return any(results)

    def _send(self, file: _File, may_wait: bool) -> bool:
        """Sends one file; whether the manager has it now. Raises `Cancelled`, `ApiError`, `ConnectionFailed`."""
        self.progress.check()
        if self._is_stored(file):
            self.progress.advance(file.size)
            return True
        self.progress.say(f"Uploading {file.file.source.name}")
        try:
            body = _Body(file.file.source, self.progress, self._stop)
        except OSError as error:
            raise PackProblem(f"Cannot read {file.file.source}: {error.strerror or error}") from error
        with body:
            try:
                status = self.client.shaman_file_store(
                    file.sha,
                    file.size,
                    cast(IO[bytes], body),
                    x_shaman_can_defer_upload=may_wait,
                    x_shaman_original_filename=_header_text(file.file.source.name),
                    timeout=max(ANSWER, self.client.read_timeout),
                )
            except ConnectionFailed:
                # Perhaps somebody else was quicker, and the manager hung up.
                self.progress.advance(-body.sent)
                return self._is_stored(file)
            except ApiError as error:
                self.progress.advance(-body.sent)
                return self._after_refusal(file, error)
            except OSError as error:
                raise PackProblem(f"Cannot read {file.file.source}: {error.strerror or error}") from error
        if status == 204:
            with self._counting:
                self.sent_bytes += body.sent
                self.sent_files += 1
                # What other files run into does not count against it.
                self._last_success = time.monotonic()
        self.progress.advance(file.size - body.sent)
        return True

    def _is_stored(self, file: _File) -> bool:
        return self.client.shaman_file_store_check(file.sha, file.size).status == ShamanFileStatus.STORED

    def _after_refusal(self, file: _File, error: ApiError) -> bool:
        if error.status == 425:
            return False
        if error.status != 417:
            self._wait_for(error)
            return False
        # The file is not what it was when it was hashed.
        self.cache.forget(file.file.source)
        sha, size = self.cache.get(file.file.source, Progress())
        if (sha, size) == file.identity:
            raise PackProblem(f"{file.file.source} arrives damaged at the manager: {error.message}") from error
        file.sha, file.size, file.is_late = sha, size, True
        return True

    def check_out(self, checkout: str) -> str | None:
        """Makes the checkout; None if files got lost meanwhile."""
        self.progress.enter(Phase.COMMUNICATING, "Creating the job's folder")
        request = ShamanCheckout(files=[file.spec() for file in self.files], checkout_path=checkout)
        start = time.monotonic()
        taken = 0
        while True:
            self.progress.check()
            try:
                return self.client.shaman_checkout(request).checkout_path
            except ConnectionFailed:
                if time.monotonic() - start > self.patience:
                    raise
                self.progress.sleep(1.0)
            except ApiError as error:
                if error.status == 424 or (error.status == 500 and "unknown files" in error.message):
                    return None
                if error.status != 409:
                    self._wait_for(error)
                    if time.monotonic() - start > self.patience:
                        raise
                    self._pause(1.0)
                    continue
                taken += 1
                if taken == CHECKOUT_ATTEMPTS:
                    raise
                request.checkout_path = f"{checkout}-{random.randrange(36**6):06d}"


def is_temporary(error: ApiError) -> bool:
    """Whether the same request may work later."""
    if error.status == 503:
        # The manager says when to come back, or that there is no use; a proxy whose manager is away says neither.
        return error.retry_after is not None or not (isinstance(error.body, dict) and "message" in error.body)
    return error.status in (408, 429, 502, 504)


def _is_blendfile(path: Path) -> bool:
    return path.suffix.lower() == ".blend"


def _header_text(name: str) -> str:
    """A file name as one line of ASCII."""
    if name.isascii() and name.isprintable():
        return name
    return Header(name, "utf-8", maxlinelen=10_000).encode(maxlinelen=10_000, linesep="")
