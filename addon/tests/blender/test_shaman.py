# SPDX-License-Identifier: GPL-3.0-or-later
"""The real thing with the manager's file store."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from blenders import Blender
from flamenco_client import Client
from test_submit import BLUE, RED, YELLOW, files_of, grow, paused, submit
from whole_farm import Farm, until

from flamenco import packing, shaman
from flamenco.hashing import HashCache
from flamenco.progress import Progress


def test_files_are_uploaded_once_and_render(
    blender: Blender, shaman_farm: Farm, project: dict[str, str], home: Path
) -> None:
    farm = shaman_farm
    # The second submission sends exactly what is on the disk; the name is none for a folder.
    again = {"save": "NEVER", "job_name": "shot 010: lighting/v2"}
    found = submit(blender, home, farm, project["shot"], submissions=[{}, again])
    first, second = found["results"]
    assert first["result"] == ["FINISHED"], found["output"]
    assert "in 10 files uploaded" in first["bat_status_txt"]
    assert "nothing new to upload" in second["bat_status_txt"]
    job = farm.client.fetch_job(first["last_job_id"])
    assert job.storage is not None
    checkout = job.storage.shaman_checkout_id
    assert checkout == "shot 010 ñ"
    blendfile = Path(job.settings["blendfile"].replace("{jobs}", str(farm.storage / "jobs")))
    assert blendfile == farm.storage / "jobs" / checkout / "scènes" / "shot 010 ñ.blend"
    assert "maps/seq/wave_0002.png" in files_of(farm.storage / "jobs" / checkout)
    other = farm.client.fetch_job(second["last_job_id"])
    assert other.name == "shot 010: lighting/v2"
    assert other.storage is not None
    assert other.storage.shaman_checkout_id == "shot 010_ lighting_v2"

    farm.until_completed(job.id)
    shown = blender.run("frames", home, url=farm.url, file=project["shot"], job_id=job.id, name=job.name)
    assert shown["colours"]["000002.png"] == [RED, [0.0, 0.5, 0.0], BLUE, YELLOW]


def test_abort_in_the_middle_of_an_upload(
    blender: Blender, shaman_farm: Farm, project: dict[str, str], home: Path
) -> None:
    farm = shaman_farm
    grow(project, 300_000_000)
    jobs, checkouts = len(farm.jobs()), sorted((farm.storage / "jobs").iterdir())
    found = submit(blender, home, farm, project["shot"], abort_in="TRANSFERRING", **paused())
    (result,) = found["results"]
    assert result["seen"], "it was over before it could be aborted"
    assert "MB" in result["seen"][0][2]
    assert (result["result"], result["bat_status"]) == (["CANCELLED"], "ABORTED")
    assert len(farm.jobs()) == jobs
    assert sorted((farm.storage / "jobs").iterdir()) == checkouts
    assert not list((farm.storage / "file-store" / "uploading").rglob("*.tmp"))


def test_an_upload_survives_a_restart_of_the_manager(
    blender: Blender, shaman_farm: Farm, project: dict[str, str], home: Path
) -> None:
    farm = shaman_farm
    with grow(project, 500_000_000).open("ab") as file:
        file.write(os.urandom(16))
    arguments = {"url": farm.url, "renders": str(farm.renders), "file": project["shot"], "settings": {}, **paused()}
    process = blender.start("submit", home, arguments)
    until("the upload is on its way", lambda: upload_is_running(farm), 120)
    farm.stop_manager()
    farm.start_manager()
    found = blender.finish(process, home)
    (result,) = found["results"]
    assert result["result"] == ["FINISHED"], found["output"]
    job = farm.client.fetch_job(result["last_job_id"])
    assert job.storage is not None
    sent = farm.storage / "jobs" / str(job.storage.shaman_checkout_id) / "maps" / "seq" / "wave_0002.png"
    assert sent.stat().st_size == 500_000_016


def upload_is_running(farm: Farm) -> bool:
    return any(path.stat().st_size > 0 for path in (farm.storage / "file-store" / "uploading").rglob("*.tmp"))


def test_two_artists_send_the_same_files(shaman_farm: Farm, tmp_path: Path) -> None:
    files = []
    for number in range(12):
        path = tmp_path / f"{number}.exr"
        path.write_bytes(os.urandom(3_000_000))
        files.append(packing.describe(path, PurePosixPath(path.name)))

    def send(name: str) -> shaman.Uploaded:
        with Client(shaman_farm.url) as client:
            return shaman.upload(client, files, name, Progress(), HashCache(None))

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(send, ["artist", "artist"])
    assert one.checkout != other.checkout
    for done in (one, other):
        folder = shaman_farm.storage / "jobs" / done.checkout
        assert sorted(path.name for path in folder.iterdir()) == sorted(file.name for file in files)
