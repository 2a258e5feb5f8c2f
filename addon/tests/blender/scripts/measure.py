# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a file with textures, submits it twice, and tells how long that took and how much memory it needed."""

import sys
import time
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import inside

ARGUMENTS = inside.ARGUMENTS


def memory(name):
    """Of this process, in bytes: `VmRSS` is now, `VmHWM` was the most so far."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def make_file(path):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.preferences.addon_enable(module=inside.MODULE)
    for number, texture in enumerate(ARGUMENTS["textures"]):
        image = bpy.data.images.load(texture)
        image.name, image.use_fake_user = f"texture {number}", True
        image.filepath = "//" + str(Path(texture).relative_to(path.parent))
    scene = bpy.context.scene
    scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(scene.camera)
    scene.render.engine, scene.cycles.device, scene.cycles.samples = "CYCLES", "CPU", 1
    # Debian's Blender is built without the denoiser.
    scene.cycles.use_denoising = False
    scene.render.resolution_x, scene.render.resolution_y = 64, 64
    scene.frame_start, scene.frame_end = 1, 3
    bpy.ops.wm.save_as_mainfile(filepath=str(path))


def submit():
    started = time.time()
    result = bpy.ops.flamenco.submit_job(save="NEVER")
    return {"started": started, "seconds": time.time() - started, "result": sorted(result), **inside.state()}


inside.connect()
make_file(Path(ARGUMENTS["file"]))
inside.preferences().manager_url = ARGUMENTS["url"]
inside.choose()
bpy.context.scene.flamenco_job_submit_as_paused = ARGUMENTS["paused"]
bpy.ops.wm.save_mainfile()
before = memory("VmRSS")
results = [submit() for _ in range(ARGUMENTS["times"])]
inside.done(results=results, before=before, most=memory("VmHWM"))
