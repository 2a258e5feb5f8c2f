#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the way from Blender to the farm, and prints a table.

`make bench-addon` runs it. It needs four times the size of the textures on the disk.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "flamenco"))

from blenders import Blender, chosen
from whole_farm import Farm, until

#: How large one texture is, in bytes.
TEXTURE = 16_000_000


def to_first_frame(blender: Blender, folder: Path, *, shaman: bool) -> dict[str, Any]:
    """Submits a small file to a farm whose worker waits, and looks when its first frame is there."""
    farm = Farm(folder / "farm", shaman=shaman, blender=blender.executable)
    try:
        farm.start_manager()
        farm.start_worker()
        until("the worker is awake", lambda: has_awake_worker(farm))
        found = run(blender, folder, farm, [], times=1, paused=False)
        (result,) = found["results"]
        frame = until("a frame", lambda: next(iter(farm.renders.rglob("*.png")), None), 120)
        return {**result, "frame": frame.stat().st_mtime - result["started"]}
    finally:
        farm.stop()


def has_awake_worker(farm: Farm) -> bool:
    return any(str(worker.status) == "awake" for worker in farm.client.fetch_workers().workers)


def upload(blender: Blender, folder: Path, size: int) -> dict[str, Any]:
    """Copies a set of textures as `cp` does, then submits it twice through Shaman."""
    project = folder / "project"
    textures = [project / "maps" / f"{number:03}.exr" for number in range(max(1, size // TEXTURE))]
    textures[0].parent.mkdir(parents=True)
    for texture in textures:
        texture.write_bytes(os.urandom(TEXTURE))
    farm = Farm(folder / "farm", shaman=True, blender=blender.executable)
    try:
        farm.start_manager()
        # The second copy, as the first one finds out where there is room on the disk.
        for target in ("first copy", "copy"):
            start = time.monotonic()
            subprocess.run(["cp", "--recursive", project, farm.storage / target], check=True)
            copied = time.monotonic() - start
            shutil.rmtree(farm.storage / target)
        found = run(blender, folder, farm, [str(texture) for texture in textures], times=2, paused=True)
        return {**found, "copied": copied, "size": len(textures) * TEXTURE}
    finally:
        farm.stop()


def run(blender: Blender, folder: Path, farm: Farm, textures: list[str], **arguments: Any) -> dict[str, Any]:
    file = folder / "project" / "measured.blend"
    file.parent.mkdir(exist_ok=True)
    common = {"url": farm.url, "renders": str(farm.renders), "file": str(file), "textures": textures}
    found = blender.run("measure", folder / "home", **common, **arguments)
    for result in found["results"]:
        if result["result"] != ["FINISHED"]:
            raise SystemExit(f"{blender.name}: {result['bat_status_txt']}")
    return found


def rate(size: int, seconds: float) -> str:
    return f"{seconds:.1f} s, {size / seconds / 1e6:.0f} MB/s"


def measure(blender: Blender, folder: Path, size: int) -> None:
    print(f"\n| {blender.name} | |\n|---|---|")
    for shaman in (False, True):
        how = "with Shaman" if shaman else "copied to the storage"
        found = to_first_frame(blender, folder / how, shaman=shaman)
        print(f"| button to job, small file {how} | {found['seconds']:.1f} s |")
        print(f"| button to first rendered frame | {found['frame']:.1f} s |")
    found = upload(blender, folder / "upload", size)
    first, second = found["results"]
    size = found["size"]
    print(f"| `cp` of {size / 1e9:.2f} GB of textures to the storage | {rate(size, found['copied'])} |")
    print(f"| first submission of them through Shaman, hashing included | {rate(size, first['seconds'])} |")
    print(f"| second submission | {second['seconds']:.1f} s: {second['bat_status_txt']} |")
    grown = (found["most"] - found["before"]) / 1e6
    print(f"| memory of Blender before, and the most during both | {found['before'] / 1e6:.0f} MB, +{grown:.0f} MB |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=1000, help="how large the set of textures is, %(default)s")
    parser.add_argument("--folder", help="where the farm and its storage are made, on the disk to be measured")
    wanted = parser.parse_args()
    for blender in chosen():
        with tempfile.TemporaryDirectory(prefix="flamenco-measure-", dir=wanted.folder) as folder:
            measure(blender, Path(folder), wanted.megabytes * 1_000_000)


if __name__ == "__main__":
    main()
