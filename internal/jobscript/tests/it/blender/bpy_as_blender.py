"""The part of Blender's command line that job types use, for the `bpy` module of other Blender versions.

Run the tests on one with FLAMENCO_TEST_BLENDER="/path/to/python /path/to/this/file".
"""

import sys
import traceback

import bpy


def frames(text):
    for part in text.split(","):
        first, _, last = part.partition("..")
        yield from range(int(first), int(last or first) + 1)


def render(text):
    scene = bpy.context.scene
    for frame in frames(text):
        scene.frame_start = scene.frame_end = frame
        bpy.ops.render.render(animation=True)


def main(arguments):
    exit_code = 0
    arguments = iter(arguments)
    for argument in arguments:
        scene = bpy.context.scene
        if argument == "--":
            break
        if argument in ("-b", "-y", "--background", "--factory-startup"):
            continue
        if argument.endswith(".blend"):
            bpy.ops.wm.open_mainfile(filepath=argument)
            continue
        value = next(arguments)
        if argument == "--scene":
            bpy.context.window.scene = bpy.data.scenes[value]
        elif argument == "--python-exit-code":
            exit_code = int(value)
        elif argument in ("--python-expr", "--python"):
            text = value if argument == "--python-expr" else open(value).read()
            try:
                exec(compile(text, "<expr>", "exec"), {"__name__": "__main__"})
            except Exception:
                traceback.print_exc()
                if exit_code:
                    sys.exit(exit_code)
        elif argument == "--render-output":
            scene.render.filepath = value
        elif argument == "--render-format":
            scene.render.image_settings.file_format = value
        elif argument == "--render-frame":
            render(value)
        else:
            sys.exit("unknown argument " + argument)


main(sys.argv[1:])
