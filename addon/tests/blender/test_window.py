# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender as artists see it: with a window, while they go on working."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from blenders import Blender, window
from farm import Farm

#: Longer than anything that the add-on may do on the main thread, shorter than copying a large file there; in seconds.
NOTICEABLE = 2.0


@pytest.mark.parametrize("abort", [False, True], ids=["submit", "abort"])
def test_the_window_stays_alive(blender: Blender, farm: Farm, project: dict[str, str], home: Path, abort: bool) -> None:
    if blender.name != "blender":
        pytest.skip("the bpy module has no window")
    big = Path(project["project"]) / "maps" / "seq" / "wave_0003.png"
    small = big.read_bytes()
    with big.open("ab") as file:
        file.truncate(1_000_000_000)
    stored, jobs = sorted(farm.storage.iterdir()), len(farm.jobs())
    arguments = {"url": farm.url, "renders": str(farm.renders), "file": project["shot"], "abort": abort, "watch": 8}
    process = window().start("window", home, {**arguments, "settings": {"chunk_size": 3}})
    try:
        found = window().finish(process, home)
    finally:
        big.write_bytes(small)
    keep_pictures(home, "abort" if abort else "submit")
    assert found["errors"] == [], found["output"]
    # What goes wrong while the panel is drawn is only seen there.
    assert "Traceback" not in found["output"], found["output"]
    assert found["seen"][-1] == ("ABORTED" if abort else "DONE"), found
    assert {"MISSING_FILES", "TRANSFERRING"} <= set(found["seen"])
    assert found["longest_gap"] < NOTICEABLE
    if abort:
        assert sorted(farm.storage.iterdir()) == stored
        assert len(farm.jobs()) == jobs
    else:
        assert found["jobs"][0][0] == "shot 010 ñ"
        farm.client.delete_job(found["last_job_id"])


def keep_pictures(home: Path, name: str) -> None:
    """Pictures of the panel go to the folder in the variable `ARTIFACTS`."""
    if folder := os.environ.get("ARTIFACTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        for picture in home.glob("*.png"):
            shutil.copy(picture, Path(folder) / f"add-on-{name}-{picture.name}")
