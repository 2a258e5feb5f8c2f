# SPDX-License-Identifier: GPL-3.0-or-later
"""One submission, step by step: what needs Blender is done here, the rest by `submission` on a thread."""

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy

from . import handlers, job_records, job_types, manager, manager_info, paths, preferences, properties, settings, version
from .background import Background
from .evaluation import EvaluationError
from .flamenco_client.models import Job, JobStatus, SubmittedJob
from .hashing import HashCache
from .manager_info import ManagerInfo, Problem
from .progress import Cancelled, Phase, Progress, Snapshot, readable_size
from .submission import Mode, Order, Outcome, Question, SubmissionFailed, SubmissionUnsure, choose_mode, submit

#: The file with the jobs that were submitted.
RECORDS = "flamenco-jobs.json"
#: How copies of the artist's file end: job types leave this out of the names of videos.
COPY_SUFFIX = ".flamenco.blend"
#: From this version on, saving a copy does not make Blender forget that the file has changes.
REMEMBERS_CHANGES = (4, 3, 0)
#: How often it is looked whether an older one forgot; it does between two looks, however long a busy machine takes.
LOOKS = 30
#: How many files a report names.
LISTED = 20
#: How long to wait for an abandoned submission before Blender goes on, in seconds.
PATIENCE = 1.0


@dataclasses.dataclass(frozen=True)
class Options:
    """What the operator was called with."""

    job_name: str = ""
    ignore_version_mismatch: bool = False
    ignore_job_type_change: bool = False
    #: `ASK`, `SUBMIT` or `CANCEL`.
    missing_files: str = "ASK"
    #: `PREFERENCE`, `SAVE`, `COPY` or `NEVER`.
    save: str = "PREFERENCE"
    #: A JSON object with texts, or an empty text.
    metadata: str = ""


