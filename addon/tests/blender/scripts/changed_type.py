# SPDX-License-Identifier: GPL-3.0-or-later
"""Chooses a job type, waits until it has been changed, and submits twice."""

import sys
import time
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import inside

inside.connect()
bpy.ops.wm.open_mainfile(filepath=inside.ARGUMENTS["file"])
scene = bpy.context.scene
scene.flamenco_job_type = "change-me"
scene.flamenco_job_settings.message = "from the artist"
gate = Path(inside.ARGUMENTS["gate"])
gate.with_name(gate.name + ".ready").touch()
while not gate.exists():
    time.sleep(0.05)
results = [{"result": sorted(bpy.ops.flamenco.submit_job()), **inside.state()} for _ in range(2)]
inside.done(results=results)
