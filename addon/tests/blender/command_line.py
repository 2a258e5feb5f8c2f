# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders with the `bpy` module by the command line of Blender, as far as the job types use it."""

import sys

import bpy


def frames(text: str) -> list[int]:
    found = []
    for part in text.split(","):
        first, _, last = part.partition("..")
        found += range(int(first), int(last or first) + 1)
    return found


def main() -> int:
    arguments = sys.argv[1:]
    if "--version" in arguments:
        print(f"Blender {bpy.app.version_string}")
        return 0
    scene = None
    while arguments:
        word = arguments.pop(0)
        if word in ("-b", "-y", "--background", "--enable-autoexec"):
            continue
        if word == "--scene":
            scene = bpy.data.scenes[arguments.pop(0)]
            bpy.context.window.scene = scene
        elif word == "--python-expr":
            exec(arguments.pop(0), {"__name__": "__main__"})
        elif word == "--render-output":
            bpy.context.scene.render.filepath = arguments.pop(0)
        elif word == "--render-format":
            bpy.context.scene.render.image_settings.file_format = arguments.pop(0)
        elif word == "--render-frame":
            render(frames(arguments.pop(0)))
        elif word.startswith("-"):
            print(f"unknown argument {word}")
            return 1
        else:
            bpy.ops.wm.open_mainfile(filepath=word)
    return 0


def render(numbers: list[int]) -> None:
    scene = bpy.context.scene
    for number in numbers:
        scene.frame_start = scene.frame_end = number
        bpy.ops.render.render(animation=True, scene=scene.name)
        print(f"Saved: '{scene.render.frame_path(frame=number)}'", flush=True)


sys.exit(main())
