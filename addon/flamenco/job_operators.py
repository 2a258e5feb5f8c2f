# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type,misc"
"""The jobs of the open file: their status, how to cancel them, and their frames."""

import dataclasses
import time
from pathlib import Path
from typing import Any

import bpy
from bpy.props import StringProperty

from . import job_records, manager, manager_info, paths, refresh, submitting
from .background import Background
from .flamenco_client import ApiError, Client, ClientError
from .flamenco_client.models import Job, JobStatus, JobStatusChange
from .job_records import Record
from .manager_info import Problem

#: How many jobs are shown.
LIMIT = 10
#: How often the status is asked for while the panel is visible, in seconds.
PERIOD = 5.0
#: For how long a panel counts as visible after it was drawn.
VISIBLE = 12.0
#: Jobs with these statuses do not change by themselves.
ENDED = ("completed", "canceled", "failed", "paused", "deleted")

_Shown = list[tuple[Record, Job | None]]


@dataclasses.dataclass(frozen=True)
class _Place:
    """What a list of jobs belongs to."""

    blendfile: str
    manager_url: str


class _State:
    """What is going on with the list."""

    running: Background[_Shown] | None = None
    #: Requests to cancel jobs that are on their way.
    changes: list[Background[None]] = []
    #: What was wrong with the last one.
    problem = ""
    drawn = 0.0
    asked = 0.0
    #: Whether to ask as soon as possible.
    is_due = False
    #: What the list belongs to; an answer that comes for something else is thrown away.
    place: _Place | None = None
    #: Whether the last answer was none, so that it is asked again.
    has_failed = False
    #: How many jobs it should have: opening a file empties it.
    count = 0


_state = _State()


def noticed() -> None:
    """Called when the list is drawn, so that it is kept up to date as long as somebody looks."""
    _state.drawn = time.monotonic()
    _look()


def submitted() -> None:
    """Called when there is a new job, so that it is shown."""
    _state.is_due = True
    noticed()


def is_current() -> bool:
    """Whether the list is that of the open file at this manager; another one must not be shown."""
    return _state.place == _here()


def _look() -> None:
    if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
        bpy.app.timers.register(_tick, first_interval=0.2, persistent=True)


def _tick() -> float | None:
    now = time.monotonic()
    _finish_changes()
    if _state.running is not None and is_current():
        if _state.running.is_done:
            finish()
        return 0.2
    if now - _state.drawn > VISIBLE and not _state.changes and not _state.is_due:
        return None
    jobs = bpy.context.window_manager.flamenco_jobs
    is_moving = _state.has_failed or any(job.status not in ENDED for job in jobs)
    is_lost = len(jobs) != _state.count
    if _state.is_due or is_lost or not is_current() or (is_moving and now - _state.asked > PERIOD):
        start(search=False)
    return 0.5


def _here() -> _Place:
    blendfile = str(paths.normalise(bpy.data.filepath)) if bpy.data.filepath else ""
    return _Place(blendfile, manager.url())


def start(*, search: bool) -> None:
    """Asks for the status of the jobs of this file. With `search`, also for those from other machines."""
    window_manager = bpy.context.window_manager
    here = _here()
    _state.asked = time.monotonic()
    _state.is_due = False
    _state.running = None
    _state.has_failed = False
    if _state.place != here:
        _state.place = here
        _state.problem = ""
        window_manager.flamenco_jobs.clear()
        window_manager.flamenco_jobs_note = ""
        refresh.redraw()
    _state.count = len(window_manager.flamenco_jobs)
    known = submitting.records().of_file(here.blendfile, here.manager_url)
    if not here.blendfile or (not known and not search):
        return
    try:
        connection = manager.client()
    except Problem as error:
        window_manager.flamenco_jobs_note = str(error)
        return
    _state.running = Background(lambda: _ask(connection, here.blendfile, known, search), "jobs")


