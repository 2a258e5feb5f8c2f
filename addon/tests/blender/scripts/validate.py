# SPDX-License-Identifier: GPL-3.0-or-later
"""Has Blender's own tool look at the manifest; it is stricter than the installation of a file."""

import subprocess
import sys
from pathlib import Path

import bpy  # noqa: F401  As a module, it finds its scripts only when it is imported first.

sys.path.insert(0, str(Path(__file__).parent))
import addon_utils
import inside

folders = [Path(folder) for folder in addon_utils.paths()]
tool = next(path for folder in folders for path in folder.glob("bl_pkg/cli/blender_ext.py"))
done = subprocess.run(
    [sys.executable, str(tool), "validate", inside.ARGUMENTS["zip"]], capture_output=True, text=True, check=False
)
inside.done(code=done.returncode, said=done.stdout + done.stderr)
