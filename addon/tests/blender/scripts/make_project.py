# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a project with a linked library, textures, an image sequence, a missing texture, and names that are hard.

What is rendered are flat colours side by side, from left to right: the texture, the image sequence, the library's
object with its own texture, and the texture from outside of the project.
"""

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import inside

ROOT = Path(inside.ARGUMENTS["root"])
PROJECT = ROOT / "Größe & Maß"
FRAMES = 3


def paint(path, colour):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = bpy.data.images.new(path.name, 8, 8)
    image.colorspace_settings.name = "Non-Color"
    image.pixels = [*colour, 1.0] * 64
    image.filepath_raw = str(path)
    image.file_format = "PNG"
    image.save()
    bpy.data.images.remove(image)


def relative(path, blendfile):
    """As Blender writes it; `bpy.path.relpath` needs the file to be open."""
    import os

    return "//" + os.path.relpath(path, blendfile.parent)


def plane(name, x, image):
    bpy.ops.mesh.primitive_plane_add(size=1, location=(x, 0, 0))
    made = bpy.context.object
    made.name = name
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    texture, emission = nodes.new("ShaderNodeTexImage"), nodes.new("ShaderNodeEmission")
    texture.image = image
    links.new(texture.outputs["Color"], emission.inputs["Color"])
    links.new(emission.outputs[0], nodes.new("ShaderNodeOutputMaterial").inputs["Surface"])
    made.data.materials.append(material)
    return texture


def load(path, blendfile):
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    image.filepath = relative(path, blendfile)
    return image


def make_library(path):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    texture = path.parent / "tex" / "Stoff 青.png"
    paint(texture, (0.0, 0.0, 1.0))
    plane("Requisite", 1, load(texture, path))
    bpy.ops.wm.save_as_mainfile(filepath=str(path))


def make_shot(path, library):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    red = PROJECT / "maps" / "rot é.png"
    paint(red, (1.0, 0.0, 0.0))
    plane("texture", -1, load(red, path))
    for number in range(1, FRAMES + 1):
        paint(PROJECT / "maps" / "seq" / f"wave_{number:04d}.png", (0.0, number / 4, 0.0))
    sequence = load(PROJECT / "maps" / "seq" / "wave_0001.png", path)
    sequence.source = "SEQUENCE"
    user = plane("sequence", 0, sequence).image_user
    user.frame_duration, user.frame_start, user.frame_offset, user.use_auto_refresh = FRAMES, 1, 0, True
    add_tiles(path)
    outside = ROOT / "outside of it" / "weiß.png"
    paint(outside, (1.0, 1.0, 0.0))
    plane("outside", 2, load(outside, path))
    missing = PROJECT / "maps" / "fehlt.png"
    paint(missing, (1.0, 1.0, 1.0))
    plane("missing", 50, load(missing, path))
    missing.unlink()
    with bpy.data.libraries.load(str(library), link=True, relative=False) as (_, wanted):
        wanted.objects = ["Requisite"]
    scene.collection.objects.link(bpy.data.objects["Requisite"])
    bpy.data.libraries[0].filepath = relative(library, path)
    configure(scene)
    path.parent.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(path), relative_remap=False)


def add_tiles(blendfile):
    """A texture in several files, which belong together by their names."""
    folder = PROJECT / "maps"
    for tile in (1001, 1002):
        paint(folder / f"skin.{tile}.png", (tile % 10 / 4, 0.5, 0.5))
    skin = load(folder / "skin.1001.png", blendfile)
    skin.source = "TILED"
    skin.filepath = relative(folder / "skin.<UDIM>.png", blendfile)
    skin.use_fake_user = True


def configure(scene):
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.data.type = "ORTHO"
    camera.data.ortho_scale = 4
    camera.location = (0.5, 0, 5)
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = 1
    # Debian's Blender is built without the denoiser, and fails when asked for it.
    scene.cycles.use_denoising = False
    scene.view_settings.view_transform = "Raw"
    scene.render.resolution_x, scene.render.resolution_y = 64, 16
    scene.render.image_settings.file_format = "PNG"
    scene.frame_start, scene.frame_end = 1, FRAMES


shot = PROJECT / "scènes" / "shot 010 ñ.blend"
library = PROJECT / "lib" / "プロップ.blend"
library.parent.mkdir(parents=True)
(PROJECT / ".blender_project").mkdir()
make_library(library)
make_shot(shot, library)
inside.done(shot=str(shot), project=str(PROJECT))
