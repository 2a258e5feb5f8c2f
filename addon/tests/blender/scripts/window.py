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
    if found.type not in ("PROPERTIES", "PREFERENCES"):
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
    yield 0.5
    picture("ready")
    gaps.clear()
    start = time.monotonic()
    print(override(bpy.ops.flamenco.submit_job))
    answered = False
    pictured = set()
    while True:
        status = window_manager.flamenco_bat_status
        if not seen or seen[-1] != status:
            seen.append(status)
        if status == "MISSING_FILES" and not answered:
            yield 0.4
            picture("missing")
            answered = True
            override(bpy.ops.flamenco.answer_missing_files, submit=True)
        if status == "TRANSFERRING" and "transferring" not in pictured and window_manager.flamenco_bat_progress > 20:
            pictured.add("transferring")
            yield 0.2
            picture("transferring")
            if ARGUMENTS.get("abort"):
                override(bpy.ops.flamenco.abort)
        if status in ("DONE", "FAILED", "ABORTED"):
            break
        if time.monotonic() - start > 90:
            errors.append("took too long")
            break
        yield 0.02
    seconds = time.monotonic() - start
    longest = max(gaps)
    yield ARGUMENTS.get("watch", 0.5)
    picture("done")
    shown = area()
    shown.type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "Flamenco"
    sys.modules["flamenco"].bl_info["show_expanded"] = True
    yield 0.5
    picture("preferences")
    jobs = [[job.name, job.status] for job in window_manager.flamenco_jobs]
    inside.done(seen=seen, longest_gap=longest, seconds=seconds, jobs=jobs, errors=errors, **inside.state())


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
