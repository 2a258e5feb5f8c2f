# SPDX-License-Identifier: GPL-3.0-or-later
"""Submits real files from a real Blender to a real manager, and looks at the frames of a real worker."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import zstandard
from blenders import Blender
from flamenco_client.models import JobStatus, SubmittedJob, WorkerTag
from whole_farm import ROOT, Farm, until

#: What is sent of the project, with what it has outside of its folder before it.
PACK = [
    "lib/tex/Stoff 青.png",
    "lib/プロップ.blend",
    "maps/rot é.png",
    "maps/seq/wave_0001.png",
    "maps/seq/wave_0002.png",
    "maps/seq/wave_0003.png",
    "maps/skin.1001.png",
    "maps/skin.1002.png",
    "pack-info.txt",
    "scènes/shot 010 ñ.blend",
]
RED, BLUE, YELLOW = [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]


def submit(blender: Blender, home: Path, farm: Farm, file: str | Path, **arguments: Any) -> dict[str, Any]:
    arguments.setdefault("settings", {"chunk_size": 3})
    return blender.run("submit", home, url=farm.url, renders=str(farm.renders), file=str(file), **arguments)


def grow(project: dict[str, str], size: int) -> Path:
    """Makes one of the textures large: a hole at its end does not disturb Blender."""
    path = Path(project["project"]) / "maps" / "seq" / "wave_0002.png"
    with path.open("ab") as file:
        file.truncate(size)
    return path


def files_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def paused(**scene: Any) -> dict[str, Any]:
    """The worker has better things to do than to render every job of these tests."""
    return {"scene": {"flamenco_job_submit_as_paused": True, **scene}}


def test_the_frames_come_out_right(blender: Blender, farm: Farm, project: dict[str, str], home: Path) -> None:
    found = submit(blender, home, farm, project["shot"])
    (result,) = found["results"]
    assert result["result"] == ["FINISHED"], found["output"]
    assert result["bat_status"] == "DONE"
    assert result["bat_status_txt"] == "Job shot 010 ñ submitted; 1 file is missing"
    assert "Missing file: " + project["project"] + "/maps/fehlt.png" in found["output"]
    job = farm.until_completed(result["last_job_id"])
    assert result["last_job_url"] == f"{farm.url}/app/jobs/{job.id}"
    check_payload(job, blender, farm, project)

    # One from another machine, which this Blender has not heard of.
    other = farm.client.submit_job(
        SubmittedJob(
            name="from elsewhere",
            type="echo-sleep-test",
            submitter_platform="linux",
            settings={"message": "x", "sleep_duration_seconds": 0, "sleep_repeats": 1},
            metadata={"blend.file": project["shot"]},
            initial_status=JobStatus.PAUSED,
        )
    )
    common = {"url": farm.url, "file": project["shot"], "job_id": job.id, "name": job.name}
    shown = blender.run("frames", home, cancel=other.id, **common)
    assert [job.id, "shot 010 ñ", "completed", 1.0] in shown["listed"]
    assert [other.id, "from elsewhere", "paused", 0.0] in shown["listed"]
    assert [other.id, "canceled"] in shown["listed"]
    assert shown["listed"][-1] == ["FINISHED"]
    assert shown["result"] == ["FINISHED"]
    assert shown["source"] == "SEQUENCE"
    assert shown["colours"] == {
        f"{number:06d}.png": [RED, [0.0, number / 4, 0.0], BLUE, YELLOW] for number in (1, 2, 3)
    }


def test_an_extension_submits(blender: Blender, farm: Farm, project: dict[str, str], home: Path) -> None:
    if not blender.has_extensions:
        pytest.skip("this Blender has no extensions")
    found = submit(blender, home, farm, project["shot"], extension=True, **paused())
    (result,) = found["results"]
    assert result["result"] == ["FINISHED"], found["output"]
    assert result["module"].startswith("bl_ext.")
    pack = blendfile_of(farm, result).parent.parent
    assert files_of(pack)[1:] == PACK
    assert result["bat_status_txt"] == "Job shot 010 ñ submitted; 1 file is missing"


def check_payload(job: Any, blender: Blender, farm: Farm, project: dict[str, str]) -> None:
    settings = dict(job.settings)
    pack = Path(settings.pop("blendfile")).parent.parent
    assert pack.parent == farm.storage
    assert pack.name.endswith("-shot 010 ñ")
    assert files_of(pack)[1:] == PACK
    assert files_of(pack)[0].startswith("_outside_project/")
    output = settings.pop("render_output_path")
    assert output.startswith(f"{farm.renders}/shot 010 ñ/")
    assert output.endswith("/######")
    assert settings == {
        "frames": "1-3",
        "chunk_size": 3,
        "render_output_root": str(farm.renders),
        "add_path_components": 0,
        "fps": 24.0,
        "format": "PNG",
        "image_file_extension": ".png",
        "has_previews": False,
        "scene": "Scene",
    }
    assert job.type == "simple-blender-render"
    assert job.priority == 50
    assert job.worker_tag is None
    assert job.storage is None or job.storage.shaman_checkout_id is None
    metadata = dict(job.metadata)
    assert metadata.pop("submission.id")
    assert metadata.pop("user.name")
    assert metadata.pop("submitted.from")
    assert metadata.pop("blender.version")
    assert metadata == {"addon.version": "0.1.0", "blend.file": project["shot"], "project": "Größe & Maß"}


def test_a_shell_script_gets_an_exit_code(blender: Blender, farm: Farm, project: dict[str, str], home: Path) -> None:
    submit(blender, home, farm, project["shot"], submissions=[])
    manual = (ROOT / "web/manual/src/blender-add-on.md").read_text(encoding="utf-8")
    example = manual.partition("## From scripts\n\n```python\n")[2].partition("```\n")[0]
    assert example.count("http://manager:8080/") == example.count("/mnt/farm/render") == 1
    for old, new in (
        ("http://manager:8080/", farm.url),
        ('job_name="shot 010"', 'job_name="night: shift"'),
        ("scene.flamenco_job_priority", "scene.flamenco_job_submit_as_paused = True\nscene.flamenco_job_priority"),
    ):
        example = example.replace(old, new)
    # The module has no command line that opens the file.
    example = f"import bpy\nbpy.ops.wm.open_mainfile(filepath={project['shot']!r})\n{example}"
    for root, code in ((str(farm.renders), 0), ("", 1)):
        script = home / "night.py"
        script.write_text(example.replace("/mnt/farm/render", root), encoding="utf-8")
        done = subprocess.run(
            [*blender.command, str(script)],
            env=blender.environment(home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
    assert "Fill in: Render Output Root" in done.stdout
    (job,) = [job for job in farm.jobs() if job.name == "night: shift"]
    assert (job.settings["frames"], job.settings["chunk_size"], job.priority) == ("1-10,20", 2, 70)
    assert job.settings["render_output_path"].startswith(f"{farm.renders}/night_ shift/")
    assert job.metadata["shot"] == "010"
    assert str(job.status) == "paused"


def test_a_file_in_the_shared_storage_is_rendered_from_there(
    blender: Blender, farm: Farm, project: dict[str, str], home: Path
) -> None:
    there = farm.storage / "Projekt auf dem Speicher"
    shutil.copytree(project["project"], there)
    before = sorted(farm.storage.iterdir())
    file = there / "scènes" / "shot 010 ñ.blend"
    beside = os.listdir(file.parent)
    freeze = {"storage_mode": "FREEZE"}
    submissions = [
        {"mark": "in place"},
        {"mark": "saved and frozen", "preferences": freeze},
        {"mark": "only frozen", "save": "COPY"},
        {"mark": "from the disk", "save": "NEVER"},
        {"mark": "copied once", "save": "COPY", "preferences": {"storage_mode": "AS_IS"}},
        {"mark": "copied again", "save": "COPY"},
    ]
    found = submit(blender, home, farm, file, submissions=submissions, **paused())
    assert [result["result"] for result in found["results"]] == [["FINISHED"]] * 6, found["output"]
    assert sorted(farm.storage.iterdir()) == before
    rendered = [blendfile_of(farm, result) for result in found["results"]]
    # Each job that does not render the artist's file has one of its own, which nobody changes again.
    assert rendered[0] == file
    backup = "shot 010 ñ.blend1"
    assert {*os.listdir(file.parent), backup} == {*beside, backup, *(copy.name for copy in rendered[1:])}
    assert len(set(rendered)) == 6
    for copy in rendered[1:]:
        assert copy.parent == file.parent
        assert copy.name.startswith("shot 010 ñ-") and copy.name.endswith(".flamenco.blend")
    assert [mark_in(path) for path in rendered] == [
        "saved and frozen",
        "saved and frozen",
        "only frozen",
        "saved and frozen",
        "copied once",
        "copied again",
    ]
    shutil.rmtree(there)


def blendfile_of(farm: Farm, result: dict[str, Any]) -> Path:
    return Path(farm.client.fetch_job(result["last_job_id"]).settings["blendfile"])


def mark_in(blendfile: Path) -> str | None:
    """What a submission of these tests wrote into the file last."""
    content = blendfile.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    elif not content.startswith(b"BLENDER"):
        content = zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True).read()
    marks = ("in place", "saved and frozen", "only frozen", "from the disk", "copied once", "copied again", "saved")
    return next((mark for mark in marks if f"<{mark}>".encode() in content), None)


def test_what_becomes_of_changes(blender: Blender, farm: Farm, project: dict[str, str], home: Path) -> None:
    """With every way to save, for a file that is sent."""
    shot = Path(project["shot"])
    # What an older Flamenco left there is not ours to overwrite.
    (shot.parent / "shot 010 ñ.flamenco.blend").write_bytes(b"older")
    names = sorted(os.listdir(shot.parent))
    submissions = [
        {"mark": "from the disk", "save": "NEVER"},
        {"mark": "copied once", "save": "COPY"},
        {"mark": "copied again", "save": "PREFERENCE", "preferences": {"save_mode": "COPY"}},
    ]
    before = shot.read_bytes()
    found = submit(blender, home, farm, shot, submissions=submissions, **paused())
    assert [result["result"] for result in found["results"]] == [["FINISHED"]] * 3, found["output"]
    sent = [blendfile_of(farm, result) for result in found["results"]]
    assert [path.name for path in sent] == ["shot 010 ñ.blend", *["shot 010 ñ-2.flamenco.blend"] * 2]
    assert [mark_in(path) for path in sent] == [None, "copied once", "copied again"], found["output"]
    assert shot.read_bytes() == before
    assert sorted(os.listdir(shot.parent)) == names
    assert (shot.parent / "shot 010 ñ.flamenco.blend").read_bytes() == b"older"

    # Nobody can be asked here.
    submissions = [
        {"mark": "saved", "preferences": {"save_mode": "ASK"}},
        {"save": "NEVER", "missing_files": "CANCEL"},
    ]
    found = submit(blender, home, farm, shot, submissions=submissions, **paused())
    saved, refused = found["results"]
    assert mark_in(shot) == mark_in(blendfile_of(farm, saved)) == "saved"
    assert refused["result"] == ["CANCELLED"]
    assert refused["bat_status"] == "FAILED"
    assert "fehlt.png" in refused["bat_status_txt"]


@pytest.mark.parametrize("phase", ["COMMUNICATING", "INVESTIGATING", "TRANSFERRING"])
def test_abort_leaves_nothing_behind(
    blender: Blender, farm: Farm, project: dict[str, str], home: Path, phase: str
) -> None:
    # Large enough to be caught in the middle.
    grow(project, 400_000_000)
    stored, jobs = sorted(farm.storage.iterdir()), len(farm.jobs())
    found = submit(blender, home, farm, project["shot"], abort_in=phase, **paused())
    (result,) = found["results"]
    assert result["seen"], f"it was over before {phase}"
    assert result["result"] == ["CANCELLED"]
    assert result["bat_status"] == "ABORTED"
    assert not result["can_abort"]
    assert sorted(farm.storage.iterdir()) == stored
    assert len(farm.jobs()) == jobs
    assert "flamenco.blend" not in " ".join(files_of(Path(project["project"])))


def test_a_manager_that_is_away_is_named(blender: Blender, farm: Farm, project: dict[str, str], home: Path) -> None:
    found = submit(blender, home, farm, project["shot"], submissions=[])
    jobs = len(farm.jobs())
    # What was known before is still there, so the job type can be chosen.
    farm.stop_manager()
    try:
        start = time.monotonic()
        found = submit(blender, home, farm, project["shot"])
        assert time.monotonic() - start < 30
    finally:
        farm.start_manager()
    (result,) = found["results"]
    assert result["result"] == ["CANCELLED"]
    assert result["bat_status"] == "FAILED"
    assert result["bat_status_txt"].startswith("Nothing listens at")
    assert len(farm.jobs()) == jobs


def test_versions_that_do_not_fit_have_to_be_forced_each_time(
    blender: Blender, farm: Farm, project: dict[str, str], home: Path
) -> None:
    options = [{}, {"ignore_version_mismatch": True}, {}]
    found = submit(blender, home, farm, project["shot"], version=[9, 9, 0], submissions=options, **paused())
    first, forced, last = found["results"]
    assert (first["result"], first["version_mismatch"]) == (["CANCELLED"], True)
    assert "this add-on is 9.9.0" in first["bat_status_txt"]
    assert (forced["result"], forced["version_mismatch"]) == (["FINISHED"], False)
    assert (last["result"], last["version_mismatch"]) == (["CANCELLED"], True)


def test_a_job_type_that_changed_is_looked_at_before_it_is_used(
    blender: Blender, farm: Farm, project: dict[str, str], home: Path
) -> None:
    script = farm.scripts / "change_me.js"
    text = (
        'const JOB_TYPE = { label: "Change Me", settings: [\n'
        '    { key: "message", type: "string", default: "hello" },\nMORE] };\n'
        "function compileJob(job) {\n"
        '    const task = author.Task("say", "misc");\n'
        '    task.addCommand(author.Command("echo", { message: job.settings.message }));\n'
        "    job.addTask(task);\n}\n"
    )
    script.write_text(text.replace("MORE", ""), encoding="utf-8")
    until("the manager has the script", lambda: has_type(farm, "change-me", 1))
    start = {"url": farm.url, "renders": str(farm.renders), "file": project["shot"], "gate": str(home / "go on")}
    process = blender.start("changed_type", home, start)
    until("Blender knows the job type", (home / "go on.ready").exists, 60)
    script.write_text(text.replace("MORE", '{ key: "quality", type: "int32", default: 3 },\n'), encoding="utf-8")
    until("the manager has the new script", lambda: has_type(farm, "change-me", 2))
    (home / "go on").touch()
    found = blender.finish(process, home)
    first, second = found["results"]
    assert first["result"] == ["CANCELLED"]
    assert "Change Me has changed on the manager (new setting: Quality)" in first["bat_status_txt"]
    assert second["result"] == ["FINISHED"], found["output"]
    job = farm.client.fetch_job(second["last_job_id"])
    assert job.settings == {"message": "from the artist", "quality": 3}
    script.unlink()


def test_only_workers_with_the_tag_get_the_job(
    blender: Blender, farm: Farm, project: dict[str, str], home: Path
) -> None:
    tag = farm.client.create_worker_tag(WorkerTag(name="gpu süd"))
    # The project may begin above of what the preferences find; then everything keeps its place.
    scene = {"flamenco_worker_tag": tag.id, "flamenco_project_folder": project["root"]}
    (result,) = submit(blender, home, farm, project["shot"], **paused(**scene))["results"]
    job = farm.client.fetch_job(result["last_job_id"])
    assert job.worker_tag == tag.id
    blendfile = blendfile_of(farm, result)
    assert blendfile.parent.parent.name == "Größe & Maß"
    assert not (blendfile.parents[2] / "_outside_project").exists()

    # The file keeps the tag by its id, and says its name when it is gone.
    farm.client.delete_job(job.id)
    until("the job is gone", lambda: job.id not in [one.id for one in farm.jobs()])
    farm.client.delete_worker_tag(str(tag.id))
    jobs = len(farm.jobs())
    (refused,) = submit(blender, home, farm, project["shot"])["results"]
    assert refused["result"] == ["CANCELLED"]
    assert "does not have the worker tag 'gpu süd' any more; choose another" in refused["bat_status_txt"]
    assert len(farm.jobs()) == jobs


def has_type(farm: Farm, name: str, settings: int) -> bool:
    types = farm.client.get_job_types().job_types
    return any(found.name == name and len(found.settings) == settings for found in types)
