# SPDX-License-Identifier: GPL-3.0-or-later
"""Submits from a window, as an artist does, and looks at the panel meanwhile.

Needs a screen. What is measured is how long the window did not react.
"""

import sys
import time
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import inside

ARGUMENTS = inside.ARGUMENTS
#: A moment that people notice, in seconds.
TICK = 0.01

seen = []
gaps = []
errors = []


class clock:
    """When the story goes on."""

    steps = None
    wake = 0.0
    last = 0.0
    skip = False


def area():
    """The largest area of the window, which is turned into the output properties."""
    found = max(bpy.context.window_manager.windows[0].screen.areas, key=lambda area: area.width * area.height)
    if found.type not in ("PROPERTIES", "PREFERENCES", "IMAGE_EDITOR"):
        found.type = "PROPERTIES"
    return found


def override(operator, **arguments):
    window = bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=window, area=area()):
        return operator("INVOKE_DEFAULT", **arguments)


def picture(name):
    """Takes a picture of the panel; the time that this takes does not count."""
    clock.skip = True
    target = inside.HOME / f"{name}.png"
    window = bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=window, area=area(), region=area().regions[-1]):
        bpy.ops.screen.screenshot_area(filepath=str(target))


def only_ours():
    """Other panels would be above ours."""
    for panel in list(bpy.types.Panel.__subclasses__()):
        is_output = getattr(panel, "bl_context", "") == "output" and panel.__module__.startswith("bl_ui.")
        if is_output and hasattr(bpy.types, panel.__name__):
            bpy.utils.unregister_class(panel)


def submission(phases, abort):
    """Submits, and answers what is asked."""
    window_manager = bpy.context.window_manager
    start = time.monotonic()
    override(bpy.ops.flamenco.submit_job)
    is_answered = is_pictured = False
    while time.monotonic() - start < 90:
        status = window_manager.flamenco_bat_status
        if not phases or phases[-1] != status:
            phases.append(status)
        if status == "MISSING_FILES" and not is_answered:
            yield 0.4
            picture("missing")
            is_answered = True
            override(bpy.ops.flamenco.answer_missing_files, submit=True)
        if status == "TRANSFERRING" and not is_pictured and window_manager.flamenco_bat_progress > 20:
            is_pictured = True
            picture("transferring")
            if abort:
                override(bpy.ops.flamenco.abort)
        if status in ("DONE", "FAILED", "ABORTED") and len(phases) > 1:
            return
        yield 0.02
    errors.append("took too long")


def story():
    """What the artist does; each `yield` gives Blender the time to do it, in seconds."""
    window_manager = bpy.context.window_manager
    only_ours()
    area()
    # The tabs are known once they were drawn.
    yield 0.5
    area().spaces.active.context = "OUTPUT"
    yield 0.5
    picture("offline")
    inside.preferences().manager_url = ARGUMENTS["url"]
    end = time.monotonic() + 20
    while "found" not in window_manager.flamenco_status_ping and time.monotonic() < end:
        yield 0.05
    inside.choose(**ARGUMENTS.get("settings", {}))
    for name, value in ARGUMENTS.get("scene", {}).items():
        setattr(bpy.context.scene, name, value)
    yield 0.5
    picture("ready")
    gaps.clear()
    for abort in ARGUMENTS["aborts"]:
        phases = []
        seen.append(phases)
        yield from submission(phases, abort)
    longest = max(gaps)
    start = time.monotonic()
    # The list keeps itself up to date as long as it is looked at.
    while [job.status for job in window_manager.flamenco_jobs] != ["completed"] and time.monotonic() - start < 60:
        yield 0.1
    picture("done")
    shown = area()
    shown.type = "IMAGE_EDITOR"
    override(bpy.ops.flamenco.load_frames, job_id=window_manager.flamenco_last_job_id)
    editor = shown.spaces.active
    frames = [editor.image.source, editor.image_user.frame_start, editor.image_user.frame_duration]
    yield 0.5
    picture("frames")
    shown.type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "Flamenco"
    bpy.ops.preferences.addon_expand(module="flamenco")
    yield 0.5
    picture("preferences")
    jobs = [[job.name, job.status] for job in window_manager.flamenco_jobs]
    inside.done(seen=seen, longest_gap=longest, jobs=jobs, frames=frames, errors=errors, **inside.state())


def tick():
    """Runs the story, and notices when Blender was busy with something else."""
    now = time.monotonic()
    if clock.last:
        gaps.append(now - clock.last)
    try:
        if clock.steps is None:
            clock.steps = story()
        if now >= clock.wake:
            clock.wake = now + next(clock.steps)
    except StopIteration:
        bpy.ops.wm.quit_blender()
        return None
    except Exception:
        import traceback

        inside.done(errors=[traceback.format_exc()])
        bpy.ops.wm.quit_blender()
        return None
    clock.last = 0.0 if clock.skip else time.monotonic()
    clock.skip = False
    return TICK


inside.install()
bpy.ops.wm.open_mainfile(filepath=ARGUMENTS["file"])
bpy.app.timers.register(tick, first_interval=1.0, persistent=True)
