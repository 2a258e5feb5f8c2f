# Renders one tile. Follows tiles.py. Tiles are linear pixels of full precision: what depends on the whole image, such as
# dithering and the compositor, is done when they are merged.
column, row, frame, samples, compositing = map(int, arguments[4:9])
if render.use_multiview:
    fail("stereo images cannot be rendered in tiles; switch stereoscopy off in the output properties")
if compositing and render.use_compositing:
    # Said now, and not after hours of rendering.
    for tree, node in render_layers():
        for output in used(node):
            if plain(output.name) not in ("image", "alpha"):
                fail('the compositor uses the pass "%s", which tiles do not have' % output.name)

render.use_compositing = False
render.use_sequencer = False
render.use_border = True
render.use_crop_to_border = True
left, bottom, right, top = overlapping(column, row)
# Some engines round to pixels, others cut off: a quarter of a pixel more gives the same for both.
render.border_min_x, render.border_max_x = (left + 0.25) / width, (right + 0.25) / width
render.border_min_y, render.border_max_y = (bottom + 0.25) / height, (top + 0.25) / height

if samples and render.engine == "CYCLES":
    scene.cycles.samples = samples
elif samples and hasattr(scene, "eevee"):
    scene.eevee.taa_render_samples = samples

use_format("OPEN_EXR")
settings = render.image_settings
settings.color_mode, settings.color_depth, settings.exr_codec = "RGBA", "32", "ZIP"
settings.color_management = "FOLLOW_SCENE"
render.use_file_extension = True
render.filepath = tile_path(arguments[9], column, row)
scene.frame_set(frame)
bpy.ops.render.render(write_still=True)
if not os.path.exists(render.filepath):
    fail("Blender has not written " + render.filepath)
