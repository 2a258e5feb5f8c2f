# SPDX-License-Identifier: GPL-3.0-or-later
"""Submits from a window with changes that are not saved, and answers the question by pressing keys."""

import sys
import time
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import artist
import inside

answers = []


def change(text):
    """What makes Blender say that there are changes."""
    bpy.context.scene["mark"] = f"<{text}>"
    with bpy.context.temp_override(window=artist.window(), area=artist.area()):
        bpy.ops.ed.undo_push(message=text)


def submission(key):
    """Presses the button, then a key, and waits for what comes of it."""
    window_manager = bpy.context.window_manager
    window_manager.flamenco_last_job_id = ""
    window_manager.flamenco_bat_status = "IDLE"
    was_dirty = bpy.data.is_dirty
    asked = artist.override(
        bpy.ops.flamenco.submit_job, job_name="asked", missing_files="SUBMIT", metadata='{"kept": "yes"}'
    )
    yield 0.5
    if key:
        artist.picture(f"question {len(answers)}")
    before = window_manager.flamenco_bat_status
    if key:
        artist.press(key)
    yield 0.5
    end = time.monotonic() + 60
    while inside.module("submitting").Run.current is not None and time.monotonic() < end:
        yield 0.05
    answers.append(
        {
            "asked": sorted(asked),
            "before": before,
            "was_dirty": was_dirty,
            "is_dirty": bpy.data.is_dirty,
            **inside.state(),
        }
    )


def story():
    """What the artist does."""
    yield from artist.show_panel()
    yield from artist.connect()
    inside.choose(**inside.ARGUMENTS.get("settings", {}))
    bpy.context.scene.flamenco_job_submit_as_paused = True
    bpy.ops.wm.save_mainfile()
    inside.preferences().save_mode = "ASK"
    # Nothing has changed, so there is nothing to ask.
    yield from submission(None)
    change("copied once")
    yield from submission("ESC")
    # The letters that Blender underlines.
    yield from submission("A")
    yield from submission("S")
    inside.done(answers=answers)


artist.play(story)
