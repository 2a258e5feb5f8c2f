# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disable-error-code="valid-type,misc"
"""The small operators: refresh, find the manager, work out a setting, look at a folder."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import bpy
from bpy.props import StringProperty

from . import discovery, manager, paths, refresh, settings
from .background import Background
from .evaluation import EvaluationError


class FLAMENCO_OT_ping_manager(bpy.types.Operator):
    """Ask the manager for its job types, worker tags and storage"""

    bl_idname = "flamenco.ping_manager"
    bl_label = "Flamenco: Ping Manager"
    bl_options = {"REGISTER"}

    _timer: Any = None

    def execute(self, context: Any) -> set[str]:
        """Refreshes, and returns when that is done."""
        report = refresh.refresh_now(context)
        # An error report would be an exception in the script.
        self.report({"WARNING"} if report.level == "ERROR" else {report.level}, report.text)
        return {"FINISHED"}

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Refreshes while the artist goes on working."""
        if bpy.app.background:
            return self.execute(context)
        refresh.refresh_later()
        self._timer = context.window_manager.event_timer_add(manager.LOOK, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """Waits for the answer."""
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        running = manager.state.refresh
        if running is not None and not running.is_done:
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self._timer)
        report = refresh.finish(context)
        self.report({report.level}, report.text)
        return {"FINISHED"}

    def cancel(self, context: Any) -> None:
        """Another file is being opened."""
        context.window_manager.event_timer_remove(self._timer)


class FLAMENCO_OT_find_manager(bpy.types.Operator):
    """Search the local network for managers"""

    bl_idname = "flamenco.find_manager"
    bl_label = "Flamenco: Find Manager"
    bl_options = {"REGISTER"}

    _timer: Any = None
    _search: Any = None

    def execute(self, context: Any) -> set[str]:
        """Searches, and returns when that is done."""
        self._search = Background(discovery.search, "discovery")
        return self._take_over(context)

    def invoke(self, context: Any, _event: Any) -> set[str]:
        """Searches while the artist goes on working."""
        if bpy.app.background:
            return self.execute(context)
        self._search = Background(discovery.search, "discovery")
        context.window_manager.flamenco_status_ping = "Searching the network…"
        self._timer = context.window_manager.event_timer_add(0.1, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """Waits for answers."""
        if event.type != "TIMER" or not self._search.is_done:
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self._timer)
        return self._take_over(context)

    def cancel(self, context: Any) -> None:
        """Another file is being opened."""
        context.window_manager.event_timer_remove(self._timer)

    def _take_over(self, context: Any) -> set[str]:
        try:
            found = self._search.result()
        except OSError as error:
            return self._fail(context, f"Cannot search the network: {error.strerror or error}")
        if not found:
            return self._fail(context, "No manager answered; type its address, or ask who runs the farm")
        if len(found) > 1:
            print("Flamenco: managers found: " + ", ".join(found))
        # Setting it refreshes as well.
        manager.preferences().manager_url = f"{found[0]}/"
        self.report({"INFO"}, f"Found {', '.join(found)}")
        refresh.redraw()
        return {"FINISHED"}

    def _fail(self, context: Any, text: str) -> set[str]:
        context.window_manager.flamenco_status_ping = text
        self.report({"WARNING"}, text)
        refresh.redraw()
        return {"CANCELLED"}


class FLAMENCO_OT_trust_manager(bpy.types.Operator):
    """Job types of this manager may run Python in this Blender"""

    bl_idname = "flamenco.trust_manager"
    bl_label = "Trust This Manager"
    bl_options = {"INTERNAL"}

    def execute(self, context: Any) -> set[str]:
        """Remembers it in the preferences."""
        manager.trust()
        settings.fill_in(context.scene)
        refresh.redraw()
        return {"FINISHED"}


class FLAMENCO_OT_eval_setting(bpy.types.Operator):
    """Work out the value of this setting"""

    bl_idname = "flamenco.eval_setting"
    bl_label = "Flamenco: Evaluate Setting Value"
    bl_options = {"REGISTER", "INTERNAL", "UNDO"}

    setting_key: StringProperty(options={"HIDDEN"})
    setting_eval: StringProperty(options={"HIDDEN"})
    eval_description: StringProperty(options={"HIDDEN"})

    @classmethod
    def description(cls, _context: Any, properties: Any) -> str:
        """The tooltip."""
        return f"Set to: {properties.eval_description}" if properties.eval_description else cls.__doc__ or ""

    def execute(self, context: Any) -> set[str]:
        """Sets the setting to its automatic value."""
        scene = context.scene
        job_type, group = settings.job_type_of(scene), settings.group_of(scene)
        setting = job_type.setting(self.setting_key) if job_type else None
        if job_type is None or setting is None:
            self.report({"WARNING"}, f"The job type has no setting {self.setting_key!r}")
            return {"CANCELLED"}
        try:
            value = settings.Values(job_type, group, scene).evaluate(setting, self.setting_eval)
            setattr(group, setting.attribute, value)
        except (EvaluationError, TypeError) as error:
            self.report({"WARNING"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class FLAMENCO_OT_explore_file_path(bpy.types.Operator):
    """Open the path, or the nearest folder above it that exists, in the file browser of the system"""

    bl_idname = "flamenco3.explore_file_path"
    bl_label = "Open in file explorer"
    bl_options = {"INTERNAL"}

    path: StringProperty(name="Path", subtype="DIR_PATH")

    def execute(self, _context: Any) -> set[str]:
        """Opens it."""
        try:
            found = paths.nearest_existing(settings.absolute_path(self.path))
        except paths.PathError as error:
            self.report({"WARNING"}, str(error))
            return {"CANCELLED"}
        if found is None:
            self.report({"WARNING"}, f"Nothing of {self.path} exists here")
            return {"CANCELLED"}
        try:
            _open(found)
        except OSError as error:
            self.report({"WARNING"}, f"Cannot open {found}: {error.strerror or error}")
            return {"CANCELLED"}
        return {"FINISHED"}


def _open(path: Path) -> None:
    if sys.platform == "win32":
        import os

        os.startfile(path)
        return
    program = "open" if sys.platform == "darwin" else "xdg-open"
    subprocess.Popen([program, str(path)], stdin=subprocess.DEVNULL, start_new_session=True)


CLASSES = (
    FLAMENCO_OT_ping_manager,
    FLAMENCO_OT_find_manager,
    FLAMENCO_OT_trust_manager,
    FLAMENCO_OT_eval_setting,
    FLAMENCO_OT_explore_file_path,
)
