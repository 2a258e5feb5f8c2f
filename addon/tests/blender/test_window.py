# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender as artists see it: with a window, while they go on working."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from blenders import Blender, in_window
from test_submit import blendfile_of, grow, mark_in
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


def test_what_is_not_saved_is_asked_for(blender: Blender, farm: Farm, project: dict[str, str], home: Path) -> None:
    if not blender.has_window:
        pytest.skip("the bpy module has no window")
    common = {"url": farm.url, "renders": str(farm.renders), "file": project["shot"]}
    found = in_window(blender, "--enable-event-simulate").run("ask", home, **common)
    keep_pictures(home)
    assert found.get("errors") is None, found["output"]
    assert "Traceback" not in found["output"], found["output"]
    unchanged, escaped, copied, saved = found["answers"]
    assert (unchanged["asked"], unchanged["bat_status"]) == (["RUNNING_MODAL"], "DONE")
    assert (escaped["asked"], escaped["bat_status"], escaped["last_job_id"]) == (["CANCELLED"], "IDLE", "")
    for answer, name, is_dirty in ((copied, "shot 010 ñ.flamenco.blend", True), (saved, "shot 010 ñ.blend", False)):
        assert (answer["asked"], answer["before"], answer["was_dirty"]) == (["CANCELLED"], "IDLE", True)
        assert (answer["bat_status"], answer["is_dirty"]) == ("DONE", is_dirty)
        job = farm.client.fetch_job(answer["last_job_id"])
        # What the button was pressed with survives the question.
        assert (job.name, job.metadata["kept"]) == ("asked", "yes")
        sent = blendfile_of(farm, answer)
        assert (sent.name, mark_in(sent)) == (name, "copied once")
    assert mark_in(Path(project["shot"])) == "copied once"


def test_a_submission_outlives_its_window(blender: Blender, farm: Farm, project: dict[str, str], home: Path) -> None:
    if not blender.has_window:
        pytest.skip("the bpy module has no window")
    grow(project, 600_000_000)
    jobs = len(farm.jobs())
    common = {"url": farm.url, "renders": str(farm.renders), "file": project["shot"]}
    found = in_window(blender).run("second_window", home, **common)
    assert "Traceback" not in found["output"], found["output"]
    closed, opened = found["found"]
    assert closed["bat_status"] == "DONE", closed
    # The button is there again.
    assert opened["bat_status"] in ("ABORTED", "IDLE"), opened
    assert opened["can_submit"]
    assert len(farm.jobs()) == jobs + 1


def test_the_jobs_of_another_file_are_not_offered(
    blender: Blender, farm: Farm, project: dict[str, str], home: Path
) -> None:
    if not blender.has_window:
        pytest.skip("the bpy module has no window")
    second = project["shot"].replace(".blend", " two.blend")
    common = {"url": farm.url, "renders": str(farm.renders), "file": project["shot"], "second": second}
    found = in_window(blender).run("jobs_of_files", home, **common)
    assert "Traceback" not in found["output"], found["output"]
    mine = ["of the first"]
    assert (found["at first"], found["opened again"], found["and again"]) == (mine, mine, mine)
    assert found["right after saving under another name"] == found["later"] == []
    assert found["an answer for another file"] == []
    assert found["another manager"] == found["another manager, later"] == []
    assert found["frames"] == ["RUNNING_MODAL"]
    assert found["seconds"] < NOTICEABLE
    assert found["status"] == ["canceled"], found["note"]


def keep_pictures(home: Path) -> None:
    """Pictures of the panel go to the folder in the variable `ARTIFACTS`."""
    if folder := os.environ.get("ARTIFACTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        for picture in home.glob("*.png"):
            shutil.copy(picture, Path(folder) / f"add-on-{picture.name}")
