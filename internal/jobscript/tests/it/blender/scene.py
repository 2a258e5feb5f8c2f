"""Makes a blend file for the tests. Arguments: the file, and settings as JSON."""

import json
import sys

import bpy

path, wanted = sys.argv[sys.argv.index("--") + 1 :]
wanted = json.loads(wanted)
scene = bpy.context.scene
render = scene.render


def compositor_tree():
    if hasattr(scene, "compositing_node_group"):
        scene.compositing_node_group = bpy.data.node_groups.new("Compositor", "CompositorNodeTree")
        return scene.compositing_node_group
    scene.use_nodes = True
    scene.node_tree.nodes.clear()
    return scene.node_tree


def ending(tree):
    if hasattr(scene, "compositing_node_group"):
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        return tree.nodes.new("NodeGroupOutput")
    return tree.nodes.new("CompositorNodeComposite")


def output_slots(node):
    return node.file_output_items if hasattr(node, "file_output_items") else node.file_slots


def pass_socket(layers, name):
    return next(output for output in layers.outputs if output.name == name)


def add_compositor(kind):
    """Effects that differ from pixel to pixel, so that shifted or stale input shows."""
    tree = compositor_tree()
    layers = tree.nodes.new("CompositorNodeRLayers")
    invert = tree.nodes.new("CompositorNodeInvert")
    link = tree.links.new
    link(layers.outputs["Image"], next(socket for socket in invert.inputs if socket.name == "Color"))
    result = invert.outputs["Color"]
    if kind == "depth":
        bpy.context.view_layer.use_pass_z = True
        normalize = tree.nodes.new("CompositorNodeNormalize")
        link(pass_socket(layers, "Depth"), normalize.inputs[0])
        result = normalize.outputs[0]
    elif kind == "blur":
        blur = tree.nodes.new("CompositorNodeBlur")
        if "Size" in blur.inputs and blur.inputs["Size"].type == "VECTOR":
            blur.inputs["Size"].default_value = (5, 5)
        else:
            blur.size_x = blur.size_y = 5
        link(result, blur.inputs["Image"])
        result = blur.outputs["Image"]
    if kind != "files":
        link(result, ending(tree).inputs[0])
    if kind in ("files", "both"):
        files = tree.nodes.new("CompositorNodeOutputFile")
        files.label = "Inverted / all"
        if hasattr(files, "file_output_items"):
            files.file_output_items.clear()
            files.file_output_items.new("RGBA", "Image")
            files.format.media_type = "IMAGE"
        files.format.file_format = "PNG"
        link(result, files.inputs[0])


render.engine = "CYCLES"
scene.cycles.device = "CPU"
scene.cycles.samples = 4
scene.cycles.use_denoising = False
scene.cycles.use_adaptive_sampling = False
render.resolution_x, render.resolution_y = wanted.get("size", (61, 43))
render.resolution_percentage = wanted.get("scale", 100)
render.film_transparent = wanted.get("transparent", False)
scene.frame_end = 4

# Each frame is another one.
cube = bpy.data.objects["Cube"]
cube.keyframe_insert("rotation_euler", frame=1)
cube.rotation_euler = (0.5, 1.0, 1.5)
cube.keyframe_insert("rotation_euler", frame=4)

settings = render.image_settings
name = wanted.get("format", "PNG")
if hasattr(settings, "media_type"):
    settings.media_type = "MULTI_LAYER_IMAGE" if name == "OPEN_EXR_MULTILAYER" else "IMAGE"
settings.file_format = name
if name != "OPEN_EXR_MULTILAYER":
    settings.color_mode = wanted.get("color", "RGBA")
settings.color_depth = wanted.get("depth", "8")

if "compositor" in wanted:
    add_compositor(wanted["compositor"])
render.use_compositing = wanted.get("use_compositing", True)
bpy.ops.wm.save_as_mainfile(filepath=path)
