# SPDX-License-Identifier: GPL-3.0-or-later
"""Submits from a window, as an artist does, and looks at the panel meanwhile.

Needs a screen. What is measured is how long the window did not react.
"""

import sys
import time
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import artist
import inside

ARGUMENTS = inside.ARGUMENTS

seen = []
errors = []


def submission(phases, abort):
    """Submits, and answers what is asked."""
    window_manager = bpy.context.window_manager
    start = time.monotonic()
    artist.override(bpy.ops.flamenco.submit_job)
    is_answered = is_pictured = False
    while time.monotonic() - start < 90:
        status = window_manager.flamenco_bat_status
        if not phases or phases[-1] != status:
            phases.append(status)
        if status == "MISSING_FILES" and not is_answered:
            yield 0.4
            artist.picture("missing")
            is_answered = True
            artist.override(bpy.ops.flamenco.answer_missing_files, submit=True)
        if status == "TRANSFERRING" and not is_pictured and window_manager.flamenco_bat_progress > 20:
            is_pictured = True
            artist.picture("transferring")
            if abort:
                artist.override(bpy.ops.flamenco.abort)
        if status in ("DONE", "FAILED", "ABORTED") and len(phases) > 1:
            return
        yield 0.02
    errors.append("took too long")


def story():
    """What the artist does."""
    window_manager = bpy.context.window_manager
    yield from artist.show_panel()
    artist.picture("offline")
    yield from artist.connect()
    inside.choose(**ARGUMENTS.get("settings", {}))
    for name, value in ARGUMENTS.get("scene", {}).items():
        setattr(bpy.context.scene, name, value)
    yield 0.5
    artist.picture("ready")
    artist.gaps.clear()
    for abort in ARGUMENTS["aborts"]:
        phases = []
        seen.append(phases)
        yield from submission(phases, abort)
    longest = max(artist.gaps)
    start = time.monotonic()
    # The list keeps itself up to date as long as it is looked at.
    while [job.status for job in window_manager.flamenco_jobs] != ["completed"] and time.monotonic() - start < 60:
        yield 0.1
    artist.picture("done")
    shown = artist.area()
    shown.type = "IMAGE_EDITOR"
    artist.override(bpy.ops.flamenco.load_frames, job_id=window_manager.flamenco_last_job_id)
    editor = shown.spaces.active
    start = time.monotonic()
    while editor.image is None and time.monotonic() - start < 20:
        yield 0.05
    frames = [editor.image.source, editor.image_user.frame_start, editor.image_user.frame_duration]
    yield 0.5
    artist.picture("frames")
    shown.type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "Flamenco"
    bpy.ops.preferences.addon_expand(module=inside.MODULE)
    yield 0.5
    artist.picture("preferences")
    jobs = [[job.name, job.status] for job in window_manager.flamenco_jobs]
    inside.done(seen=seen, longest_gap=longest, jobs=jobs, frames=frames, errors=errors, **inside.state())


artist.play(story)
