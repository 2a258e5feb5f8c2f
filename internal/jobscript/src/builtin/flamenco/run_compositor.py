# Runs the compositor over frames. Follows compositor.py.
frames, redirect, pattern, output, file_format = arguments[:5]


def expand(text):
    for part in text.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def redirect_file_outputs(directory):
    folders = set()
    for tree in trees_of(compositor()):
        for node in tree.nodes:
            if node.type != "OUTPUT_FILE":
                continue
            # Labels may repeat, names do not.
            name = node.label if node.label and node.label not in folders else node.name
            folders.add(name)
            folder = os.path.join(directory, bpy.path.clean_name(name), "")
            # Renamed in Blender 5.
            setattr(node, "directory" if hasattr(node, "directory") else "base_path", folder)


if compositor() is None or not render.use_compositing:
    fail('the scene "%s" has no compositor, or does not use it' % scene.name)
numbers = list(expand(frames))
missing = [path for path in (numbered(pattern, number) for number in numbers) if not os.path.exists(path)]
if missing:
    fail("%d of %d input frames are missing, the first is %s" % (len(missing), len(numbers), missing[0]))

image = bpy.data.images.load(numbered(pattern, numbers[0]))
replace_render_layers(image)
if redirect == "1":
    redirect_file_outputs(os.path.dirname(output))
use_format(file_format)
render.use_border = render.use_sequencer = False
render.use_file_extension = True
ending = "GROUP_OUTPUT" if hasattr(scene, "compositing_node_group") else "COMPOSITE"
has_image = any(node.type == ending for node in compositor().nodes)
for number in numbers:
    scene.frame_set(number)
    image.filepath = numbered(pattern, number)
    image.reload()
    # The size of multi-layer files is not known here: they must be as large as the scene's renders.
    if image.size[0]:
        render.resolution_x, render.resolution_y = image.size
        render.resolution_percentage = 100
    elif not image.has_data:
        fail("cannot read " + image.filepath)
    path = with_extension(numbered(output, number))
    if hasattr(scene, "compositing_node_group"):
        # File Output nodes of Blender 5 number their files only in animations.
        scene.frame_start = scene.frame_end = number
        render.filepath = output
        render.use_overwrite, render.use_placeholder = True, False
        bpy.ops.render.render(animation=True)
    else:
        render.filepath = path
        bpy.ops.render.render(write_still=has_image)
    if has_image and not os.path.exists(path):
        fail("Blender has not written " + path)
