# SPDX-License-Identifier: GPL-3.0-or-later
"""Run inside Blender with a scene open: prints, as JSON, which of the files that it uses are there."""

import json

import bpy

found = {}
for image in bpy.data.images:
    if image.source in {"FILE", "SEQUENCE"}:
        path = bpy.path.abspath(image.filepath, library=image.library)
        # Reading a pixel makes Blender load the file; a sequence would have to be on some frame for that.
        image.source = "FILE"
        found[image.name] = {"path": path, "loads": bool(image.has_data or image.pixels[:1])}
for library in bpy.data.libraries:
    path = bpy.path.abspath(library.filepath)
    found[library.name] = {"path": path, "loads": True}
# In the place of an object that cannot be loaded Blender has an empty one.
thing = bpy.data.objects.get("thing")
found["thing"] = {"path": "", "loads": bool(thing and thing.data and len(thing.data.vertices) == 3)}
print("FOUND " + json.dumps(found))