def _ask(connection: Client, blendfile: str, known: list[Record], search: bool) -> _Shown:
    if search:
        found = connection.fetch_jobs().jobs
        own = {record.id for record in known}
        here = [job for job in found if (job.metadata or {}).get(job_records.BLENDFILE_KEY) == blendfile]
        others = [job for job in here if job.id not in own]
        url = connection.base_url
        known = known + [job_records.record_of(job, url, blendfile) for job in others]
        known.sort(key=lambda record: record.submitted, reverse=True)
    shown: _Shown = []
    for record in known[:LIMIT]:
        try:
            shown.append((record, connection.fetch_job(record.id)))
        except ApiError as error:
            if error.status != 404:
                raise
            shown.append((record, None))
    return shown


def finish() -> str:
    """Takes over the answer that was waited for; what is wrong, if anything."""
    running, _state.running = _state.running, None
    window_manager = bpy.context.window_manager
    if running is None or not is_current():
        return ""
    try:
        shown = running.result()
    except ClientError as error:
        _state.has_failed = True
        window_manager.flamenco_jobs_note = manager_info.explain(error, manager.url())
        refresh.redraw()
        return str(window_manager.flamenco_jobs_note)
    window_manager.flamenco_jobs_note = _state.problem
    submitting.records().add(*(record for record, _ in shown))
    jobs = window_manager.flamenco_jobs
    jobs.clear()
    for record, job in shown:
        _fill(jobs.add(), record, job)
    _state.count = len(jobs)
    refresh.redraw()
    return ""


def _finish_changes() -> None:
    """Looks which requests have been answered, and notes what was wrong with them."""
    for change in [change for change in _state.changes if change.is_done]:
        _state.changes.remove(change)
        try:
            change.result()
        except ClientError as error:
            _state.problem = manager_info.explain(error, manager.url())
            bpy.context.window_manager.flamenco_jobs_note = _state.problem
            refresh.redraw()
        _state.is_due = True


def _fill(item: Any, record: Record, job: Job | None) -> None:
    item.name = record.name
    item.job_id = record.id
    item.output = record.output
    item.extension = record.extension
    item.status = str(job.status) if job else "deleted"
    item.activity = job.activity if job else ""
    item.fraction = job.steps_completed / job.steps_total if job and job.steps_total else 0.0


class FLAMENCO_OT_refresh_jobs(bpy.types.Operator):
    """Look for all jobs of this file, also those that were submitted from other machines"""

    bl_idname = "flamenco.refresh_jobs"
    bl_label = "Flamenco: Refresh Jobs"

    def execute(self, _context: Any) -> set[str]:
        """Looks for them; a script waits for the answer."""
        if not bpy.data.filepath:
            self.report({"WARNING"}, "Save the file first")
            return {"CANCELLED"}
        start(search=True)
        if not bpy.app.background:
            noticed()
            return {"FINISHED"}
        if _state.running is not None:
            _state.running.wait()
        problem = finish()
        if problem:
            self.report({"WARNING"}, problem)
            return {"CANCELLED"}
        return {"FINISHED"}


class FLAMENCO_OT_cancel_job(bpy.types.Operator):
    """Cancel this job on the farm"""

    bl_idname = "flamenco.cancel_job"
    bl_label = "Cancel Job"

    job_id: StringProperty(options={"HIDDEN"})

    def invoke(self, context: Any, event: Any) -> set[str]:
        """Asks first."""
        return set(context.window_manager.invoke_confirm(self, event))

    def execute(self, _context: Any) -> set[str]:
        """Requests it; the farm needs a moment."""
        change = JobStatusChange(status=JobStatus.CANCEL_REQUESTED, reason="Canceled from Blender")
        job_id = self.job_id
        try:
            connection = manager.client()
        except Problem as error:
            self.report({"WARNING"}, str(error))
            return {"CANCELLED"}
        _state.problem = ""
        running = Background(lambda: connection.set_job_status(job_id, change), "cancel")
        _state.changes.append(running)
        if not bpy.app.background:
            _look()
            return {"FINISHED"}
        running.wait()
        _finish_changes()
        if _state.problem:
            self.report({"WARNING"}, _state.problem)
            return {"CANCELLED"}
        start(search=False)
        if _state.running is not None:
            _state.running.wait()
            finish()
        return {"FINISHED"}


