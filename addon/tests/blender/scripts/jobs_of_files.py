# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the list of jobs while the file is saved under another name, opened, and the manager changed."""

import socket
import sys
import time
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import artist
import inside

ARGUMENTS = inside.ARGUMENTS
found = {}


def listed():
    """The jobs that can be cancelled in the panel."""
    jobs = inside.module("job_operators")
    return [job.name for job in bpy.context.window_manager.flamenco_jobs] if jobs.is_current() else []


def until_listed():
    end = time.monotonic() + 20
    while not listed() and time.monotonic() < end:
        # Somebody looks at it.
        artist.area().tag_redraw()
        yield 0.05


def story():
    """What the artist does."""
    first, second = ARGUMENTS["file"], ARGUMENTS["second"]
    yield from artist.show_panel()
    yield from artist.connect()
    inside.choose()
    bpy.context.scene.flamenco_job_submit_as_paused = True
    artist.override(bpy.ops.flamenco.submit_job, missing_files="SUBMIT", job_name="of the first")
    yield from until_listed()
    found["at first"] = listed()

    bpy.ops.wm.save_as_mainfile(filepath=second)
    found["right after saving under another name"] = listed()
    yield 2.0
    found["later"] = [job.name for job in bpy.context.window_manager.flamenco_jobs]

    bpy.ops.wm.open_mainfile(filepath=first)
    yield from until_listed()
    found["opened again"] = listed()
    inside.module("job_operators").start(search=True)
    bpy.ops.wm.open_mainfile(filepath=second)
    yield 2.0
    found["an answer for another file"] = [job.name for job in bpy.context.window_manager.flamenco_jobs]

    bpy.ops.wm.open_mainfile(filepath=first)
    yield from until_listed()
    found["and again"] = listed()
    job_id = bpy.context.window_manager.flamenco_jobs[0].job_id
    start = time.monotonic()
    found["frames"] = sorted(artist.override(bpy.ops.flamenco.load_frames, job_id=job_id))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        inside.preferences().manager_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with bpy.context.temp_override(window=artist.window(), area=artist.area()):
            bpy.ops.flamenco.cancel_job("EXEC_DEFAULT", job_id=job_id)
        found["seconds"] = time.monotonic() - start
        found["another manager"] = listed()
        yield 2.0
        found["another manager, later"] = [job.name for job in bpy.context.window_manager.flamenco_jobs]
    inside.preferences().manager_url = ARGUMENTS["url"]
    yield from until_listed()
    with bpy.context.temp_override(window=artist.window(), area=artist.area()):
        bpy.ops.flamenco.cancel_job("EXEC_DEFAULT", job_id=job_id)
    end = time.monotonic() + 20
    while [job.status for job in bpy.context.window_manager.flamenco_jobs] != ["canceled"] and time.monotonic() < end:
        yield 0.05
    found["status"] = [job.status for job in bpy.context.window_manager.flamenco_jobs]
    found["note"] = bpy.context.window_manager.flamenco_jobs_note
    inside.done(**found)


artist.play(story)
