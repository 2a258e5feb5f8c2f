# SPDX-License-Identifier: GPL-3.0-or-later
"""Progress; the jobs of a file and their frames; the ZIP file."""

from __future__ import annotations

import hashlib
import importlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import build
from flamenco import job_records, loader
from flamenco.flamenco_client.models import Job
from flamenco.job_records import JobRecords, Record
from flamenco.progress import Cancelled, Phase, Progress, readable_size, readable_time


def test_progress_knows_how_long_it_takes() -> None:
    now = [0.0]
    progress = Progress(lambda: now[0])
    progress.enter(Phase.TRANSFERRING, "Uploading", 100_000_000)
    assert progress.snapshot().amount == "0 B of 100.0 MB"
    for second in range(1, 5):
        now[0] = float(second)
        progress.advance(10_000_000)
    found = progress.snapshot()
    assert (found.percentage, found.text) == (40, "Uploading")
    assert found.amount == "40.0 MB of 100.0 MB, 10.0 MB/s, 6 s left"
    progress.advance(-40_000_000)
    assert progress.snapshot().percentage == 0
    progress.enter(Phase.COMMUNICATING)
    assert (progress.snapshot().percentage, progress.snapshot().amount) == (0, "")


def test_progress_never_shows_more_than_all() -> None:
    progress = Progress()
    progress.enter(Phase.TRANSFERRING, "", 10)
    progress.advance(20)
    assert progress.snapshot().percentage == 100


def test_a_cancelled_wait_ends_at_once() -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        progress.sleep(60)
    with pytest.raises(Cancelled):
        progress.check()


@pytest.mark.parametrize(
    ("count", "want"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (5e6, "5.0 MB"), (2.25e9, "2.2 GB")]
)
def test_sizes(count: float, want: str) -> None:
    assert readable_size(count) == want


@pytest.mark.parametrize(("seconds", "want"), [(0.1, "1 s"), (59, "59 s"), (61, "1 min 01 s"), (7260, "2 h 01 min")])
def test_times(seconds: float, want: str) -> None:
    assert readable_time(seconds) == want


def record(number: int, **other: object) -> Record:
    values = {
        "id": str(number),
        "name": "shot",
        "manager_url": "http://farm",
        "blendfile": "/film/010.blend",
        "submitted": float(number),
        "output": "/renders/######",
        "extension": ".png",
    }
    return Record(**{**values, **other})  # type: ignore[arg-type]


def test_records_are_kept_by_file_and_manager(tmp_path: Path) -> None:
    records = JobRecords(tmp_path / "not yet there" / "jobs.json")
    records.add(record(1), record(3), record(2, blendfile="/film/020.blend"), record(4, manager_url="http://other"))
    assert [found.id for found in records.of_file("/film/010.blend", "http://farm")] == ["3", "1"]
    # What is known already is worth more than what the manager tells later.
    records.add(record(1, output=""))
    assert records.of_file("/film/010.blend", "http://farm")[1].output == "/renders/######"
    records.add(*(record(number) for number in range(10, 10 + 2 * job_records.LIMIT)))
    assert len(records.load()) == job_records.LIMIT


ADD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from flamenco.job_records import JobRecords, Record
records = JobRecords(Path(sys.argv[2]))
for number in range(20):
    id = f"{sys.argv[3]}-{number}"
    records.add(Record(id, "shot", "http://farm", "/film/010.blend", 1.0, "", ""))
