# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type,misc"
"""The operators that submit a job and abort the submission."""

import dataclasses
import time
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from . import job_operators, manager, preferences, refresh, settings
from .progress import BUSY, Phase
from .submitting import Options, Run

#: How often the panel is brought up to date, in seconds.
TICK = 0.1
#: How often a script sees a line about the progress, in seconds.
SAY = 2.0


def show(context: Any, run: Run) -> None:
    """Tells the panel what is going on."""
    now = run.snapshot()
    missing = "\n".join(map(str, run.question.files)) if run.question.is_open else ""
    new = {
        "flamenco_bat_status": now.phase.value,
        "flamenco_bat_status_txt": ": ".join(part for part in (now.text, now.amount) if part),
        "flamenco_bat_progress": now.percentage,
        "flamenco_can_abort": now.phase in BUSY and now.phase is not Phase.ABORTING,
        "flamenco_missing_files": missing,
    }
    window_manager = context.window_manager
    is_new = False
    for name, value in new.items():
        if getattr(window_manager, name) != value:
            setattr(window_manager, name, value)
            is_new = True
    if is_new:
        refresh.redraw()


def _go_on(run: Run) -> None:
    """Goes on with a submission whose operator has ended; the panel shows what comes of it."""

    def look() -> float | None:
        try:
            is_done = run.step()
        finally:
            show(bpy.context, run)
        if not is_done:
            return TICK
        print(f"Flamenco: {run.message}")
        for warning in run.warnings:
            print(f"Flamenco: {warning}")
        if run.phase is Phase.DONE:
            job_operators.submitted()
        return None

    bpy.app.timers.register(look, first_interval=TICK, persistent=True)


def _is_closing(context: Any) -> bool:
    """Whether the operator ends because its window is closed, while others stay open."""
    windows = context.window_manager.windows
    return bool(windows) and (context.window is None or context.window not in windows.values())


