# SPDX-License-Identifier: GPL-3.0-or-later
"""Registers everything with Blender, and removes all of it again."""

from __future__ import annotations

import bpy

from . import (
    handlers,
    job_operators,
    manager,
    operators,
    panel,
    preferences,
    properties,
    refresh,
    settings,
    submit_operators,
)

_CLASSES = (*operators.CLASSES, *submit_operators.CLASSES, *job_operators.CLASSES, *panel.CLASSES)


def register() -> None:
    """Registers everything."""
    properties.register()
    settings.register()
    preferences.register()
    for made in _CLASSES:
        bpy.utils.register_class(made)
    handlers.register()
    manager.load_cache()
    # While add-ons are enabled, Blender does not let them at the open file.
    if hasattr(bpy.data, "scenes"):
        _look_at_file()
    else:
        bpy.app.timers.register(_look_at_file, first_interval=0)


def _look_at_file() -> None:
    handlers.give_job_names()
    settings.fill_in(bpy.context.scene)


def unregister() -> None:
    """Removes everything."""
    if bpy.app.timers.is_registered(_look_at_file):
        bpy.app.timers.unregister(_look_at_file)
    job_operators.unregister()
    refresh.unregister()
    handlers.unregister()
    for made in reversed(_CLASSES):
        bpy.utils.unregister_class(made)
    preferences.unregister()
    settings.unregister()
    properties.unregister()
    manager.drop_client()
    manager.state = manager.State()
