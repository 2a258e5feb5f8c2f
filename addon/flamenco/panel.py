# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel in the output properties."""

from __future__ import annotations

from typing import Any

import bpy

from . import frame_range, job_operators, labels, manager, refresh, settings
from .evaluation import EvaluationError
from .job_types import JobType, Setting

_PATHS = ("DIR_PATH", "FILE_PATH", "FILE_NAME")
_ICONS = {
    "active": "PLAY",
    "completed": "CHECKMARK",
    "failed": "ERROR",
    "canceled": "X",
    "cancel-requested": "X",
    "paused": "PAUSE",
    "pause-requested": "PAUSE",
    "queued": "TIME",
    "deleted": "TRASH",
}
#: How many missing files are listed.
MISSING = 12


class _OutputPanel:
    """Where the panels are."""

    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "output"


class FLAMENCO_PT_job_submission(_OutputPanel, bpy.types.Panel):  # type: ignore[misc]
    """Submits the file to the farm."""

    bl_label = "Flamenco"

    def draw(self, context: Any) -> None:
        """Draws the panel."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        scene = context.scene
        column = layout.column()
        column.prop(scene, "flamenco_job_name")
        column.prop(scene, "flamenco_job_priority")
        column.prop(scene, "flamenco_job_submit_as_paused")
        self._draw_manager(context, layout)
        if manager.state.info is None and not scene.flamenco_job_type_name:
            return
        column = layout.column()
        column.prop(scene, "flamenco_worker_tag")
        column.prop(scene, "flamenco_job_type")
        job_type = settings.job_type_of(scene)
        if job_type is not None:
            self._draw_settings(scene, job_type, layout.column())
        elif broken := settings.why_broken(scene):
            labels.wrapped(layout.column(), broken, "ERROR")
        self._draw_status(context, layout)

    def _draw_manager(self, context: Any, layout: Any) -> None:
        column = layout.column(align=True)
        if manager.state.info is None or manager.state.is_away:
            column.prop(manager.preferences(), "manager_url")
        row = column.row(align=True)
        row.enabled = not refresh.is_running()
        row.operator("flamenco.ping_manager", text="Refresh from Manager", icon="FILE_REFRESH")
        row.operator("flamenco.find_manager", text="", icon="VIEWZOOM")
        ping = context.window_manager.flamenco_status_ping
        if refresh.is_running():
            column.label(text=ping or "Contacting the manager…", icon="SORTTIME")
            return
        if manager.state.is_away:
            labels.wrapped(column, ping, "ERROR")
            if manager.state.info is not None:
                column.label(text=f"This is what was known {manager.age_text()}", icon="BLANK1")
        elif ping:
            labels.wrapped(column, ping, "INFO")
        elif manager.state.info is not None:
            column.label(text=f"{manager.state.info.version.name}, asked {manager.age_text()}", icon="INFO")
        if manager.state.info is not None and not manager.is_trusted():
            box = layout.box()
            labels.wrapped(box, f"Job types of {manager.url()} want to run Python in this Blender.", "LOCKED")
            box.operator("flamenco.trust_manager", icon="UNLOCKED")

    def _draw_settings(self, scene: Any, job_type: JobType, column: Any) -> None:
        group = settings.group_of(scene)
        values = settings.Values(job_type, group, scene)
        for setting in job_type.settings:
            if setting.is_visible:
                self._draw_setting(column, group, values, setting)
        frames, chunk = job_type.setting("frames"), job_type.setting("chunk_size")
        if frames is not None and frames.type == "string":
            self._draw_count(column, values, frames, chunk)
        if job_type.warnings:
            count = len(job_type.warnings)
            column.label(text=f"The job type has {count} mistake{'s'[: count != 1]}; see the terminal", icon="ERROR")

    def _draw_setting(self, column: Any, group: Any, values: settings.Values, setting: Setting) -> None:
        row = column.row(align=True)
        if settings.is_linked(group, setting):
            split = row.split(factor=0.4, align=True)
            split.alignment = "RIGHT"
            split.label(text=setting.label)
            split.label(text=setting.eval_description or "Automatic")
            row.prop(group, setting.link_attribute, text="", icon="LINKED")
            return
        if not setting.is_editable:
            try:
                values.value(setting)
            except EvaluationError as error:
                split = row.split(factor=0.4, align=True)
                split.alignment = "RIGHT"
                split.label(text=setting.label)
                split.label(text=error.reason, icon="ERROR")
                return
        row.prop(group, setting.attribute)
        if setting.eval and setting.is_editable:
            button = row.operator("flamenco.eval_setting", text="", icon="SCRIPT")
            button.setting_key = setting.key
            button.setting_eval = setting.eval
            button.eval_description = setting.eval_description
        if setting.subtype in _PATHS and setting.subtype != "FILE_NAME":
            button = row.operator("flamenco3.explore_file_path", text="", icon="WINDOW")
            button.path = str(getattr(group, setting.attribute))
        if setting.can_link:
            row.prop(group, setting.link_attribute, text="", icon="UNLINKED")

    def _draw_count(self, column: Any, values: settings.Values, frames: Setting, chunk: Setting | None) -> None:
        try:
            size = int(values.value(chunk)) if chunk is not None else 1
            text = frame_range.frame_summary(str(values.value(frames)), size)
        except (frame_range.RangeError, EvaluationError, ValueError) as error:
            labels.wrapped(column, str(error), "ERROR")
            return
        row = column.row()
        row.alignment = "RIGHT"
        row.label(text=text)

    def _draw_status(self, context: Any, layout: Any) -> None:
        window_manager = context.window_manager
        status = window_manager.flamenco_bat_status
        text = window_manager.flamenco_bat_status_txt
        if status in ("IDLE", "DONE", "ABORTED", "FAILED"):
            self._draw_submit(context, layout, status, text)
            return
        column = layout.column(align=True)
        row = column.row(align=True)
        titles = {
            "INVESTIGATING": "Investigating your files",
            "REWRITING": "Rewriting files",
            "SAVING": "Saving",
            "COMMUNICATING": "Talking to the manager",
            "ABORTING": "Aborting, please wait",
            "MISSING_FILES": "Files are missing",
        }
        if window_manager.flamenco_bat_progress or status == "TRANSFERRING":
            _progress(row, window_manager)
        else:
            row.label(text=titles.get(status, status.title()), icon="SORTTIME")
        row.operator("flamenco.abort", text="", icon="CANCEL")
        if status == "MISSING_FILES":
            self._draw_missing(column, window_manager.flamenco_missing_files.split("\n"))
        elif text:
            labels.wrapped(column, text, "NONE")

    def _draw_submit(self, context: Any, layout: Any, status: str, text: str) -> None:
        name = context.scene.flamenco_job_name
        column = layout.column(align=True)
        row = column.row()
        row.scale_y = 1.4
        label = "Try Again" if status == "FAILED" else "Submit to Flamenco"
        row.operator("flamenco.submit_job", text=label, icon="RENDER_ANIMATION").job_name = name
        if context.window_manager.flamenco_version_mismatch:
            button = column.operator("flamenco.submit_job", text="Force Submit", icon="ERROR")
            button.job_name = name
            button.ignore_version_mismatch = True
        if text and status != "IDLE":
            icon = {"DONE": "CHECKMARK", "FAILED": "ERROR"}.get(status, "INFO")
            labels.wrapped(column, text, icon)
        if status == "DONE" and context.window_manager.flamenco_last_job_id:
            button = column.operator("flamenco.show_job", icon="URL")
            button.job_id = context.window_manager.flamenco_last_job_id

    def _draw_missing(self, column: Any, files: list[str]) -> None:
        box = column.box().column(align=True)
        for path in files[:MISSING]:
            room = labels.room()
            box.label(text=path if len(path) <= room else "…" + path[-room:], icon="LIBRARY_DATA_BROKEN")
        if len(files) > MISSING:
            box.label(text=f"and {len(files) - MISSING} more")
        row = column.row(align=True)
        row.operator("flamenco.answer_missing_files", text="Submit Anyway", icon="RENDER_ANIMATION").submit = True
        row.operator("flamenco.answer_missing_files", text="Cancel", icon="CANCEL").submit = False


class FLAMENCO_PT_jobs(_OutputPanel, bpy.types.Panel):  # type: ignore[misc]
    """The jobs of this file."""

    bl_label = "Jobs of This File"
    bl_parent_id = "FLAMENCO_PT_job_submission"

    def draw(self, context: Any) -> None:
        """Draws the list."""
        job_operators.noticed()
        window_manager = context.window_manager
        column = self.layout.column(align=True)
        if not job_operators.is_current():
            column.label(text="Looking for them…", icon="SORTTIME")
            return
        for job in window_manager.flamenco_jobs:
            self._draw_job(column, job)
        if window_manager.flamenco_jobs_note:
            labels.wrapped(column, window_manager.flamenco_jobs_note, "ERROR")
        elif not window_manager.flamenco_jobs:
            column.label(text="None that this Blender knows of")
        column.separator()
        column.operator("flamenco.refresh_jobs", text="Refresh Jobs", icon="FILE_REFRESH")

    def _draw_job(self, column: Any, job: Any) -> None:
        row = column.row(align=True)
        row.label(text=job.name, icon=_ICONS.get(job.status, "TIME"))
        right = row.row(align=True)
        right.alignment = "RIGHT"
        shown = f"{job.fraction:.0%} {job.status}" if job.status == "active" else job.status
        right.label(text=shown)
        right.operator("flamenco.load_frames", text="", icon="IMAGE_DATA").job_id = job.job_id
        right.operator("flamenco.show_job", text="", icon="URL").job_id = job.job_id
        stop = right.row(align=True)
        stop.enabled = job.status in ("active", "queued", "paused", "pause-requested", "requeueing")
        stop.operator("flamenco.cancel_job", text="", icon="X").job_id = job.job_id


class FLAMENCO_PT_project(_OutputPanel, bpy.types.Panel):  # type: ignore[misc]
    """What only some files need."""

    bl_label = "Project"
    bl_parent_id = "FLAMENCO_PT_job_submission"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: Any) -> None:
        """Draws the override of the project's folder."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(context.scene, "flamenco_project_folder")


def _progress(row: Any, window_manager: Any) -> None:
    percentage = window_manager.flamenco_bat_progress
    if hasattr(row, "progress"):
        row.progress(factor=percentage / 100, text=f"{percentage} %")
    else:
        row.prop(window_manager, "flamenco_bat_progress", text="", slider=True)


# The first one is the parent of the others.
CLASSES = (FLAMENCO_PT_job_submission, FLAMENCO_PT_jobs, FLAMENCO_PT_project)