class FLAMENCO_OT_submit_job(bpy.types.Operator):
    """Send the file to the farm"""

    bl_idname = "flamenco.submit_job"
    bl_label = "Flamenco: Submit Job"
    bl_options = {"REGISTER"}

    job_name: StringProperty(name="Job Name", description="Name of the job; empty for that of the scene")
    ignore_version_mismatch: BoolProperty(
        name="Ignore Version Mismatch", description="Submit although the versions differ", default=False
    )
    ignore_job_type_change: BoolProperty(
        name="Ignore Changed Job Type",
        description="Submit although the job type is not the one that the settings were made for",
        default=False,
    )
    missing_files: EnumProperty(
        name="Missing Files",
        items=[
            ("ASK", "Ask", "Ask in the panel; a script that cannot ask submits, with a warning"),
            ("SUBMIT", "Submit", "Submit, with a warning"),
            ("CANCEL", "Cancel", "Do not submit"),
        ],
        default="ASK",
    )
    save: EnumProperty(
        name="Save",
        items=[
            ("PREFERENCE", "As in the Preferences", ""),
            *preferences.SAVING,
            ("NEVER", "Do Not Save", "Send what is on the disk"),
        ],
        default="PREFERENCE",
    )
    metadata: StringProperty(
        name="Metadata", description='Further information for the page of the job, as JSON: {"shot": "010"}'
    )

    _timer: Any = None
    _run: Any = None

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Whether there is something to submit."""
        if Run.current is not None:
            cls._poll_message("Another submission is running")
            return False
        if settings.job_type_of(context.scene) is None:
            cls._poll_message(settings.why_broken(context.scene) or "Choose a job type first")
            return False
        return True

    @classmethod
    def _poll_message(cls, text: str) -> None:
        if hasattr(cls, "poll_message_set"):
            cls.poll_message_set(text)

    def _options(self) -> Options:
        return Options(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Options)})

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Submits while the artist goes on working."""
        if bpy.app.background:
            return self.execute(context)
        must_ask = manager.preferences().save_mode == "ASK" and self.save == "PREFERENCE" and bpy.data.is_dirty
        if must_ask and bpy.data.filepath:
            context.window_manager.popup_menu(self._draw_question, title="The file has changes", icon="QUESTION")
            return {"CANCELLED"}
        self._run = Run(context, self._options(), interactive=True)
        self._timer = context.window_manager.event_timer_add(TICK, window=context.window)
        context.window_manager.modal_handler_add(self)
        show(context, self._run)
        return {"RUNNING_MODAL"}

    def _draw_question(self, menu: Any, _context: Any) -> None:
        layout = menu.layout
        layout.operator_context = "INVOKE_DEFAULT"
        for choice, text, icon in (("SAVE", "Save and Submit", "FILE_TICK"), ("COPY", "Submit a Copy", "DUPLICATE")):
            button = layout.operator(self.bl_idname, text=text, icon=icon)
            for name, value in vars(self._options()).items():
                setattr(button, name, value)
            button.save = choice

    def modal(self, context: Any, event: Any) -> set[str]:
        """Goes on with the submission; everything else is none of its business."""
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            is_done = self._run.step()
        except Exception:
            self._finish(context)
            raise
        show(context, self._run)
        if not is_done:
            return {"PASS_THROUGH"}
        self._finish(context)
        return self._report(is_script=False)

    def cancel(self, context: Any) -> None:
        """Another file is being opened, Blender quits, or the window of the button is closed, which ends nothing."""
        if _is_closing(context) or not self._run.abandon():
            _go_on(self._run)
        self._finish(context)

    def _finish(self, context: Any) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        show(context, self._run)
        if self._run.phase is Phase.DONE:
            job_operators.submitted()

    def execute(self, context: Any) -> set[str]:
        """Submits, and returns when that is done."""
        run = Run(context, self._options(), interactive=False)
        self._run = run
        printer = _Printer()
        try:
            while not run.step():
                printer.say(run)
                time.sleep(0.02)
        except KeyboardInterrupt:
            run.cancel()
            while not run.step():
                time.sleep(0.02)
        finally:
            show(context, run)
        return self._report(is_script=True)

    def _report(self, *, is_script: bool) -> set[str]:
        run = self._run
        for warning in run.warnings:
            self.report({"WARNING"}, warning)
        if run.phase is Phase.DONE:
            self.report({"WARNING"} if run.warnings else {"INFO"}, run.message)
            print(f"Flamenco: {run.message}: {bpy.context.window_manager.flamenco_last_job_url}")
            if not is_script and manager.preferences().open_browser:
                bpy.ops.wm.url_open(url=bpy.context.window_manager.flamenco_last_job_url)
            return {"FINISHED"}
        # An error report would be an exception in the script.
        level = "WARNING" if is_script or run.phase is Phase.ABORTED else "ERROR"
        self.report({level}, run.message)
        if is_script:
            print(f"Flamenco: {run.message}")
        return {"CANCELLED"}


class _Printer:
    """Tells somebody who looks at a terminal what is going on."""

    def __init__(self) -> None:
        self._phase = ""
        self._time = 0.0

    def say(self, run: Run) -> None:
        now = run.snapshot()
        if now.phase.value == self._phase and time.monotonic() - self._time < SAY:
            return
        self._phase, self._time = now.phase.value, time.monotonic()
        print("Flamenco: " + ": ".join(part for part in (now.text, now.amount) if part), flush=True)


class FLAMENCO_OT_abort(bpy.types.Operator):
    """Abort the submission"""

    bl_idname = "flamenco.abort"
    bl_label = "Abort"

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Whether something can be aborted."""
        return bool(Run.current is not None and context.window_manager.flamenco_can_abort)

    def execute(self, context: Any) -> set[str]:
        """Asks the submission to end."""
        run = Run.current
        if run is None:
            return {"CANCELLED"}
        run.cancel()
        show(context, run)
        return {"FINISHED"}


class FLAMENCO_OT_missing_files(bpy.types.Operator):
    """Decide about the missing files"""

    bl_idname = "flamenco.answer_missing_files"
    bl_label = "Flamenco: Missing Files"
    bl_options = {"INTERNAL"}

    submit: BoolProperty(name="Submit", description="Submit without these files")

    def execute(self, _context: Any) -> set[str]:
        """Passes the answer on."""
        run = Run.current
        if run is None or not run.question.is_open:
            return {"CANCELLED"}
        if self.submit:
            run.question.answer(True)
        else:
            run.cancel()
        return {"FINISHED"}


CLASSES = (FLAMENCO_OT_submit_job, FLAMENCO_OT_abort, FLAMENCO_OT_missing_files)
