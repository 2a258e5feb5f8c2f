# SPDX-License-Identifier: GPL-3.0-or-later
"""Chooses one job type after the other."""

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import inside


def values(*names):
    group = bpy.context.scene.flamenco_job_settings
    return {name: getattr(group, name) for name in names}


inside.connect()
bpy.ops.wm.save_as_mainfile(filepath=inside.ARGUMENTS["file"])
scene = bpy.context.scene
scene.flamenco_job_type = "every-kind"
for name, value in {"text": "mine", "number": 7, "flavour": "salt", "autoeval_linked": False}.items():
    setattr(scene.flamenco_job_settings, name, value)
scene.flamenco_job_type = "other-kind"
found = {"carried": values("text", "number", "ratio", "flavour", "autoeval_linked")}
scene.flamenco_job_type = "every-kind"
found["back"] = values("text", "number", "flavour")

scene.flamenco_job_type = "broken-kind"
items = inside.module("properties")._job_type_items(scene, None)
found["broken"] = next([label, reason] for name, label, reason, _ in items if name == scene.flamenco_job_type)
found["why"] = inside.module("settings").why_broken(scene)
found["can_submit"] = bpy.ops.flamenco.submit_job.poll()
inside.done(**found)
