# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs the ZIP file, and switches the add-on on and off, with a manager that is not there."""

import json
import sys
import time
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import addon_utils
import inside


def leftovers():
    """What the add-on left behind in Blender."""
    found = [f"Scene.{name}" for name in dir(bpy.types.Scene) if "flamenco" in name]
    found += [f"WindowManager.{name}" for name in dir(bpy.types.WindowManager) if "flamenco" in name]
    found += [name for name in dir(bpy.types) if "flamenco" in name.lower()]
    for name in dir(bpy.app.handlers):
        handlers = getattr(bpy.app.handlers, name)
        if isinstance(handlers, list):
            found += [f"{name}: {entry}" for entry in handlers if "flamenco" in getattr(entry, "__module__", "")]
    return found


found = {"version": list(bpy.app.version)}
cache = Path(bpy.utils.user_resource("CONFIG")) / "flamenco-manager-info.json"
cache.parent.mkdir(parents=True, exist_ok=True)
inside.install()
contents = ["", "{", "[]", json.dumps({"flamenco_version": {"version": "3.8"}}), None]
for content in contents:
    bpy.ops.preferences.addon_disable(module=inside.MODULE)
    found.setdefault("leftovers", []).extend(leftovers())
    if content is None:
        cache.unlink()
    else:
        cache.write_text(content, encoding="utf-8")
    bpy.ops.preferences.addon_enable(module=inside.MODULE)
    assert bpy.context.scene.flamenco_job_settings is None
    assert bpy.context.scene.flamenco_job_type == "-"
start = time.monotonic()
inside.preferences().connect_timeout = 1
inside.preferences().manager_url = inside.ARGUMENTS["url"]
found["ping"] = bpy.context.window_manager.flamenco_status_ping
found["result"] = sorted(bpy.ops.flamenco.ping_manager())
found["seconds"] = time.monotonic() - start
found["can_submit"] = bpy.ops.flamenco.submit_job.poll()
found["tracer"] = inside.module("loader").asset_tracer("pack").__file__
if inside.ARGUMENTS.get("extension"):
    found["warnings"] = addon_utils._extensions_warnings_get().get(inside.MODULE, [])
found["module"] = sys.modules[inside.MODULE].__file__
inside.done(**found)
