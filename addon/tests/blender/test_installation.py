# SPDX-License-Identifier: GPL-3.0-or-later
"""The ZIP file in Blender, as a legacy add-on and as an extension; and what is stored in files."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from blenders import Blender
from servers import Reply, serving
from whole_farm import ROOT, Farm, free_port, until

ADDON = ROOT / "addon"


@pytest.mark.parametrize("extension", [False, True], ids=["legacy", "extension"])
def test_it_installs_with_the_manager_away(blender: Blender, home: Path, extension: bool) -> None:
    if extension and not blender.has_extensions:
        pytest.skip("this Blender has no extensions")
    fresh = dataclasses.replace(blender, scripts=home / "scripts")
    found = fresh.run("install", home, extension=extension, url=f"http://127.0.0.1:{free_port()}")
    assert found["leftovers"] == []
    assert found["ping"].startswith("Nothing listens at")
    assert found["result"] == ["FINISHED"]
    assert found["seconds"] < 10
    assert not found["can_submit"]
    # Extensions get the wheel from Blender, legacy add-ons from the ZIP file.
    assert ("site-packages" in found["tracer"]) == extension
    assert ("/extensions/" in found["module"]) == extension
    assert found.get("warnings", []) == []
    assert "Traceback" not in found["output"]


def test_blender_accepts_the_manifest(blender: Blender, home: Path) -> None:
    if not blender.has_extensions:
        pytest.skip("this Blender has no extensions")
    found = blender.run("validate", home)
    assert found["code"] == 0, found["said"]
    assert "Success parsing TOML" in found["said"]


def test_all_symbols_exist(blender: Blender, home: Path) -> None:
    used = set()
    for source in (ADDON / "flamenco").glob("*.py"):
        text = source.read_text(encoding="utf-8")
        used |= set(re.findall(r'icon="([A-Z0-9_]+)"', text))
        if source.name == "panel.py":
            used |= set(re.findall(r': "([A-Z0-9]+)",$', text.partition("_ICONS")[2].partition("}")[0], re.MULTILINE))
    assert len(used) > 15
    assert used <= set(blender.run("icons", home)["icons"])


KINDS = """
const JOB_TYPE = { label: "Every Kind", description: "All of them", settings: SETTINGS };
function compileJob(job) {
    const task = author.Task("say", "misc");
    task.addCommand(author.Command("echo", { message: "done" }));
    job.addTask(task);
}
"""
SETTINGS: list[dict[str, Any]] = [
    {"key": "text", "type": "string", "default": "dflt", "description": "A text", "label": "Some Text"},
    {"key": "folder", "type": "string", "subtype": "dir_path"},
    {"key": "file", "type": "string", "subtype": "file_path"},
    {"key": "hashed", "type": "string", "subtype": "hashed_file_path"},
    {"key": "number", "type": "int32", "default": 5, "propargs": {"min": 1, "max": 9}},
    {"key": "ratio", "type": "float", "default": 0.5, "propargs": {"min": 0, "max": 1}},
    {"key": "flag", "type": "bool", "default": True},
    {"key": "flavour", "type": "string", "choices": ["süß", "sour", "salt"], "default": "sour"},
    {"key": "evaluated", "type": "int32", "eval": "C.scene.frame_end + 1"},
    {
        "key": "linked",
        "type": "string",
        "eval": "'-'.join(str(settings.number) for _ in range(2))",
        "evalInfo": {"showLinkButton": True, "description": "Twice the number"},
    },
    {"key": "computed", "type": "string", "editable": False, "eval": "settings.text + '/' + settings.linked"},
    {"key": "broken", "type": "int32", "editable": False, "eval": "settings.number + 0"},
    {"key": "unseen", "type": "bool", "visible": "hidden", "default": True},
    {"key": "worked_out", "type": "float", "visible": "web", "eval": "C.scene.render.fps / 2"},
    {"key": "name", "type": "string", "default": "clash"},
]
NAMES = ["text", "number", "ratio", "flag", "flavour", "evaluated", "linked", "autoeval_linked", "computed", "folder"]


def write(farm: Farm, settings: list[dict[str, Any]]) -> None:
    (farm.scripts / "every_kind.js").write_text(KINDS.replace("SETTINGS", json.dumps(settings)), encoding="utf-8")

    def is_known() -> bool:
        types = {found.name: found for found in farm.client.get_job_types().job_types}
        found = types.get("every-kind")
        return found is not None and [one.to_json()["key"] for one in found.settings] == [
            one["key"] for one in settings
        ]

    until("the manager has the script", is_known)


def test_settings_are_properties_and_stay_in_the_file(blender: Blender, farm: Farm, home: Path) -> None:
    write(farm, SETTINGS)
    common = {"url": farm.url, "file": str(home / "kept é.blend"), "names": NAMES, "renders": ""}
    values = {"text": "mine", "number": 9, "flag": False, "flavour": "süß", "evaluated": 0, "folder": "//here"}
    first = blender.run("settings", home, step="set", set=values, **common)
    assert first["before"] == {
        "text": "dflt",
        "number": 5,
        "ratio": 0.5,
        "flag": True,
        "flavour": "sour",
        "evaluated": 251,
        "linked": "5-5",
        "autoeval_linked": True,
        "computed": "dflt/5-5",
        "folder": "",
    }
    described = first["described"]
    assert described["text"] == ["STRING", "NONE", "Some Text", "A text", False, []]
    assert described["folder"][1] == "DIR_PATH"
    assert described["computed"][4] is True
    assert described["flavour"][0] == "ENUM"
    assert first["keys"] == [True]

    # The order of the choices is another one, and one of them is gone: what was chosen stays by its name.
    later = [dict(one) for one in SETTINGS if one["key"] != "broken"]
    next(one for one in later if one["key"] == "flavour")["choices"] = ["bitter", "salt", "sour", "süß"]
    write(farm, later)
    second = blender.run("settings", home, step="submit", **common)
    assert second["job_type"] == "every-kind"
    assert second["job_name"] == "kept é"
    assert second["other"] == 7
    # A value of 0 that somebody set is not taken for one that is missing.
    assert second["after"] == {
        "text": "mine",
        "number": 9,
        "ratio": 0.5,
        "flag": False,
        "flavour": "süß",
        "evaluated": 0,
        "linked": "5-5",
        "autoeval_linked": True,
        "computed": "mine/9-9",
        "folder": "//here",
    }
    assert second["result"] == ["FINISHED"], second["output"]
    job = farm.client.fetch_job(second["last_job_id"])
    assert job.name == "kept é"
    assert job.settings == {
        "text": "mine",
        "folder": "//here",
        "file": "",
        "hashed": "",
        "number": 9,
        "ratio": 0.5,
        "flag": False,
        "flavour": "süß",
        "evaluated": 0,
        "linked": "9-9",
        "computed": "mine/9-9",
        "unseen": True,
        "worked_out": 12.0,
        "name": "clash",
    }

    # Without the job type, nothing is lost.
    (farm.scripts / "every_kind.js").unlink()
    until("it is gone", lambda: not [one for one in farm.client.get_job_types().job_types if one.name == "every-kind"])
    # Even when the file is saved meanwhile.
    third = blender.run("settings", home, step="save", **common)
    assert third["job_type"] == "every-kind"
    assert third["label"] == "every-kind (not on this manager)"
    assert third["after"] is None
    write(farm, SETTINGS)
    fourth = blender.run("settings", home, step="look", **common)
    assert fourth["after"]["text"] == "mine"
    assert fourth["after"]["flavour"] == "süß"
    (farm.scripts / "every_kind.js").unlink()


def test_job_types_share_what_is_set_and_broken_ones_are_marked(blender: Blender, farm: Farm, home: Path) -> None:
    shared: list[dict[str, Any]] = [
        {"key": "text", "type": "string", "default": "other"},
        {"key": "number", "type": "string", "default": "of another type"},
        {"key": "ratio", "type": "float", "default": 0.25},
        {"key": "flavour", "type": "string", "choices": ["bitter", "sour"]},
        {"key": "linked", "type": "string", "eval": "'own'", "evalInfo": {"showLinkButton": True}},
    ]
    for name, settings in (
        ("other_kind", shared),
        # Blender takes no text with a zero in it.
        ("broken_kind", [{"key": "text", "type": "string", "default": "zero \0 zero"}]),
    ):
        script = KINDS.replace("SETTINGS", json.dumps(settings)).replace("Every Kind", name)
        (farm.scripts / f"{name}.js").write_text(script, encoding="utf-8")
    write(farm, SETTINGS)
    until("they are known", lambda: {"other-kind", "broken-kind"} <= {one.name for one in farm.job_types()})
    found = blender.run("other_type", home, url=farm.url, file=str(home / "x.blend"), renders="")
    for name in ("every_kind", "other_kind", "broken_kind"):
        (farm.scripts / f"{name}.js").unlink()
    assert found["carried"] == {
        "text": "mine",
        "number": "of another type",
        # Nobody has set it, and the other type has a default of its own.
        "ratio": 0.25,
        # It is none of the choices there.
        "flavour": "bitter",
        "autoeval_linked": False,
    }
    # Back again, everything is as it was.
    assert found["back"] == {"text": "mine", "number": 7, "flavour": "salt"}
    label, reason = found["broken"]
    assert label == "broken-kind (broken)"
    assert reason
    assert found["why"].startswith("The job type 'broken-kind' is broken (")
    assert not found["can_submit"]


def test_a_manager_that_is_too_old_is_told_at_once(blender: Blender, home: Path) -> None:
    location = {"location": "/farm", "audience": "users", "platform": "linux", "shamanEnabled": False}
    paths = {
        "/api/v3/version": Reply(json={"version": "3.8", "shortversion": "3.8", "name": "Old Farm", "git": "x"}),
        "/api/v3/configuration/shared-storage/users/linux": Reply(json=location),
        "/api/v3/jobs/types": Reply(json={"job_types": []}),
        "/api/v3/worker-mgt/tags": Reply(json={"tags": []}),
    }
    with serving(paths) as server:
        found = blender.run("connect", home, url=server.url)
        assert found["status_ping"].startswith("Old Farm has version 3.8, but this add-on is ")
        del paths["/api/v3/worker-mgt/tags"]
        found = blender.run("connect", home, url=server.url)
        assert found["status_ping"].startswith("Old Farm has version 3.8, but this add-on is ")


def test_an_expression_that_fails_stops_the_submission(blender: Blender, farm: Farm, home: Path) -> None:
    write(farm, [*SETTINGS[:6], {"key": "broken", "type": "int32", "editable": False, "eval": "settings.broken + 1"}])
    common = {"url": farm.url, "file": str(home / "x.blend"), "names": ["number"], "renders": ""}
    blender.run("settings", home, step="set", set={}, **{**common, "names": ["text"]})
    jobs = len(farm.jobs())
    found = blender.run("settings", home, step="submit", **common)
    assert found["result"] == ["CANCELLED"]
    assert found["bat_status_txt"] == "cannot work out the setting 'broken': it depends on itself"
    assert len(farm.jobs()) == jobs
    (farm.scripts / "every_kind.js").unlink()


def test_the_manager_is_found_on_the_network(blender: Blender, tmp_path: Path, home: Path) -> None:
    farm = Farm(tmp_path / "farm", announce=True)
    try:
        farm.start_manager()
        found = blender.run("find", home)
    finally:
        farm.stop()
    assert found["result"] == ["FINISHED"], found["output"]
    # Others may be on the network, too.
    assert farm.url in found["output"]
    assert found["url"].startswith("http://")