"""


def test_two_blenders_lose_no_record(tmp_path: Path) -> None:
    path = tmp_path / "jobs.json"
    command = [sys.executable, "-c", ADD, str(build.PACKAGE.parent), str(path)]
    both = [subprocess.Popen([*command, name]) for name in ("one", "other")]
    assert [process.wait(60) for process in both] == [0, 0]
    want = {f"{name}-{number}" for name in ("one", "other") for number in range(20)}
    assert {found.id for found in JobRecords(path).load()} == want


def test_what_is_known_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "jobs.json"
    records = JobRecords(path)
    records.add(record(1), record(2))
    before = path.stat()
    records.add(record(2), record(1))
    after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"id": "1"}]', "null"])
def test_damaged_records_are_forgotten(tmp_path: Path, text: str) -> None:
    path = tmp_path / "jobs.json"
    path.write_text(text, encoding="utf-8")
    assert JobRecords(path).load() == []


@pytest.mark.parametrize(
    ("submitted", "stored", "want"),
    [
        (
            "/mnt/r/shot/{timestamp}/######",
            "F:/r/shot/2026-01-02_030405/######",
            "/mnt/r/shot/2026-01-02_030405/######",
        ),
        ("/mnt/r/shot/######", "F:/r/shot/######", "/mnt/r/shot/######"),
        ("", "/r/shot/2026-01-02_030405/######", "/r/shot/2026-01-02_030405/######"),
        ("/r/{timestamp}/######", "", ""),
    ],
)
def test_where_the_frames_are(submitted: str, stored: str, want: str) -> None:
    assert job_records.frames_pattern(submitted, stored) == want


def test_a_record_is_made_of_a_job() -> None:
    settings = {"render_output_path": "/r/2026-01-02_030405/######", "image_file_extension": ".exr"}
    job = Job.from_json(
        {
            "id": "7",
            "name": "shot",
            "type": "t",
            "priority": 1,
            "submitter_platform": "",
            "created": "2026-01-02T03:04:05Z",
            "updated": "2026-01-02T03:04:05Z",
            "status": "active",
            "activity": "",
            "steps_completed": 1,
            "steps_total": 2,
            "settings": settings,
        }
    )
    found = job_records.record_of(job, "http://farm", "/film/010.blend", "/here/{timestamp}/######")
    assert (found.output, found.extension) == ("/here/2026-01-02_030405/######", ".exr")
    assert found.submitted == 1767323045.0


def test_frames_are_found(tmp_path: Path) -> None:
    names = ("000001.png", "000003.png", "1000000.png", "00002.png", "000002.jpg", "000004.png.tmp", "x-000005.png")
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "000009.png").mkdir()
    assert list(job_records.find_frames(str(tmp_path / "######"), ".png")) == [1, 3, 1000000]
    assert list(job_records.find_frames(str(tmp_path / "######"), "")) == [1, 2, 3, 1000000]
    assert list(job_records.find_frames(str(tmp_path / "x-######"), ".png")) == [5]
    assert job_records.find_frames(str(tmp_path / "movie"), ".mp4") == {}
    with pytest.raises(FileNotFoundError):
        job_records.find_frames(str(tmp_path / "gone" / "######"), ".png")


def test_the_zip_file_is_the_same_every_time(tmp_path: Path) -> None:
    build.provide_wheels()
    build.write(tmp_path / "one.zip")
    build.write(tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        assert archive.comment == f"Flamenco add-on for Blender {build.version()}".encode()
    assert names == sorted(names)
    assert all(name.startswith("flamenco/") for name in names)
    assert not [name for name in names if "__pycache__" in name or "/." in name or name.endswith(".pyc")]
    for name in ("__init__.py", "blender_manifest.toml", "LICENSE", "flamenco_client/models.py", "panel.py"):
        assert f"flamenco/{name}" in names
    wheels = [name for name in names if name.endswith(".whl")]
    assert len(wheels) == 2


def test_wheels_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "WHEELS", tmp_path)
    for wheel in loader.WHEELS.iterdir():
        (tmp_path / wheel.name).write_bytes(wheel.read_bytes())
    forged = tmp_path / "blender_asset_tracer-9.9-py3-none-any.whl"
    forged.write_bytes(b"not what it says")
    build.provide_wheels()
    assert not forged.exists()
    found = {hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in tmp_path.iterdir()}
    assert found == build.expected_hashes()


def test_versions_agree() -> None:
    assert build.version().count(".") == 2


def test_extensions_get_every_wheel_from_blender() -> None:
    """Blender says that an extension violates its policy when it finds libraries by itself."""
    manifest = (build.PACKAGE / "blender_manifest.toml").read_text(encoding="utf-8")
    build.provide_wheels()
    assert sorted(re.findall(r'"\./wheels/(.+\.whl)"', manifest)) == sorted(
        wheel.name for wheel in build.WHEELS.iterdir()
    )


def tracer_modules() -> dict[str, object]:
    return {name: module for name, module in sys.modules.items() if name.startswith("blender_asset_tracer")}


def test_the_bundled_tracer_disturbs_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "blender_asset_tracer.py").write_text("__version__ = 'of somebody else'\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "blender_asset_tracer", raising=False)
    other = importlib.import_module("blender_asset_tracer")
    monkeypatch.setattr(loader, "_loaded", {})
    path, modules, had_alias = list(sys.path), tracer_modules(), "__mp_main__" in sys.modules
    assert loader.asset_tracer("pack").Packer
    assert sys.modules["blender_asset_tracer"] is other
    assert sys.path == path
    assert ("__mp_main__" in sys.modules) == had_alias
    assert tracer_modules() == modules


def test_a_package_without_wheels_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "WHEELS", tmp_path)
    monkeypatch.setattr(loader, "_loaded", {})
    with pytest.raises(loader.MissingLibrary, match=r"install flamenco-addon\.zip"):
        loader.asset_tracer("pack")
