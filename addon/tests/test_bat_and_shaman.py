# SPDX-License-Identifier: GPL-3.0-or-later
"""A project made by a real Blender, packed by the real Blender Asset Tracer, sent to a real manager."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bat_client import FileStore, ManagerError, ShamanPacker
from farm import running_manager
from flamenco_client import ApiError, models

HERE = Path(__file__).resolve().parent
OUTSIDE = "_outside_project"


def blender(*arguments) -> str:
    """What Blender prints."""
    command = ["blender", "--background", "--factory-startup", "--python-exit-code", "1", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A folder with `project` and `outside project`."""
    top = tmp_path_factory.mktemp("farm project").resolve()
    blender("--python", HERE / "make_project.py", "--", top)
    return top


@pytest.fixture
def manager(tmp_path):
    with running_manager(tmp_path) as manager:
        yield manager


def send(project: Path, manager, name: str, like: str = "v1") -> ShamanPacker:
    scene = project / "project/shots/scene.blend"
    with ShamanPacker(scene, project / "project", manager.url, name, like) as packer:
        packer.strategise()
        packer.execute()
        assert packer.sent is not None
        return packer


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_as_sent(files: list[dict], checkout: Path) -> None:
    """The checkout has exactly the files that were sent, with their contents."""
    there = {path.relative_to(checkout).as_posix(): path for path in checkout.rglob("*") if not path.is_dir()}
    sent = {file["path"].replace("\\", "/"): file for file in files}
    assert there.keys() == sent.keys()
    for path, file in sent.items():
        assert (checksum(there[path]), there[path].stat().st_size) == (file["sha"], file["size"]), path


def everything_loads(scene: Path, checkout: Path) -> dict:
    """Blender opens the scene and finds all its files inside the checkout."""
    printed = blender(scene, "--python", HERE / "look_at_scene.py")
    line = next(line for line in printed.splitlines() if line.startswith("FOUND "))
    found = json.loads(line.removeprefix("FOUND "))
    for name, what in found.items():
        assert what["loads"], (name, what)
        if what["path"]:
            assert os.path.normpath(what["path"]).startswith(str(checkout) + os.sep), (name, what)
    return found


def submit(manager, blendfile: str, checkout_id: str | None) -> models.Job:
    storage = models.JobStorageInfo(shaman_checkout_id=checkout_id) if checkout_id else None
    settings = {
        "chunk_size": 1,
        "frames": "1-2",
        "render_output_root": "/render",
        "add_path_components": 0,
        "render_output_path": "/render/######",
        "blendfile": blendfile,
        "fps": 24,
        "format": "PNG",
        "image_file_extension": ".png",
        "has_previews": False,
    }
    job = models.SubmittedJob(
        name="packed",
        type="simple-blender-render",
        priority=50,
        submitter_platform="linux",
        settings=settings,
        metadata={},
        storage=storage,
    )
    return manager.client.submit_job(job)


def delete(manager, job: models.Job) -> None:
    manager.client.delete_job(job.id)
    for _ in range(200):
        try:
            manager.client.fetch_job(job.id)
        except ApiError as error:
            assert error.status == 404
            return
        time.sleep(0.05)
    raise AssertionError("the job was not erased")


