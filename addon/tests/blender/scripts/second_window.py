# SPDX-License-Identifier: GPL-3.0-or-later
"""Submits from a second window, and closes it, or opens another file, while the submission is on its way."""

import sys
import time
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import artist
import inside

found = []


def until_seen(*wanted):
    """Waits for a status."""
    end = time.monotonic() + 90
    while bpy.context.window_manager.flamenco_bat_status not in wanted and time.monotonic() < end:
        yield 0.02


def second_window():
    """Opens a window; the first stays."""
    before = set(bpy.context.window_manager.windows)
    with bpy.context.temp_override(window=artist.window()):
        bpy.ops.wm.window_new()
    (window,) = set(bpy.context.window_manager.windows) - before
    return window


def story():
    """What the artist does."""
    yield from artist.show_panel()
    yield from artist.connect()
    inside.choose(**inside.ARGUMENTS.get("settings", {}))
    bpy.context.scene.flamenco_job_submit_as_paused = True
    bpy.ops.wm.save_mainfile()
    window = second_window()
    yield 0.3
    with bpy.context.temp_override(window=window, screen=window.screen):
        bpy.ops.flamenco.submit_job("INVOKE_DEFAULT", missing_files="SUBMIT")
    yield from until_seen("TRANSFERRING", "DONE", "FAILED")
    with bpy.context.temp_override(window=window, screen=window.screen):
        bpy.ops.wm.window_close()
    yield from until_seen("DONE", "FAILED", "ABORTED")
    found.append(inside.state())

    # What is called off takes longer to end than opening a file waits for it.
    inside.module("submitting").PATIENCE = 0.0
    artist.override(bpy.ops.flamenco.submit_job, missing_files="SUBMIT", save="NEVER")
    yield from until_seen("TRANSFERRING", "FAILED")
    bpy.ops.wm.open_mainfile(filepath=inside.ARGUMENTS["file"])
    end = time.monotonic() + 60
    while inside.module("submitting").Run.current is not None and time.monotonic() < end:
        yield 0.02
    yield 0.5
    found.append({"can_submit": bpy.ops.flamenco.submit_job.poll(), **inside.state()})
    inside.done(found=found)


artist.play(story)
