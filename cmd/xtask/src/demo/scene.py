# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the blend file of the demo: a ring of coloured solids that turns and bounces.

blender -b --factory-startup --python-exit-code 1 -P scene.py -- OUT.blend [--frames N] [--samples N] [--size WxH]
"""

import argparse
import colorsys
import math
import sys

import bpy

SOLIDS = 8
RING_RADIUS = 3.1
FRAMES_PER_SECOND = 24


def arguments():
    parser = argparse.ArgumentParser(prog="scene.py")
    parser.add_argument("blendfile")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--size", default="320x180")
    return parser.parse_args(sys.argv[sys.argv.index("--") + 1 :])


def material(name, colour, metallic=0.0, roughness=0.35):
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    shader = made.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Metallic"].default_value = metallic
    shader.inputs["Roughness"].default_value = roughness
    return made


def linear(thing):
    """Even movement, so that neighbouring frames always differ, the first and the last two as well."""
    for curve in thing.animation_data.action.fcurves:
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"


def add_solid(index, frames, ring):
    angle = 2 * math.pi * index / SOLIDS
    place = (RING_RADIUS * math.cos(angle), RING_RADIUS * math.sin(angle), 0.75)
    makers = (
        lambda: bpy.ops.mesh.primitive_ico_sphere_add(subdivisions=4, radius=0.72, location=place),
        lambda: bpy.ops.mesh.primitive_cube_add(size=1.15, location=place),
        lambda: bpy.ops.mesh.primitive_torus_add(major_radius=0.62, minor_radius=0.24, location=place),
        lambda: bpy.ops.mesh.primitive_cone_add(radius1=0.75, depth=1.4, vertices=48, location=place),
    )
    makers[index % len(makers)]()
    solid = bpy.context.object
    if index % len(makers) in (0, 2):
        bpy.ops.object.shade_smooth()
    colour = colorsys.hsv_to_rgb(index / SOLIDS, 0.78, 0.85)
    solid.data.materials.append(material(f"colour {index}", colour))
    solid.parent = ring
    # A wave runs around the ring while each solid spins.
    for frame in range(1, frames + 1):
        turn = 2 * math.pi * (frame - 1) / frames
        solid.location.z = 1.0 + 0.55 * math.sin(turn + 2 * angle)
        solid.rotation_euler = (turn / 2, turn / 3, turn)
        solid.keyframe_insert("location", index=2, frame=frame)
        solid.keyframe_insert("rotation_euler", frame=frame)
    linear(solid)


def build(frames):
    bpy.ops.object.empty_add(location=(0, 0, 0))
    ring = bpy.context.object
    ring.keyframe_insert("rotation_euler", frame=1)
    ring.rotation_euler.z = math.radians(70)
    ring.keyframe_insert("rotation_euler", frame=max(frames, 2))
    linear(ring)
    for index in range(SOLIDS):
        add_solid(index, frames, ring)

    bpy.ops.mesh.primitive_uv_sphere_add(segments=64, ring_count=32, radius=1.15, location=(0, 0, 1.35))
    bpy.ops.object.shade_smooth()
    bpy.context.object.data.materials.append(material("mirror", (0.95, 0.93, 0.9), metallic=1.0, roughness=0.08))
    bpy.ops.mesh.primitive_plane_add(size=80)
    bpy.context.object.data.materials.append(material("floor", (0.09, 0.1, 0.14), roughness=0.5))

    bpy.ops.object.light_add(type="SUN", rotation=(math.radians(40), math.radians(12), math.radians(35)))
    bpy.context.object.data.energy = 3.2
    bpy.context.object.data.angle = math.radians(1)
    world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.16, 0.24, 0.42, 1.0)
    bpy.context.scene.world = world

    bpy.ops.object.camera_add(location=(0, -11.2, 6.0), rotation=(math.radians(64), 0, 0))
    bpy.context.object.data.lens = 42
    bpy.context.scene.camera = bpy.context.object


def configure(frames, samples, size):
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 1, frames
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = samples
    scene.cycles.use_adaptive_sampling = False
    # Debian's Blender is built without the denoiser, and fails when asked for it.
    scene.cycles.use_denoising = False
    scene.cycles.max_bounces = 3
    scene.render.resolution_x, scene.render.resolution_y = (int(part) for part in size.split("x"))
    scene.render.resolution_percentage = 100
    scene.render.fps = FRAMES_PER_SECOND
    scene.render.image_settings.file_format = "PNG"
    scene.render.use_persistent_data = True


def main():
    wanted = arguments()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    configure(wanted.frames, wanted.samples, wanted.size)
    build(wanted.frames)
    bpy.ops.wm.save_as_mainfile(filepath=wanted.blendfile, compress=True)


main()
