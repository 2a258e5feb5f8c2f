# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the jobs of a file, and loads the frames of one of them."""

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import inside


def colours(path):
    """The colour in the middle of each of the four planes."""
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    width, height = image.size
    pixels = list(image.pixels)
    row = height // 2 * width
    return [[round(v, 2) for v in pixels[4 * (row + x) : 4 * (row + x) + 3]] for x in (8, 24, 40, 56)]


inside.connect()
bpy.ops.wm.open_mainfile(filepath=inside.ARGUMENTS["file"])
job_id = inside.ARGUMENTS["job_id"]
bpy.ops.flamenco.refresh_jobs()
listed = [[job.job_id, job.name, job.status, job.fraction] for job in bpy.context.window_manager.flamenco_jobs]
result = bpy.ops.flamenco.load_frames(job_id=job_id)
image = bpy.data.images.get(inside.ARGUMENTS["name"])
folder = Path(bpy.path.abspath(image.filepath)).parent if image else None
if "cancel" in inside.ARGUMENTS:
    canceled = bpy.ops.flamenco.cancel_job("EXEC_DEFAULT", job_id=inside.ARGUMENTS["cancel"])
    listed += [[job.job_id, job.status] for job in bpy.context.window_manager.flamenco_jobs]
    listed.append(sorted(canceled))
inside.done(
    result=sorted(result),
    listed=listed,
    source=image.source if image else None,
    first=bpy.path.abspath(image.filepath) if image else None,
    colours={path.name: colours(path) for path in sorted(folder.glob("*.png"))} if folder else {},
)
