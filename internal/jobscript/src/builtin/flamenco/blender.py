# What all Python of the built-in job types begins with. Runs in Blender 3.4 and later.
#
# Everything that differs between tasks comes as an argument after "--", each path as one of its own: the manager
# translates a path to the worker's platform by its argument, and must not touch the slashes of program text.
import bpy, os, sys

arguments = sys.argv[sys.argv.index("--") + 1:]
scene = bpy.context.scene
render = scene.render


def fail(text):
    raise RuntimeError(text)


def numbered(pattern, frame):
    # The last run of "#" stands for the frame number, with at least as many digits.
    head, mark, tail = pattern.rpartition("#")
    start = head.rstrip("#")
    width = len(head) - len(start) + len(mark)
    return start + str(frame).zfill(width) + tail if mark else pattern


def with_extension(path):
    extension = render.file_extension
    return path if path.lower().endswith(extension) else path + extension


def use_format(name):
    settings = render.image_settings
    if settings.file_format == name:
        return
    # Blender 5 offers the formats by kind.
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format = name
