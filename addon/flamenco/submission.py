# SPDX-License-Identifier: GPL-3.0-or-later
"""Submits a job: has it checked, brings its files to the farm, and hands it in. Knows nothing of Blender.

Runs on a thread of its own. Whatever ends it early leaves neither a job nor half a pack behind.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import datetime
import enum
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from . import packing, paths, shaman, transfer
from .flamenco_client import ApiError, Client, ClientError, ConnectionFailed, TimedOut
from .flamenco_client.models import Job, JobStorageInfo, SharedStorageLocation, SubmittedJob
from .hashing import HashCache
from .loader import MissingLibrary
from .manager_info import explain
from .packing import LinksChanged, PackProblem
from .progress import Cancelled, Phase, Progress

__all__ = ["Mode", "Order", "Outcome", "Question", "SubmissionFailed", "SubmissionUnsure", "choose_mode", "submit"]

#: What the job is checked with before its files are anywhere.
CHECK_BLENDFILE = "dummy-for-job-check.blend"
#: Metadata by which a job is found again after the connection broke while it was handed in.
SUBMISSION_KEY = "submission.id"
#: For how long a job is looked for whose answer got lost: a connection that broke ends the request at the manager, but
#: one that is slow to answer may still be storing the job; in seconds.
LOOK_AFTER_BREAK, LOOK_AFTER_SILENCE = 10.0, 60.0
#: How often to look for the files that are needed, when linked files change while they are uploaded.
TRACES = 3
#: How long to wait between two looks at most, in seconds.
LONGEST_PAUSE = 5.0
#: For how long a manager is asked again that is busy or stopping, in seconds.
PATIENCE = 120.0


T = TypeVar("T")


class SubmissionFailed(Exception):
    """The job was not submitted. The message says why, for the user."""


class SubmissionUnsure(SubmissionFailed):
    """The manager may still make the job, so what it needs has to stay."""


class Mode(enum.Enum):
    """How the files get to the farm."""

    #: The blend file is on the shared storage already, and is rendered from there.
    AS_IS = "as-is"
    #: Copied to the shared storage.
    PACK = "pack"
    #: Uploaded to the manager's file store.
    SHAMAN = "shaman"


@dataclasses.dataclass(frozen=True)
class Order:
    """Everything that is needed to submit."""

    #: Without the setting `blendfile`.
    job: SubmittedJob
    #: A saved file.
    blendfile: Path
    project: Path
    mode: Mode
    #: The folder of the shared storage as this machine sees it.
    storage: str
    #: Whether the job type has a setting for the blend file.
    wants_blendfile: bool = True
    #: Whether files that are referred to by absolute paths are sent as well.
    absolute: bool = False
    #: The files that Blender says it uses.
    known_files: tuple[Path, ...] = ()
    #: In mode `AS_IS`: a file beside the blend file that it is copied to, which the job renders instead.
    frozen: Path | None = None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """A submitted job."""

    job: Job
    mode: Mode
    missing: tuple[Path, ...] = ()
    #: Files that are used but were not sent: they are outside of the shared storage, or nobody knows how they are
    #: referred to.
    overlooked: tuple[Path, ...] = ()
    sent_bytes: int = 0
    sent_files: int = 0
    #: What else the artist should know.
    note: str = ""


class Question:
    """Files are missing: whether to submit anyway. Asked by the submission, answered by the user."""

    def __init__(self) -> None:
        self.files: tuple[Path, ...] = ()
        self._is_asked = threading.Event()
        self._is_answered = threading.Event()
        self._answer = False

    @property
    def is_open(self) -> bool:
        """Whether an answer is waited for."""
        return self._is_asked.is_set() and not self._is_answered.is_set()

    def answer(self, go_on: bool) -> None:
        """Answers it, also ahead of time."""
        self._answer = go_on
        self._is_answered.set()

    def ask(self, files: tuple[Path, ...], progress: Progress) -> bool:
        """Waits for the answer. Raises `Cancelled`."""
        self.files = files
        self._is_asked.set()
        if not self._is_answered.is_set():
            count = len(files)
            progress.enter(Phase.MISSING_FILES, f"{count} file{'s'[: count != 1]} missing")
        while not self._is_answered.wait(0.05):
            progress.check()
        return self._answer


def choose_mode(storage: SharedStorageLocation, blendfile: Path, policy: str) -> Mode:
    """How the files get to the farm.

    `policy` says what happens to a file that is on the shared storage already: `AUTO` renders it there, but uploads
    it where there is Shaman, because a job is to be safe from later changes; `AS_IS` and `FREEZE` always render on the
    storage, and `PACK` never does.
    """
    is_there = bool(storage.location) and paths.is_inside(blendfile, storage.location)
    if is_there and (policy in ("AS_IS", "FREEZE") or (policy == "AUTO" and not storage.shaman_enabled)):
        return Mode.AS_IS
    return Mode.SHAMAN if storage.shaman_enabled else Mode.PACK


def submit(
    order: Order,
    client: Client,
    progress: Progress,
    cache: HashCache,
    question: Question,
    now: Callable[[], datetime.datetime] = datetime.datetime.now,
) -> Outcome:
    """Submits a job. Raises `SubmissionFailed` and `Cancelled`."""
    try:
        return _Submission(order, client, progress, cache, question, now).run()
    except (PackProblem, MissingLibrary) as error:
        raise SubmissionFailed(str(error)) from error
    except ApiError as error:
        raise SubmissionFailed(_refusal(error, client.base_url)) from error
    except ClientError as error:
        raise SubmissionFailed(explain(error, client.base_url)) from error


def _refusal(error: ApiError, url: str) -> str:
    if error.status == 412:
        return "The job type has changed on the manager: refresh, look at the settings, and submit again"
    return explain(error, url)


class _Submission:
    def __init__(
        self,
        order: Order,
        client: Client,
        progress: Progress,
        cache: HashCache,
        question: Question,
        now: Callable[[], datetime.datetime],
    ) -> None:
        self.order = order
        self.client = client
        self.progress = progress
        self.cache = cache
        self.question = question
        self.now = now

    def run(self) -> Outcome:
        self.progress.enter(Phase.COMMUNICATING, "Checking the job")
        self._patiently(lambda: self.client.submit_job_check(self._job(CHECK_BLENDFILE)))
        self.progress.check()
        order = self.order
        if order.mode is Mode.AS_IS:
            return self._leave_in_place()
        for attempt in range(1, TRACES + 1):
            with (
                contextlib.suppress(LinksChanged),
                packing.trace(
                    order.blendfile, order.project, self.progress, absolute=order.absolute, known=order.known_files
                ) as pack,
            ):
                self._ask_about(pack.missing)
                return self._upload(pack, is_last=attempt == TRACES) if order.mode is Mode.SHAMAN else self._copy(pack)
        raise AssertionError("the last attempt takes the files as they are")

    def _leave_in_place(self) -> Outcome:
        """Has the file rendered where it is, or a copy beside it."""
        order, blendfile, note = self.order, self.order.blendfile, ""
        if order.frozen is not None:
            blendfile = order.frozen
            transfer.copy_file(order.blendfile, blendfile, self.progress)
        try:
            found = packing.survey(blendfile, order.storage, self.progress, known=order.known_files)
        except (PackProblem, MissingLibrary) as error:
            # Workers may well be able to read what this machine cannot.
            found, note = packing.Survey((), ()), f"It was not looked whether files are missing: {error}"
        self._ask_about(found.missing)
        job = self._hand_in(self._job(str(blendfile)))
        return Outcome(job, Mode.AS_IS, found.missing, found.outside, note=note)

    def _ask_about(self, missing: tuple[Path, ...]) -> None:
        """Lists missing files before anything is sent. Raises `SubmissionFailed` and `Cancelled`."""
        if missing and not self.question.ask(missing, self.progress):
            raise SubmissionFailed("Not submitted, because files are missing: " + _names(missing))
        self.progress.check()

    def _job(self, blendfile: str, checkout: str | None = None) -> SubmittedJob:
        job = copy.deepcopy(self.order.job)
        if self.order.wants_blendfile:
            job.settings = {**(job.settings or {}), "blendfile": blendfile}
        if checkout is not None:
            job.storage = JobStorageInfo(shaman_checkout_id=checkout)
        return job

    def _upload(self, pack: packing.Pack, *, is_last: bool) -> Outcome:
        """Uploads the files. Raises `LinksChanged` when they have to be looked through again."""
        wanted = paths.safe_folder_name(self.order.job.name)
        late: list[Path] = []

        def look(found: list[Path]) -> None:
            late[:] = found
            if late and not is_last:
                raise LinksChanged

        done = shaman.upload(self.client, pack.files, wanted, self.progress, self.cache, look=look)
        blendfile = f"{{jobs}}/{done.checkout}/{pack.blendfile.as_posix()}"
        job = self._hand_in(self._job(blendfile, done.checkout))
        return Outcome(
            job, Mode.SHAMAN, pack.missing, pack.overlooked, done.sent_bytes, done.sent_files, note=_late(late)
        )

    def _copy(self, pack: packing.Pack) -> Outcome:
        if not self.order.storage:
            raise SubmissionFailed("The manager has no shared storage yet; set it up on its web page")
        folder = Path(self.order.storage) / paths.pack_folder_name(self.order.job.name, self.now())
        late = transfer.copy_pack(pack.files, pack.blendfile, folder, self.progress)
        try:
            job = self._hand_in(self._job(str(folder / pack.blendfile)))
        except SubmissionUnsure as error:
            raise SubmissionUnsure(f"{error} Its files stay in {folder}") from error
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return Outcome(job, Mode.PACK, pack.missing, pack.overlooked, pack.size, len(pack.files), note=_late(late))

    def _hand_in(self, job: SubmittedJob) -> Job:
        self.progress.enter(Phase.COMMUNICATING, "Submitting the job")
        self.progress.check()
        mark = str(uuid.uuid4())
        job.metadata = {**(job.metadata or {}), SUBMISSION_KEY: mark}
        try:
            submitted = self._patiently(lambda: self.client.submit_job(job), waits=True)
        except ConnectionFailed as error:
            if not error.is_sent:
                raise
            is_silent = isinstance(error, TimedOut)
            seconds = LOOK_AFTER_SILENCE if is_silent else LOOK_AFTER_BREAK
            submitted = self._find(mark, seconds, is_silent=is_silent)
        except ApiError as error:
            # A proxy that has no answer from the manager.
            if error.status not in (502, 504):
                raise
            submitted = self._find(mark, LOOK_AFTER_SILENCE, is_silent=True)
        if self.progress.is_cancelled:
            # It was called off while the manager made it.
            self.client.delete_job(submitted.id)
            raise Cancelled
        return submitted

    def _patiently(self, request: Callable[[], T], *, waits: bool = False) -> T:
        """Repeats a request as long as the manager says that it changed nothing and when to come back.

        With `waits`, also as long as it cannot be reached at all.
        """
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return request()
            except ConnectionFailed as error:
                if error.is_sent or not waits or time.monotonic() > end:
                    raise
                self.progress.say("No connection to the manager; trying again")
                self.progress.sleep(1.0)
            except ApiError as error:
                if error.retry_after is None or not shaman.is_temporary(error) or time.monotonic() > end:
                    raise
                self.progress.say(f"The manager says: {error.message}")
                self.progress.sleep(max(1.0, min(float(error.retry_after), PATIENCE)))

    def _find(self, mark: str, seconds: float, *, is_silent: bool) -> Job:
        """The job whose answer got lost, if the manager made it. Raises `SubmissionFailed`."""
        self.progress.say("The connection broke; looking whether the job arrived")
        end = time.monotonic() + seconds
        pause = 1.0
        is_known = False
        while True:
            is_over = self.progress.is_cancelled or time.monotonic() >= end
            with contextlib.suppress(Cancelled):
                # Whoever calls it off has to know as well whether there is a job to delete.
                self.progress.sleep(pause)
            try:
                for job in self.client.fetch_jobs().jobs:
                    if (job.metadata or {}).get(SUBMISSION_KEY) == mark:
                        return job
                is_known = True
            except ClientError:
                is_known = False
            if is_over:
                break
            pause = min(LONGEST_PAUSE, pause * 1.6)
        if is_known and not is_silent:
            if self.progress.is_cancelled:
                raise Cancelled
            raise SubmissionFailed("The connection broke before the job arrived; submit again")
        raise SubmissionUnsure(
            "The manager did not say whether it made the job, and may still do so: look for "
            f"{self.order.job.name!r} at {self.client.base_url}/app/jobs before you submit again."
        )


def _late(files: list[Path]) -> str:
    """A warning about blend files that changed while they were sent."""
    if not files:
        return ""
    return f"Changed while it was sent, so what it links since then may be missing: {_names(tuple(files))}"


def _names(files: tuple[Path, ...]) -> str:
    shown = ", ".join(str(file) for file in files[:10])
    return shown + (f", and {len(files) - 10} more" if len(files) > 10 else "")
