# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens when files are opened and saved."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent

from . import manager, settings

#: When each linked file was changed last before this one was opened, in nanoseconds.
_libraries: dict[str, int] = {}


def default_job_name() -> str:
    """The name of a job when nobody gives one."""
    return Path(bpy.data.filepath).stem


def changed_libraries() -> list[str]:
    """Linked files that were changed on disk since this file was opened."""
    return [path for path, modified in _libraries.items() if _modified(path) not in (modified, None)]


def _modified(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def _note_libraries() -> None:
    _libraries.clear()
    for library in bpy.data.libraries:
        path = bpy.path.abspath(library.filepath)
        modified = _modified(path)
        if modified is not None:
            _libraries[path] = modified


@persistent  # type: ignore[untyped-decorator]
def on_load_pre(*_arguments: Any) -> None:
    """The preferences may come from the file, too."""
    manager.drop_client()
    bpy.context.window_manager.flamenco_version_mismatch = False


@persistent  # type: ignore[untyped-decorator]
def on_load_post(*_arguments: Any) -> None:
    """Gives the new file its default name and its automatic settings."""
    _note_libraries()
    if manager.state.info is None:
        manager.load_cache()
    give_job_names()
    bpy.context.window_manager.flamenco_jobs.clear()
    settings.fill_in(bpy.context.scene)


@persistent  # type: ignore[untyped-decorator]
def on_save_pre(*_arguments: Any) -> None:
    """The default name is not stored, so that it follows when the file is renamed."""
    for scene in bpy.data.scenes:
        if scene.library is None and scene.flamenco_job_name == default_job_name():
            scene.flamenco_job_name = ""


@persistent  # type: ignore[untyped-decorator]
def on_save_post(*_arguments: Any) -> None:
    """Shows the default name again."""
    give_job_names()


def give_job_names() -> None:
    """Shows the default name where there is no other."""
    name = default_job_name()
    for scene in bpy.data.scenes:
        if scene.library is None and not scene.flamenco_job_name and name:
            scene.flamenco_job_name = name


_HANDLERS = (
    ("load_pre", on_load_pre),
    ("load_post", on_load_post),
    ("load_factory_preferences_post", on_load_pre),
    ("load_factory_startup_post", on_load_post),
    ("save_pre", on_save_pre),
    ("save_post", on_save_post),
)


def register() -> None:
    """Adds the handlers."""
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Removes the handlers."""
    for name, handler in _HANDLERS:
        handlers = getattr(bpy.app.handlers, name)
        if handler in handlers:
            handlers.remove(handler)
    _libraries.clear()