class Run:
    """A submission. `step` is called again and again, on the main thread, until it says that it is done."""

    current: Run | None = None

    def __init__(self, context: Any, options: Options, *, interactive: bool) -> None:
        self.options = options
        self.progress = Progress()
        self.question = Question()
        #: What came of it, once it is done.
        self.phase = Phase.IDLE
        self.message = ""
        self.warnings: list[str] = []
        self.job: Job | None = None
        self._scene_name: str = context.scene.name
        self._is_interactive = interactive
        self._old_type = settings.job_type_of(context.scene)
        self._temporary: Path | None = None
        self._frozen: Path | None = None
        self._order: Order | None = None
        self._refresh: Background[tuple[ManagerInfo, bool]] | None = None
        self._delivery: Background[Outcome] | None = None
        self._next: Callable[[], bool] = self._start
        Run.current = self

    @property
    def is_done(self) -> bool:
        """Whether there is nothing more to do."""
        return self.phase is not Phase.IDLE

    def step(self) -> bool:
        """Goes on as far as possible without waiting; whether it is done."""
        if self.is_done:
            return True
        try:
            while not self.is_done and self._next():
                pass
        except Cancelled:
            self._end(Phase.ABORTED, "Submission aborted")
        except SubmissionUnsure as error:
            # The job that may still come renders this file.
            self._frozen = None
            self._end(Phase.FAILED, str(error))
        except (Problem, SubmissionFailed, settings.SettingsIncomplete, EvaluationError, paths.PathError) as error:
            self._end(Phase.FAILED, str(error))
        except Exception as error:
            # A bug must not leave the panel without a button.
            self._end(Phase.FAILED, f"{type(error).__name__}: {error}")
            raise
        return self.is_done

    def cancel(self) -> None:
        """Asks for the end; `step` says when it is reached."""
        self.progress.cancel()

    def abandon(self) -> bool:
        """Asks for the end, and waits for it a moment; whether it is reached."""
        self.cancel()
        end = time.monotonic() + PATIENCE
        while not self.step() and time.monotonic() < end:
            time.sleep(0.02)
        return self.is_done

    def snapshot(self) -> Snapshot:
        """What is going on."""
        now = self.progress.snapshot()
        if self.is_done:
            return dataclasses.replace(now, phase=self.phase, text=self.message)
        if self.progress.is_cancelled:
            return dataclasses.replace(now, phase=Phase.ABORTING, text="Aborting, please wait")
        return now

    def _start(self) -> bool:
        self.progress.enter(Phase.COMMUNICATING, "Contacting the manager")
        self._refresh = manager.start_refresh()
        self._next = self._wait_for_manager
        return True

    def _wait_for_manager(self) -> bool:
        assert self._refresh is not None
        self.progress.check()
        if not self._refresh.is_done:
            return False
        try:
            answer = self._refresh.result()
        except Problem:
            manager.state.is_away = True
            raise
        if answer[0].url != manager.url():
            raise SubmissionFailed("The address of the manager has changed; submit again")
        manager.accept(answer)
        self._order = self._prepare(answer[0])
        self._deliver(self._order)
        self._next = self._wait_for_delivery
        return True

    def _deliver(self, order: Order) -> None:
        connection = manager.client()
        cache = HashCache(manager.hash_file())
        if self.options.missing_files != "ASK" or not self._is_interactive:
            self.question.answer(self.options.missing_files != "CANCEL")
        self._delivery = Background(
            lambda: submit(order, connection, self.progress, cache, self.question), "submission"
        )

    def _wait_for_delivery(self) -> bool:
        assert self._delivery is not None
        if not self._delivery.is_done:
            return False
        outcome = self._delivery.result()
        self.job = outcome.job
        self._remember(outcome)
        self._end(Phase.DONE, self._summary(outcome))
        return True

    def _end(self, phase: Phase, message: str) -> None:
        self.phase, self.message = phase, message
        if Run.current is self:
            Run.current = None
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)
        if self._frozen is not None and phase is not Phase.DONE:
            self._frozen.unlink(missing_ok=True)

    def _scene(self) -> Any:
        """The scene that is submitted; it may have been deleted while the manager was asked."""
        scene = bpy.data.scenes.get(self._scene_name)
        if scene is None:
            raise SubmissionFailed(f"The scene {self._scene_name!r} does not exist any more")
        return scene

    def _prepare(self, info: ManagerInfo) -> Order:
        """Checks everything that can be checked here, and saves the file."""
        scene = self._scene()
        self._check_choices(scene, info)
        self._check_version(info)
        if not bpy.data.filepath:
            raise SubmissionFailed("Save the file first; it has no name yet")
        settings.fill_in(scene)
        job = self._job(scene)
        blendfile = self._save(info)
        policy = manager.preferences().storage_mode
        mode = choose_mode(info.shared_storage, blendfile, policy)
        project = blendfile.parent if mode is Mode.AS_IS else preferences.project_of(scene, blendfile)
        job_type = settings.job_type_of(scene)
        return Order(
            job=job,
            blendfile=blendfile,
            project=project,
            mode=mode,
            storage=info.shared_storage.location,
            wants_blendfile=job_type is not None and _wants_blendfile(job_type),
            absolute=manager.preferences().include_absolute,
            known_files=_known_files(),
            frozen=self._frozen if self._frozen != blendfile else None,
        )

    def _check_choices(self, scene: Any, info: ManagerInfo) -> None:
        gone = properties.vanished(scene)
        if gone:
            raise SubmissionFailed(f"{info.version.name} does not have {' and '.join(gone)} any more; choose another")
        job_type, old = settings.job_type_of(scene), self._old_type
        if job_type is None:
            raise SubmissionFailed(settings.why_broken(scene) or "Choose a job type first")
        if old is None or old.name != job_type.name or old.etag == job_type.etag:
            return
        if self.options.ignore_job_type_change:
            return
        what = "; ".join(job_types.changes(old, job_type)) or "details"
        raise SubmissionFailed(
            f"The job type {job_type.label} has changed on the manager ({what}). Look at the settings and submit again"
        )

    def _check_version(self, info: ManagerInfo) -> None:
        match = manager_info.match_version(version.VERSION, info.version.shortversion, info.version.name)
        window_manager = bpy.context.window_manager
        if not match.fits and not self.options.ignore_version_mismatch:
            window_manager.flamenco_version_mismatch = True
            raise SubmissionFailed(match.note)
        # Each forced submission has to be asked for anew.
        window_manager.flamenco_version_mismatch = False
        if match.note:
            self.warnings.append(match.note)

    def _job(self, scene: Any) -> SubmittedJob:
        job_type = settings.job_type_of(scene)
        assert job_type is not None
        return SubmittedJob(
            name=settings.effective_job_name(scene, self.options.job_name),
            type=job_type.name,
            type_etag=job_type.etag,
            priority=scene.flamenco_job_priority,
            settings=settings.job_settings(scene, self.options.job_name),
            metadata=self._metadata(scene),
            submitter_platform=paths.platform_name(),
            worker_tag=scene.flamenco_worker_tag_id or None,
            initial_status=JobStatus.PAUSED if scene.flamenco_job_submit_as_paused else JobStatus.QUEUED,
        )

    def _metadata(self, scene: Any) -> dict[str, str]:
        blendfile = Path(bpy.data.filepath)
        known: dict[str, Callable[[], str]] = {
            "user.name": getpass.getuser,
            "project": lambda: preferences.project_of(scene, blendfile).name,
            "blender.version": lambda: bpy.app.version_string,
            job_records.BLENDFILE_KEY: lambda: str(paths.normalise(blendfile)),
            "addon.version": manager.version_text,
            "submitted.from": socket.gethostname,
        }
        found = {}
        for key in manager.preferences().metadata:
            # An account without a name is no reason not to submit.
            with contextlib.suppress(KeyError, OSError, ImportError):
                found[key] = known[key]()
        return {**found, **_given_metadata(self.options.metadata)}

    def _save(self, info: ManagerInfo) -> Path:
        """Sees to it that what is on the screen is on the disk, and says in which file."""
        self.warnings += [f"{path} was changed since this file was opened" for path in handlers.changed_libraries()]
        blendfile = paths.normalise(bpy.data.filepath)
        wanted = manager.preferences()
        mode = wanted.save_mode if self.options.save == "PREFERENCE" else self.options.save
        is_in_place = choose_mode(info.shared_storage, blendfile, wanted.storage_mode) is Mode.AS_IS
        if mode == "NEVER" and not blendfile.exists():
            raise SubmissionFailed(f"{blendfile} does not exist, and is not to be saved")
        # In the background, Blender does not notice what scripts change.
        is_changed = bpy.data.is_dirty or bpy.app.background or not blendfile.exists()
        if mode == "COPY" and is_changed:
            copy = self._name_copy(blendfile, stays=is_in_place)
            if bpy.data.is_dirty and not bpy.app.background and bpy.app.version < REMEMBERS_CHANGES:
                looks = iter(range(LOOKS))
                bpy.app.timers.register(lambda: _stay_changed(looks), first_interval=0.1)
            self._write(copy, lambda: bpy.ops.wm.save_as_mainfile(filepath=str(copy), copy=True))
            return copy
        if mode != "NEVER" and is_changed:
            self._write(blendfile, bpy.ops.wm.save_mainfile)
        if is_in_place and wanted.storage_mode == "FREEZE":
            # The submission copies it on its thread: it may be large.
            self._name_copy(blendfile, stays=True)
        return blendfile

    def _name_copy(self, blendfile: Path, *, stays: bool) -> Path:
        """A file beside the artist's that nobody else has; `stays` when the job renders this very file."""
        if stays:
            self._frozen = paths.free_name(f"{blendfile.with_suffix('')}-{time.strftime('%Y%m%d-%H%M%S')}", COPY_SUFFIX)
            return self._frozen
        self._temporary = paths.free_name(str(blendfile.with_suffix("")), COPY_SUFFIX)
        return self._temporary

    def _write(self, target: Path, write: Callable[[], object]) -> None:
        self.progress.enter(Phase.SAVING, target.name)
        with _linked_data_saved(), _saving(target):
            write()

    def _remember(self, outcome: Outcome) -> None:
        assert self._order is not None
        window_manager = bpy.context.window_manager
        window_manager.flamenco_last_job_id = outcome.job.id
        window_manager.flamenco_last_job_url = job_url(outcome.job.id)
        output = str((self._order.job.settings or {}).get("render_output_path") or "")
        blendfile = str(paths.normalise(bpy.data.filepath)) if bpy.data.filepath else ""
        record = job_records.record_of(outcome.job, manager.url(), blendfile, output)
        records().add(record)

    def _summary(self, outcome: Outcome) -> str:
        text = f"Job {outcome.job.name} submitted"
        if outcome.mode is Mode.SHAMAN:
            files = outcome.sent_files
            sent = f"{readable_size(outcome.sent_bytes)} in {files} file{'s'[: files != 1]}"
            text += f", {sent} uploaded" if files else ", nothing new to upload"
        if outcome.missing:
            count = len(outcome.missing)
            text += f"; {count} file{'s are' if count != 1 else ' is'} missing"
            self.warnings += _lines("Missing file", outcome.missing)
        self.warnings += _lines("Not sent, workers have to find it there", outcome.overlooked)
        if outcome.note:
            self.warnings.append(outcome.note)
        return text


