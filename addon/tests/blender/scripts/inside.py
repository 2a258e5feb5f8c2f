# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scripts that run in Blender share."""

import json
import os
import sys
from pathlib import Path

import bpy

HOME = Path(sys.argv[sys.argv.index("--") + 1])
ARGUMENTS = json.loads((HOME / "arguments.json").read_text(encoding="utf-8"))
#: Where Blender puts extensions that come from a file.
REPOSITORY = "user_default"
MODULE = f"bl_ext.{REPOSITORY}.flamenco" if ARGUMENTS.get("extension") else "flamenco"


def install():
    """Installs the ZIP file the first time, as an extension if wanted, and enables the add-on."""
    if not ARGUMENTS.get("extension"):
        if not (Path(bpy.utils.user_resource("SCRIPTS")) / "addons" / MODULE).exists():
            bpy.ops.preferences.addon_install(filepath=ARGUMENTS["zip"], overwrite=True)
    elif not (Path(bpy.utils.user_resource("EXTENSIONS")) / REPOSITORY / "flamenco").exists():
        bpy.ops.extensions.package_install_files(filepath=ARGUMENTS["zip"], repo=REPOSITORY, enable_on_install=False)
    bpy.ops.preferences.addon_enable(module=MODULE)
    return preferences()


def module(name):
    """A module of the add-on."""
    return sys.modules[f"{MODULE}.{name}"]


def preferences():
    return bpy.context.preferences.addons[MODULE].preferences


def connect():
    """Installs the add-on and points it to the manager, which refreshes."""
    wanted = install()
    wanted.manager_url = ARGUMENTS["url"]
    for name, value in ARGUMENTS.get("preferences", {}).items():
        setattr(wanted, name, value)
    return wanted


def state():
    """What the panel would show."""
    window_manager = bpy.context.window_manager
    names = (
        "flamenco_bat_status",
        "flamenco_bat_status_txt",
        "flamenco_bat_progress",
        "flamenco_can_abort",
        "flamenco_version_mismatch",
        "flamenco_status_ping",
        "flamenco_last_job_id",
        "flamenco_last_job_url",
    )
    return {name.removeprefix("flamenco_"): getattr(window_manager, name) for name in names}


def choose(**settings):
    """Sets up the scene for the built-in job type."""
    scene = bpy.context.scene
    scene.flamenco_job_type = "simple-blender-render"
    group = scene.flamenco_job_settings
    group.render_output_root = ARGUMENTS["renders"]
    for key, value in settings.items():
        setattr(group, key, value)
    return group


def done(**found):
    """Hands over what was found out."""
    (HOME / "result.json").write_text(json.dumps(found, default=str), encoding="utf-8")
    if bpy.app.version[:2] == (4, 2):
        # The bpy module of this version crashes at its end when any class of Python's was registered.
        sys.stdout.flush()
        os._exit(0)
