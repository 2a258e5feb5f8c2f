# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays an artist who works in a window of Blender: a story goes on while Blender draws and reacts."""

import contextlib
import sys
import time
import traceback
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import inside

#: A moment that people notice, in seconds.
TICK = 0.01

#: For how long the window did not react, each time, in seconds.
gaps = []


class clock:
    """When the story goes on."""

    steps = None
    wake = 0.0
    last = 0.0
    queued = 0.0
    skip = False


def queued():
    """For how long this thread could have run, but other programs had the processors, in seconds."""
    return int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1]) / 1e9


def window():
    return bpy.context.window_manager.windows[0]


def area():
    """The largest area of the window, which is turned into the output properties."""
    found = max(window().screen.areas, key=lambda area: area.width * area.height)
    if found.type not in ("PROPERTIES", "PREFERENCES", "IMAGE_EDITOR"):
        found.type = "PROPERTIES"
    return found


def override(operator, **arguments):
    """What pressing a button does."""
    with bpy.context.temp_override(window=window(), area=area()):
        return operator("INVOKE_DEFAULT", **arguments)


def press(key):
    """Needs `--enable-event-simulate`."""
    for value in ("PRESS", "RELEASE"):
        window().event_simulate(type=key, value=value, x=window().width // 2, y=window().height // 2)


def picture(name):
    """Takes a picture of the panel; the time that this takes does not count."""
    clock.skip = True
    target = inside.HOME / f"{name}.png"
    place = {"window": window(), "area": area(), "region": area().regions[-1]}
    with standstill(), bpy.context.temp_override(**place):
        bpy.ops.screen.screenshot_area(filepath=str(target))


@contextlib.contextmanager
def standstill():
    """The threads of a submission wait at their next step.

    While an operator that a script calls with another context draws, Blender before Python 3.13 uses Python without
    its lock, and crashes when another thread does at the same time.
    """
    run = inside.module("submitting").Run.current
    if run is None:
        yield
        return
    with run.progress._lock:
        time.sleep(0.1)
        yield


def only_ours():
    """Other panels would be above ours."""
    for panel in list(bpy.types.Panel.__subclasses__()):
        is_output = getattr(panel, "bl_context", "") == "output" and panel.__module__.startswith("bl_ui.")
        if is_output and hasattr(bpy.types, panel.__name__):
            bpy.utils.unregister_class(panel)


def play(story):
    """Installs the add-on, opens the file, and plays the story; each `yield` gives Blender time, in seconds."""

    def tick():
        now = time.monotonic()
        if clock.last:
            gaps.append(now - clock.last - (queued() - clock.queued))
        try:
            if clock.steps is None:
                clock.steps = story()
            if now >= clock.wake:
                clock.wake = now + next(clock.steps)
        except StopIteration:
            bpy.ops.wm.quit_blender()
            return None
        except Exception:
            inside.done(errors=[traceback.format_exc()])
            bpy.ops.wm.quit_blender()
            return None
        clock.last = 0.0 if clock.skip else time.monotonic()
        clock.queued = queued()
        clock.skip = False
        return TICK

    inside.install()
    bpy.ops.wm.open_mainfile(filepath=inside.ARGUMENTS["file"])
    bpy.app.timers.register(tick, first_interval=1.0, persistent=True)


def show_panel():
    """Shows the panel, and nothing else."""
    only_ours()
    area()
    # The tabs are known once they were drawn.
    yield 0.5
    area().spaces.active.context = "OUTPUT"
    yield 0.5


def connect():
    """Types the address of the manager, and waits for its answer."""
    inside.preferences().manager_url = inside.ARGUMENTS["url"]
    end = time.monotonic() + 20
    while "found" not in bpy.context.window_manager.flamenco_status_ping and time.monotonic() < end:
        yield 0.05
