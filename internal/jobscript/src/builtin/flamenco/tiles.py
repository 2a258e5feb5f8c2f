# How a frame is cut into tiles. Follows blender.py; the first four arguments are numbers of columns and rows, pixels of
# overlap, and the scale of the resolution in percent or 0 for that of the scene.
columns, rows, overlap, scale = map(int, arguments[:4])
if scale:
    render.resolution_percentage = scale
width = render.resolution_x * render.resolution_percentage // 100
height = render.resolution_y * render.resolution_percentage // 100
if columns > width or rows > height:
    fail("%d x %d tiles are more than the image has pixels (%d x %d)" % (columns, rows, width, height))


def span(index, count, size):
    return size * index // count, size * (index + 1) // count


# The pixels of a tile, as (left, bottom, right, top). Rows are counted from the top, pixels from the bottom.
def rectangle(column, row):
    left, right = span(column, columns, width)
    bottom, top = span(rows - 1 - row, rows, height)
    return left, bottom, right, top


def overlapping(column, row):
    left, bottom, right, top = rectangle(column, row)
    return (max(left - overlap, 0), max(bottom - overlap, 0), min(right + overlap, width), min(top + overlap, height))


def tile_path(prefix, column, row):
    return "%s-%d-%d.exr" % (prefix, column + 1, row + 1)
