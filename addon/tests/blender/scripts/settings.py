# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets every kind of setting, saves, loads, and looks what is left; with and without the job type."""

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import inside

inside.connect()
file = inside.ARGUMENTS["file"]
step = inside.ARGUMENTS["step"]
found = {}


def values():
    scene = bpy.context.scene
    group = scene.flamenco_job_settings
    names = inside.ARGUMENTS["names"]
    return {name: getattr(group, name) for name in names} if group else None


def describe():
    """What Blender knows of the properties."""
    group = bpy.context.scene.flamenco_job_settings
    described = {}
    for name, prop in group.bl_rna.properties.items():
        if name in inside.ARGUMENTS["names"]:
            items = [item.identifier for item in prop.enum_items] if prop.type == "ENUM" else []
            described[name] = [prop.type, prop.subtype, prop.name, prop.description, prop.is_readonly, items]
    return described


if step == "set":
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module="flamenco")
    inside.connect()
    bpy.ops.wm.save_as_mainfile(filepath=file)
    scene = bpy.context.scene
    scene.flamenco_job_type = "every-kind"
    found["before"] = values()
    found["described"] = describe()
    for name, value in inside.ARGUMENTS["set"].items():
        setattr(scene.flamenco_job_settings, name, value)
    # Another scene has another job type and other values.
    other = bpy.data.scenes.new("other")
    other.flamenco_job_type = "simple-blender-render"
    other.flamenco_job_settings.chunk_size = 7
    found["keys"] = [bpy.ops.flamenco.eval_setting(setting_key="evaluated", setting_eval="1/0") == {"CANCELLED"}]
    bpy.ops.wm.save_mainfile()
else:
    bpy.ops.wm.open_mainfile(filepath=file)
    scene = bpy.context.scene
    found["job_type"] = scene.flamenco_job_type
    found["label"] = next(
        (
            name
            for key, name, _, _ in inside.module("properties")._job_type_items(scene, None)
            if key == scene.flamenco_job_type
        ),
        None,
    )
    found["job_name"] = scene.flamenco_job_name
    found["other"] = bpy.data.scenes["other"].flamenco_job_settings.chunk_size
    if step == "save":
        scene.flamenco_job_priority = 61
        bpy.ops.wm.save_mainfile()
    if step == "submit":
        found["result"] = sorted(bpy.ops.flamenco.submit_job())
        found.update(inside.state())
found["after"] = values()
inside.done(**found)
