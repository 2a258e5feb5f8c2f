# SPDX-License-Identifier: GPL-3.0-or-later
"""Farms and Blenders for the tests of this folder."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from blenders import Blender, chosen
from whole_farm import Farm


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "blender" in metafunc.fixturenames:
        found = chosen()
        metafunc.parametrize("blender", found, ids=[blender.name for blender in found], scope="session")


@pytest.fixture(scope="session")
def farm(blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A farm without Shaman, whose worker renders with the Blender of the test."""
    with running(Farm(tmp_path_factory.mktemp("farm") / "farm", blender=blender.executable)) as made:
        yield made


@pytest.fixture(scope="session")
def shaman_farm(blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A farm with Shaman."""
    with running(Farm(tmp_path_factory.mktemp("shaman") / "farm", shaman=True, blender=blender.executable)) as made:
        yield made


@contextlib.contextmanager
def running(farm: Farm) -> Iterator[Farm]:
    try:
        farm.start_manager()
        farm.start_worker()
        yield farm
    finally:
        farm.stop()


@pytest.fixture
def project(template: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """A project with everything that is difficult; `shot` is its file. Blender saves what a test sets in there."""
    source, target = Path(template["root"]), tmp_path / "on disk"
    shutil.copytree(source, target)
    return {name: value.replace(str(source), str(target)) for name, value in template.items()}


@pytest.fixture(scope="session")
def template(blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the projects of all tests are copies of."""
    folder = tmp_path_factory.mktemp("project")
    made = blender.run("make_project", folder / "home", root=str(folder / "on disk"))
    return {"root": str(folder / "on disk"), "shot": made["shot"], "project": made["project"]}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Settings of Blender for one test."""
    return tmp_path / "home"