def _lines(what: str, files: tuple[Path, ...]) -> list[str]:
    """One line for each file, as long as they can be read."""
    lines = [f"{what}: {path}" for path in files[:LISTED]]
    return lines + ([f"{what}: {len(files) - LISTED} more"] if len(files) > LISTED else [])


def _wants_blendfile(job_type: job_types.JobType) -> bool:
    setting = job_type.setting(settings.BLENDFILE)
    return setting is not None and setting.type == "string"


def _known_files() -> tuple[Path, ...]:
    """Every file that Blender says the open file uses, also through linked files."""
    return tuple(Path(path) for path in map(_normalised, bpy.utils.blend_paths(absolute=True)) if path)


def _normalised(path: str) -> str:
    try:
        return str(paths.normalise(path))
    except paths.PathError:
        return ""


def _given_metadata(text: str) -> dict[str, str]:
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise SubmissionFailed(f"The metadata is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise SubmissionFailed('The metadata has to be a JSON object, such as {"shot": "010"}')
    return {str(key): str(value) for key, value in found.items()}


@contextlib.contextmanager
def _linked_data_saved() -> Iterator[None]:
    """The tracer finds all linked files only when Blender writes down what is linked indirectly."""
    experimental = bpy.context.preferences.experimental
    name = "use_all_linked_data_direct"
    if not hasattr(experimental, name):
        yield
        return
    before = getattr(experimental, name)
    setattr(experimental, name, True)
    try:
        yield
    finally:
        setattr(experimental, name, before)


def _stay_changed(looks: Iterator[int]) -> float | None:
    """Old Blenders take a file for saved once a copy of it is, and would let the artist quit without a word."""
    if bpy.data.is_dirty:
        return None if next(looks, None) is None else 0.1
    bpy.ops.ed.undo_push(message="Submit a Copy")
    return None


@contextlib.contextmanager
def _saving(target: Path) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, OSError) as error:
        raise SubmissionFailed(f"Cannot save {target}: {error}") from error
    if not target.exists():
        raise SubmissionFailed(f"Cannot save {target}")


def records() -> job_records.JobRecords:
    """The jobs that were submitted from this Blender."""
    return job_records.JobRecords(manager.config_file(RECORDS))


def job_url(job_id: str) -> str:
    """The web page of a job."""
    return f"{manager.url()}/app/jobs/{job_id}"
