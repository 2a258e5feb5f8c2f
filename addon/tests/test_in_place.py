# SPDX-License-Identifier: GPL-3.0-or-later
"""Files made by a real Blender: those that are rendered where they are, and those that change while they are sent."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from servers import Reply, Request, serving
from test_bat_and_shaman import blender
from test_sending import JOB, Store

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


def upload(
    library: Path, scene: Path, edit: Callable[[int], None], cache: HashCache | None = None
) -> tuple[Outcome, list[str]]:
    """Uploads the scene to a store; `edit` is called each time that the manager is asked what is missing."""
    store, sent = Store(), []

    def answer(request: Request) -> Reply:
        if request.path.endswith("/jobs/check"):
            return Reply(204)
        if request.path.endswith("/api/v3/jobs"):
            return Reply(json=JOB)
        if request.path.endswith("/checkout/create"):
            sent[:] = [file["path"] for file in json.loads(request.body)["files"]]
            return store(request)
        if request.path.endswith("/requirements"):
            edit(store.asked)
        elif request.method == "POST" and hashlib.sha256(request.body).hexdigest() not in request.path:
            return Reply(417, json={"code": 417, "message": "not what it should be"})
        return store(request)

    order = Order(
        job=SubmittedJob(name="shot", type="t", submitter_platform="linux", settings={}),
        blendfile=scene,
        project=scene.parent,
        mode=Mode.SHAMAN,
        storage=str(library.parent),
    )
    with serving(answer) as server, Client(server.url) as client:
        done = submission.submit(
            order, client, Progress(), cache or HashCache(None), answering(True), datetime.datetime.now
        )
    return done, sent


LINK = """
import bpy
top = {top!r}
material = bpy.data.materials.new("linked")
material.use_nodes = material.use_fake_user = True
bpy.ops.wm.save_as_mainfile(filepath=top + "/library.blend")
image = bpy.data.images.new("new", 8, 8)
image.filepath_raw, image.file_format = top + "/new.png", "PNG"
image.save()
image.source, image.filepath = "FILE", "//new.png"
material.node_tree.nodes.new("ShaderNodeTexImage").image = image
bpy.ops.wm.save_as_mainfile(filepath=top + "/later.blend", copy=True)
bpy.ops.wm.read_factory_settings(use_empty=True)
with bpy.data.libraries.load(top + "/library.blend", link=True) as (_, wanted):
    wanted.materials = ["linked"]
mesh = bpy.data.meshes.new("mesh")
mesh.materials.append(wanted.materials[0])
bpy.context.scene.collection.objects.link(bpy.data.objects.new("thing", mesh))
bpy.ops.wm.save_as_mainfile(filepath=top + "/scene.blend")
bpy.ops.file.make_paths_relative()
bpy.ops.wm.save_mainfile()
"""


def test_a_library_that_links_more_while_it_is_uploaded_is_looked_through_again(tmp_path: Path) -> None:
    top = tmp_path.resolve()
    blender("--python-expr", LINK.format(top=str(top)))
    library, scene = top / "library.blend", top / "scene.blend"

    def edit(asked: int) -> None:
        if asked == 0:
            library.write_bytes((top / "later.blend").read_bytes())

    done, sent = upload(library, scene, edit)
    assert sorted(sent) == ["library.blend", "new.png", "scene.blend"]
    assert done.note == ""


def test_a_library_that_never_rests_is_named(tmp_path: Path) -> None:
    top = tmp_path.resolve()
    blender("--python-expr", LINK.format(top=str(top)))
    library, scene = top / "library.blend", top / "scene.blend"

    class Restless(HashCache):
        """Somebody writes to the library each time that it has just been looked through."""

        def get(self, path: Path, progress: Progress) -> tuple[str, int]:
            if path == library:
                with library.open("ab") as file:
                    file.write(b"more")
            return super().get(path, progress)

    done, _ = upload(library, scene, lambda _asked: None, Restless(None))
    assert done.note.startswith("Changed while it was sent, so what it links since then may be missing: ")
    assert "library.blend" in done.note
