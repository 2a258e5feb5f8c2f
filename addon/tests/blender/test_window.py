# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender as artists see it: with a window, while they go on working."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from blenders import Blender, in_window
from test_submit import grow
from whole_farm import Farm

#: Longer than anything that the add-on may do on the main thread, shorter than copying a large file there; in seconds.
NOTICEABLE = 2.0


def test_the_window_stays_alive(blender: Blender, farm: Farm, project: dict[str, str], home: Path) -> None:
    if not blender.has_window:
        pytest.skip("the bpy module has no window")
    grow(project, 400_000_000)
    stored, jobs = list(farm.storage.iterdir()), len(farm.jobs())
    common = {"url": farm.url, "renders": str(farm.renders), "file": project["shot"]}
    arguments = {**common, "aborts": [True, False], "settings": {"chunk_size": 3}}
    found = in_window(blender).run("window", home, **arguments)
    keep_pictures(home)
    assert found["errors"] == [], found["output"]
    # What goes wrong while the panel is drawn is only seen there.
    assert "Traceback" not in found["output"], found["output"]
    aborted, submitted = found["seen"]
    assert aborted[-1] == "ABORTED"
    assert submitted[-1] == "DONE"
    assert {"MISSING_FILES", "TRANSFERRING"} <= set(aborted) & set(submitted)
    assert found["longest_gap"] < NOTICEABLE
    # One pack and one job: nothing is left of the one that was aborted.
    assert len(list(farm.storage.iterdir())) == len(stored) + 1
    assert len(farm.jobs()) == jobs + 1
    assert found["jobs"] == [["shot 010 ñ", "completed"]]
    assert found["frames"] == ["SEQUENCE", 1, 3]


def keep_pictures(home: Path) -> None:
    """Pictures of the panel go to the folder in the variable `ARTIFACTS`."""
    if folder := os.environ.get("ARTIFACTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        for picture in home.glob("*.png"):
            shutil.copy(picture, Path(folder) / f"add-on-{picture.name}")
