# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the manager for everything, and brings the open file in line with the answer."""

from __future__ import annotations

from typing import Any

import bpy

from . import manager, manager_info, properties, settings, version
from .manager_info import Problem


class Report:
    """What to tell the user."""

    def __init__(self, level: str, text: str) -> None:
        #: `INFO`, `WARNING` or `ERROR`.
        self.level = level
        self.text = text


def refresh_now(context: Any) -> Report:
    """Refreshes, and waits for it: at most as long as the timeouts allow."""
    try:
        manager.state.refresh = manager.start_refresh()
    except Problem as error:
        return _say(context, Report("ERROR", str(error)))
    return finish(context)


def refresh_later() -> None:
    """Refreshes without waiting; the panel shows when it is done."""
    window_manager = bpy.context.window_manager
    try:
        manager.state.refresh = manager.start_refresh()
    except Problem as error:
        _say(bpy.context, Report("ERROR", str(error)))
        return
    window_manager.flamenco_status_ping = "Contacting the manager…"
    if not bpy.app.timers.is_registered(_look):
        bpy.app.timers.register(_look, first_interval=manager.LOOK, persistent=True)


def is_running() -> bool:
    """Whether an answer is waited for."""
    return manager.state.refresh is not None


def _look() -> float | None:
    running = manager.state.refresh
    if running is None:
        return None
    if not running.is_done:
        return manager.LOOK
    finish(bpy.context)
    return None


def finish(context: Any) -> Report:
    """Takes over the answer that was waited for."""
    running, manager.state.refresh = manager.state.refresh, None
    if running is None:
        # Somebody else who waited for it was quicker.
        level = "ERROR" if manager.state.is_away else "INFO"
        return Report(level, context.window_manager.flamenco_status_ping)
    try:
        answer = running.result()
    except Problem as error:
        manager.state.is_away = True
        return _say(context, Report("ERROR", str(error)))
    if answer[0].url != manager.url():
        # The address was changed while this was on its way.
        return _say(context, Report("WARNING", "The address of the manager has changed; refresh again"))
    manager.accept(answer)
    return _say(context, adopt(context.scene))


def adopt(scene: Any) -> Report:
    """Brings a scene in line with what the manager said."""
    info = manager.state.info
    assert info is not None
    vanished = properties.vanished(scene)
    settings.fill_in(scene)
    if vanished:
        return Report("WARNING", f"{info.version.name} does not have {' and '.join(vanished)} any more")
    match = manager_info.match_version(version.VERSION, info.version.shortversion, info.version.name)
    if not match.fits:
        return Report("WARNING", match.note)
    count = len(manager.state.job_types)
    found = f"{count} job type{'s'[: count != 1]}"
    return Report("INFO", f"{info.version.name} {info.version.version} found, with {found}")


def _say(context: Any, report: Report) -> Report:
    context.window_manager.flamenco_status_ping = report.text
    redraw()
    return report


def redraw() -> None:
    """Redraws every place that shows something of ours."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in ("PROPERTIES", "PREFERENCES"):
                area.tag_redraw()


def unregister() -> None:
    """Stops looking for an answer."""
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)
    manager.state.refresh = None
