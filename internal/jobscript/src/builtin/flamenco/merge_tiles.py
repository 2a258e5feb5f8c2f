# Puts the tiles together, and saves them as the scene's output settings say. Follows tiles.py.
import array

frame, compositing = map(int, arguments[4:6])
tiles, output, file_format = arguments[6:9]


def read_tile(path, wide, high):
    if not os.path.exists(path):
        fail("the tile %s is missing; requeue its task" % path)
    image = bpy.data.images.load(path)
    if tuple(image.size) != (wide, high) or image.channels != 4:
        fail("the tile %s is %s, not %s pixels large; requeue its task" % (path, tuple(image.size), (wide, high)))
    pixels = array.array("f", bytes(16 * wide * high))
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels


merged = array.array("f", bytes(16 * width * height))
for row in range(rows):
    for column in range(columns):
        x0, y0, x1, y1 = overlapping(column, row)
        pixels = read_tile(tile_path(tiles, column, row), x1 - x0, y1 - y0)
        left, bottom, right, top = rectangle(column, row)
        for y in range(bottom, top):
            start = 4 * ((y - y0) * (x1 - x0) + left - x0)
            place = 4 * (y * width + left)
            length = 4 * (right - left)
            merged[place:place + length] = pixels[start:start + length]

image = bpy.data.images.new("merged", width, height, alpha=True, float_buffer=True)
image.alpha_mode = "PREMUL"
image.pixels.foreach_set(merged)
image.update()

scene.frame_set(frame)
use_format(file_format)
if not (compositing and render.use_compositing and render_layers()):
    plain_compositor()
replace_render_layers(image)
render.use_compositing = True
render.use_border = render.use_sequencer = False
render.use_file_extension = True
render.filepath = with_extension(output)
# As a render, because only renders are dithered when they are saved.
bpy.ops.render.render(write_still=True)
if not os.path.exists(render.filepath):
    fail("Blender has not written " + render.filepath)
