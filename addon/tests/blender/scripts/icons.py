# SPDX-License-Identifier: GPL-3.0-or-later
"""Which symbols this Blender has; drawing one that it does not have is an error."""

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import inside

parameter = bpy.types.UILayout.bl_rna.functions["prop"].parameters["icon"]
inside.done(icons=parameter.enum_items.keys())
