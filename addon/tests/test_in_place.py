# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are rendered where they are, made by a real Blender."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from servers import Reply, Request, serving
from test_bat_and_shaman import blender
from test_sending import JOB

from flamenco import submission
from flamenco.flamenco_client import Client
from flamenco.flamenco_client.models import SubmittedJob
from flamenco.hashing import HashCache
from flamenco.progress import Progress
from flamenco.submission import Mode, Order, Outcome, Question, SubmissionFailed

MAKE = """
import bpy, sys
top = {top!r}
bpy.ops.wm.save_as_mainfile(filepath=top + "/storage/film/a.blend")
for name, path in (("gone", "//gone.png"), ("here", "//here.png"), ("outside", top + "/outside.png")):
    image = bpy.data.images.new(name, 8, 8)
    if name != "gone":
        image.filepath_raw, image.file_format = bpy.path.abspath(path), "PNG"
        image.save()
    image.source, image.filepath, image.use_fake_user = "FILE", path, True
bpy.ops.wm.save_mainfile()
"""


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shared storage with a project, and a picture outside of it."""
    made = tmp_path_factory.mktemp("farm").resolve()
    (made / "storage/film").mkdir(parents=True)
    blender("--python-expr", MAKE.format(top=str(made)))
    return made


def submit(top: Path, question: Question, frozen: Path | None = None, file: str = "a.blend") -> tuple[Outcome, str]:
    """Submits the file; the outcome, and what the job renders."""
    rendered: list[str] = []

    def take(request: Request) -> Reply:
        if request.path.endswith("/check"):
            return Reply(204)
        rendered.append(json.loads(request.body)["settings"]["blendfile"])
        return Reply(json=JOB)

    blendfile = top / "storage/film" / file
    order = Order(
        job=SubmittedJob(name="shot", type="t", submitter_platform="linux", settings={}),
        blendfile=blendfile,
        project=blendfile.parent,
        mode=Mode.AS_IS,
        storage=str(top / "storage"),
        frozen=frozen,
    )
    with serving(take) as server, Client(server.url) as client:
        done = submission.submit(order, client, Progress(), HashCache(None), question, datetime.datetime.now)
    return done, rendered[0]


def answering(answer: bool) -> Question:
    question = Question()
    question.answer(answer)
    return question


def test_missing_files_are_listed_before_the_job_is_made(top: Path) -> None:
    film = top / "storage/film"
    before = sorted(path.name for path in film.iterdir())
    with pytest.raises(SubmissionFailed, match=r"files are missing: .*/film/gone\.png$"):
        submit(top, answering(False))
    done, rendered = submit(top, answering(True))
    assert rendered == str(film / "a.blend")
    assert done.missing == (film / "gone.png",)
    # Workers may not have it at this place.
    assert done.overlooked == (top / "outside.png",)
    assert sorted(path.name for path in film.iterdir()) == before


def test_the_copy_that_is_rendered_is_made_by_the_submission(top: Path) -> None:
    frozen = top / "storage/film/a-frozen.flamenco.blend"
    done, rendered = submit(top, answering(True), frozen)
    assert rendered == str(frozen)
    assert frozen.read_bytes() == (top / "storage/film/a.blend").read_bytes()
    assert done.missing == (top / "storage/film/gone.png",)
    nowhere = top / "storage" / "a.blend" / "frozen.blend"
    nowhere.parent.touch()
    with pytest.raises(SubmissionFailed, match="Cannot copy"):
        submit(top, answering(True), nowhere)


def test_what_cannot_be_looked_into_is_still_submitted(top: Path) -> None:
    """It was before; and workers may have what this machine lacks to read it."""
    (top / "storage/film/odd.blend").write_bytes(b"not as Blender writes it")
    done, rendered = submit(top, answering(False), file="odd.blend")
    assert rendered.endswith("odd.blend")
    assert done.note.startswith("It was not looked whether files are missing: Cannot read a blend file")