@pytest.mark.parametrize("like", ["v1", "v2", "v2 on Windows"])
def test_a_project_arrives_as_it_is(project, manager, like):
    packer = send(project, manager, "Ránið/skot 10", like)
    checkout = manager.checkout(packer.sent.checkout_path)
    assert packer.sent.checkout_path == "Ránið/skot 10"
    is_as_sent(packer.sent.files, checkout)

    scene = checkout / packer.path_in_checkout
    # What lies in the project is at its place and unchanged; the rest is beside it, and the scene knows where.
    for path in ("tex/wood.png", "tex/same as wood.png", "tex/sequence-002.png", "lib/asset.blend"):
        assert checksum(checkout / path) == checksum(project / "project" / path), path
    (outside,) = (checkout / OUTSIDE).rglob("*.png")
    assert checksum(outside) == checksum(project / "outside project/málning/Ránið 1.png")
    assert checksum(scene) != checksum(project / "project/shots/scene.blend"), "its path to the outside has changed"
    found = everything_loads(scene, checkout)
    assert set(found) == {"wood", "copy", "sequence", "outside", "library", "asset.blend", "thing"}

    # The stock client of the second generation does not say which checkout its job uses.
    checkout_id = packer.sent.checkout_path
    blendfile = f"{{jobs}}/{checkout_id}/{packer.path_in_checkout}"
    job = submit(manager, blendfile, checkout_id if like == "v1" else None)
    assert job.storage is not None and job.storage.shaman_checkout_id == checkout_id
    assert manager.client.delete_job_what_would_it_do(job.id).shaman_checkout
    delete(manager, job)
    assert not (manager.storage / "jobs/Ránið").exists()


def test_only_what_changed_is_uploaded_again(project, manager):
    first = send(project, manager, "shot")
    uploads = [status for status in first.sent.store.statuses if status == 204]
    # Two of the files have the same content.
    assert len(uploads) == len({file["sha"] for file in first.sent.files}) == len(first.sent.files) - 1
    again = send(project, manager, "shot")
    unchanged = {file["sha"] for file in first.sent.files}
    changed = [file for file in again.sent.files if file["sha"] not in unchanged]
    assert len([status for status in again.sent.store.statuses if status == 204]) == len(changed)
    assert again.sent.checkout_path.startswith("shot-")
    for packer in (first, again):
        is_as_sent(packer.sent.files, manager.checkout(packer.sent.checkout_path))


def test_two_artists_send_the_same_project_at_the_same_time(project, manager):
    scene = project / "project/shots/scene.blend"
    artists = [
        subprocess.Popen(
            [sys.executable, HERE / "bat_client.py", scene, project / "project", manager.url, "shot", like],
            stdout=subprocess.PIPE,
        )
        for like in ("v1", "v2", "v1", "v2")
    ]
    sent = [json.loads(artist.communicate(timeout=120)[0]) for artist in artists]
    assert len({one["checkout_path"] for one in sent}) == len(artists)
    for one in sent:
        is_as_sent(one["files"], manager.checkout(one["checkout_path"]))


def test_errors_that_clients_have_texts_for(manager):
    store = FileStore(manager.url)
    content = b"content"
    file = {"sha": hashlib.sha256(content).hexdigest(), "size": len(content), "path": "a.blend"}
    with pytest.raises(ManagerError) as missing:
        store.create([file], "shot")
    assert missing.value.status == 424
    with pytest.raises(ManagerError) as name:
        store.create([], "shot: 3")
    assert name.value.status == 400


def test_the_typed_client_speaks_the_same(manager, tmp_path):
    source = tmp_path / "Ránið.bin"
    source.write_bytes(os.urandom(3_000_000))
    sha, size = checksum(source), source.stat().st_size
    file = models.ShamanFileSpec(sha=sha, size=size, path="bin/Ránið.bin")
    client = manager.client
    missing = client.shaman_checkout_requirements(models.ShamanRequirementsRequest(files=[file])).files
    assert [(file.path, file.status) for file in missing] == [("bin/Ránið.bin", models.ShamanFileStatus.UNKNOWN)]
    for status in (204, 208):
        with source.open("rb") as body:
            options = {"x_shaman_can_defer_upload": True, "x_shaman_original_filename": "Ranid.bin"}
            assert client.shaman_file_store(sha, size, body, **options) == status
    assert client.shaman_file_store_check(sha, size).status == models.ShamanFileStatus.STORED
    made = client.shaman_checkout(models.ShamanCheckout(files=[file], checkout_path="typed"))
    assert checksum(manager.checkout(made.checkout_path) / "bin/Ránið.bin") == sha
