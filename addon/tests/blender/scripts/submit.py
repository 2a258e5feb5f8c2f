# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens a file and submits it once or several times."""

import sys
import threading
import time
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import inside

ARGUMENTS = inside.ARGUMENTS


def abort_in(phase, seen):
    """Presses the abort button, as soon as something is on its way in this phase."""
    Run = inside.module("submitting").Run
    end = time.monotonic() + 60
    while time.monotonic() < end:
        run = Run.current
        now = run.snapshot() if run else None
        if now and now.phase.value == phase and (phase != "TRANSFERRING" or now.done_bytes > 0):
            seen.append([now.phase.value, now.text, now.amount])
            run.cancel()
            return
        time.sleep(0.001)


def submit(options):
    seen = []
    phase = ARGUMENTS.get("abort_in")
    if phase:
        threading.Thread(target=abort_in, args=(phase, seen), daemon=True).start()
    # What is on the screen and not on the disk.
    if "mark" in options:
        scene["mark"] = f"<{options.pop('mark')}>"
    for name, value in options.pop("preferences", {}).items():
        setattr(inside.preferences(), name, value)
    start = time.monotonic()
    result = bpy.ops.flamenco.submit_job(**options)
    return {
        "result": sorted(result),
        "seconds": time.monotonic() - start,
        "seen": seen,
        "module": inside.MODULE,
        **inside.state(),
    }


inside.connect()
if "version" in ARGUMENTS:
    inside.module("version").VERSION = tuple(ARGUMENTS["version"])
bpy.ops.wm.open_mainfile(filepath=ARGUMENTS["file"])
scene = bpy.context.scene
group = inside.choose(**ARGUMENTS.get("settings", {}))
for name, value in ARGUMENTS.get("scene", {}).items():
    setattr(scene, name, value)
results = [submit(options) for options in ARGUMENTS.get("submissions", [{}])]
inside.done(results=results, name=scene.flamenco_job_name, output_path=group.render_output_path)
