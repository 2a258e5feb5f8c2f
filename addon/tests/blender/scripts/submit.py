# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens a file and submits it once or several times."""

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import inside

inside.connect()
bpy.ops.wm.open_mainfile(filepath=inside.ARGUMENTS["file"])
group = inside.choose(**inside.ARGUMENTS.get("settings", {}))
scene = bpy.context.scene
for name, value in inside.ARGUMENTS.get("scene", {}).items():
    setattr(scene, name, value)
if inside.ARGUMENTS.get("dirty"):
    scene.render.resolution_y = 18
    # A script's changes do not count as such by themselves.
    bpy.ops.ed.undo_push() if not bpy.app.background else None
results = []
for options in inside.ARGUMENTS.get("submissions", [{}]):
    result = bpy.ops.flamenco.submit_job(**options)
    results.append({"result": sorted(result), **inside.state()})
inside.done(results=results, name=scene.flamenco_job_name, output_path=group.render_output_path)
