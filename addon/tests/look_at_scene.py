# SPDX-License-Identifier: GPL-3.0-or-later
"""Run inside Blender with a scene open: prints, as JSON, which of the files that it uses are there."""

import json

import bpy

found = {}
for image in bpy.data.images:
    if image.source in {"FILE", "SEQUENCE"}:
        path = bpy.path.abspath(image.filepath, library=image.library)
        # Reading a pixel makes Blender load the file.
        found[image.name] = {"path": path, "loads": bool(image.has_data or image.pixels[:1])}
for library in bpy.data.libraries:
    path = bpy.path.abspath(library.filepath)
    found[library.name] = {"path": path, "loads": not library.is_missing if hasattr(library, "is_missing") else True}
found["thing"] = {"path": "", "loads": "thing" in bpy.data.objects and not bpy.data.objects["thing"].is_missing}
print("FOUND " + json.dumps(found))