class FLAMENCO_OT_show_job(bpy.types.Operator):
    """Show this job in the web browser"""

    bl_idname = "flamenco.show_job"
    bl_label = "Show in Browser"

    job_id: StringProperty(options={"HIDDEN"})

    def execute(self, _context: Any) -> set[str]:
        """Opens its page."""
        bpy.ops.wm.url_open(url=submitting.job_url(self.job_id))
        return {"FINISHED"}


class FLAMENCO_OT_load_frames(bpy.types.Operator):
    """Load the frames that were rendered so far as an image sequence"""

    bl_idname = "flamenco.load_frames"
    bl_label = "Load Rendered Frames"
    bl_options = {"REGISTER", "UNDO"}

    job_id: StringProperty(options={"HIDDEN"})

    _timer: Any = None
    _record: Any = None
    _search: Any = None

    def _start(self) -> bool:
        """Looks for the frames, which takes its time in a folder of the network; whether that makes sense."""
        record = next((record for record in submitting.records().load() if record.id == self.job_id), None)
        if record is None or not record.output:
            self.report({"WARNING"}, "It is not known where this job writes its frames")
            return False
        self._record = record
        self._search = Background(lambda: job_records.find_frames(record.output, record.extension), "frames")
        return True

    def execute(self, context: Any) -> set[str]:
        """Loads them, and returns when that is done."""
        return self._load(context) if self._start() else {"CANCELLED"}

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Loads them while the artist goes on working."""
        if bpy.app.background:
            return self.execute(context)
        if not self._start():
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(manager.LOOK, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """Waits for the list of the frames."""
        if event.type != "TIMER" or not self._search.is_done:
            return {"PASS_THROUGH"}
        self.cancel(context)
        return self._load(context)

    def cancel(self, context: Any) -> None:
        """Another file is being opened, or there is nothing to wait for any more."""
        context.window_manager.event_timer_remove(self._timer)

    def _load(self, context: Any) -> set[str]:
        """Loads them into an image, and shows it where there is an image editor."""
        record = self._record
        try:
            frames: dict[int, Path] = self._search.result()
        except OSError as error:
            folder = Path(record.output).parent
            self.report({"WARNING"}, f"Cannot read {folder}: {error.strerror or error}; is it mounted here?")
            return {"CANCELLED"}
        if not frames:
            self.report({"WARNING"}, f"There are no frames in {Path(record.output).parent} yet")
            return {"CANCELLED"}
        image = _load(frames, record.name)
        self._show(context, image, frames)
        missing = max(frames) - min(frames) + 1 - len(frames)
        note = f", {missing} in between are missing" if missing else ""
        self.report({"INFO"}, f"Loaded {len(frames)} frame{'s'[: len(frames) != 1]} as image {image.name!r}{note}")
        return {"FINISHED"}

    def _show(self, context: Any, image: Any, frames: dict[int, Path]) -> None:
        for window in context.window_manager.windows:
            for area in window.screen.areas:
                if area.type == "IMAGE_EDITOR":
                    area.spaces.active.image = image
                    user = area.spaces.active.image_user
                    user.frame_start, user.frame_offset = min(frames), min(frames) - 1
                    user.frame_duration = max(frames) - min(frames) + 1
                    user.use_auto_refresh = True
                    area.tag_redraw()


def _load(frames: dict[int, Path], name: str) -> Any:
    first = frames[min(frames)]
    path = str(first)
    # Loading again, after more frames were rendered, brings the image up to date.
    image = next((known for known in bpy.data.images if bpy.path.abspath(known.filepath) == path), None)
    if image is None:
        image = bpy.data.images.load(path)
        image.name = name
    else:
        image.reload()
    if len(frames) > 1:
        image.source = "SEQUENCE"
    return image


def unregister() -> None:
    """Stops asking."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    _state.running = None
    _state.changes = []
    _state.place = None


CLASSES = (FLAMENCO_OT_refresh_jobs, FLAMENCO_OT_cancel_job, FLAMENCO_OT_show_job, FLAMENCO_OT_load_frames)
