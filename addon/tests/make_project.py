# SPDX-License-Identifier: GPL-3.0-or-later
"""Run inside Blender: makes a project whose scene uses files in every way that packing has to deal with.

Argument after `--`: the folder to make it in.
"""

import sys
from pathlib import Path

import bpy

top = Path(sys.argv[sys.argv.index("--") + 1])
project, outside = top / "project", top / "outside project"
for folder in (project / "tex", project / "lib", project / "shots", outside / "málning"):
    folder.mkdir(parents=True)


def picture(path, color):
    """A small picture of one colour, saved as a file."""
    image = bpy.data.images.new(path.stem, 16, 16)
    image.generated_color = (*color, 1.0)
    image.filepath_raw, image.file_format = str(path), "PNG"
    image.save()
    bpy.data.images.remove(image)


def use(name, path, source="FILE", **settings):
    """A material with a picture, referenced relative to the file that will be saved."""
    image = bpy.data.images.load(str(path))
    image.name, image.source = name, source
    material = bpy.data.materials.new(name)
    material.use_nodes, material.use_fake_user = True, True
    node = material.node_tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    for key, value in settings.items():
        setattr(node.image_user, key, value)
    return material


def save(path):
    """Saves with relative paths."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.file.make_paths_relative()
    bpy.ops.wm.save_as_mainfile(filepath=str(path))


def empty():
    bpy.ops.wm.read_factory_settings(use_empty=True)


empty()
picture(project / "tex/wood.png", (0.4, 0.2, 0.1))
picture(project / "lib/of the library.png", (0.1, 0.9, 0.1))
picture(outside / "málning/Ránið 1.png", (0.2, 0.3, 0.9))
for number in range(1, 4):
    picture(project / f"tex/sequence-{number:03}.png", (number / 4, 0.0, 0.0))
(project / "tex/same as wood.png").write_bytes((project / "tex/wood.png").read_bytes())

empty()
material = use("library", project / "lib/of the library.png")
mesh = bpy.data.meshes.new("thing")
mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
mesh.materials.append(material)
bpy.data.collections.new("Asset").objects.link(bpy.data.objects.new("thing", mesh))
bpy.data.collections["Asset"].use_fake_user = True
save(project / "lib/asset.blend")

empty()
save(project / "shots/scene.blend")
with bpy.data.libraries.load(str(project / "lib/asset.blend"), link=True) as (_, wanted):
    wanted.collections = ["Asset"]
holder = bpy.data.objects.new("instance", None)
holder.instance_type, holder.instance_collection = "COLLECTION", wanted.collections[0]
scene = bpy.context.scene
scene.collection.objects.link(holder)
use("wood", project / "tex/wood.png")
use("copy", project / "tex/same as wood.png")
use("sequence", project / "tex/sequence-001.png", "SEQUENCE", frame_duration=3)
use("outside", outside / "málning/Ránið 1.png")
camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
scene.collection.objects.link(camera)
scene.camera = camera
save(project / "shots/scene.blend")
