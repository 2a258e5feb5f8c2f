# SPDX-License-Identifier: GPL-3.0-or-later
"""Folder names, absolute paths and projects."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from flamenco import paths


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("shot 010", "shot 010"),
        ("shot 010: lighting/v2", "shot 010_ lighting_v2"),
        ('a*b?c"d<e>f|g;h{i}j\\k', "a_b_c_d_e_f_g_h_i_j_k"),
        ("../../etc/passwd", "_.._etc_passwd"),
        (".hidden", "hidden"),
        ("ends with dots...", "ends with dots"),
        ("   ", "unnamed"),
        ("", "unnamed"),
        ("...", "unnamed"),
        ("ránið/lélegt vélmenni", "ránið_lélegt vélmenni"),
        ("プロップ", "プロップ"),
        ("con", "_con"),
        ("LPT1.blend", "_LPT1.blend"),
        ("console", "console"),
        ("tab\tline\nbreak", "tab_line_break"),
        ("x" * 300, "x" * 120),
        ("ü" * 300, "ü" * 60),
    ],
)
def test_folder_names_are_safe(name: str, want: str) -> None:
    assert paths.safe_folder_name(name) == want


def test_a_pack_is_named_by_time_and_job() -> None:
    now = datetime.datetime(2026, 4, 21, 13, 14, 15, 123456)
    assert paths.pack_folder_name("shot/010", now) == "2026-04-21-131415.123456-shot_010"


@pytest.mark.parametrize(
    ("count", "path", "want"),
    [
        (2, "/path/to/some/file.blend", "to/some"),
        (200, "/path/to/some/file.blend", "path/to/some"),
        (200, r"C:\path\to\some\file.blend", "path/to/some"),
        (1, "C:/path/to/some/file.blend", "some"),
        (0, "/path/to/some/file.blend", "."),
        (-1, "/path/to/some/file.blend", "."),
        (2, "/file.blend", "."),
        (2, "", "."),
    ],
)
def test_last_folders(count: int, path: str, want: str) -> None:
    found = paths.last_parts(count, path)
    assert found.as_posix() == want
    assert not found.is_absolute()


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("/a/b/../c", "/a/c"),
        ("/a/./b//c/", "/a/b/c"),
        (r"F:\shots\..\renders", "F:/renders"),
        ("F:/shots/010/../020", "F:/shots/020"),
    ],
)
def test_absolute_paths(path: str, want: str) -> None:
    assert paths.normalise(path).as_posix() == want


@pytest.mark.parametrize("path", ["", "  "])
def test_an_empty_path_is_not_the_current_folder(path: str) -> None:
    with pytest.raises(paths.PathError, match="empty"):
        paths.normalise(path)


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert paths.normalise(tmp_path / "link" / "x.blend") == tmp_path / "link" / "x.blend"


@pytest.mark.parametrize(
    ("path", "folder", "want"),
    [
        ("/farm/a.blend", "/farm", True),
        ("/farm/../elsewhere/a.blend", "/farm", False),
        ("/farm2/a.blend", "/farm", False),
        ("/FARM/a.blend", "/farm", False),
        ("/farm/a.blend", "", False),
    ],
)
def test_inside(path: str, folder: str, want: bool) -> None:
    assert paths.is_inside(path, folder) is want


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    shot = tmp_path / "studio" / "film" / "shots" / "010"
    shot.mkdir(parents=True)
    (shot / "010.blend").touch()
    (tmp_path / "studio" / ".svn").mkdir()
    # A file counts as well: work trees of Git have one.
    (tmp_path / "studio" / "film" / ".git").touch()
    return tmp_path / "studio"


@pytest.mark.parametrize(
    ("finder", "want"),
    [
        ("GIT", "film"),
        ("SUBVERSION", "."),
        ("NEAREST", "film"),
        ("BLENDER_PROJECT", "film/shots/010"),
        ("NONE", "film/shots/010"),
    ],
)
def test_projects(tree: Path, finder: str, want: str) -> None:
    blendfile = tree / "film" / "shots" / "010" / "010.blend"
    assert paths.find_project(finder, blendfile) == tree / want


def test_a_chosen_project_folder(tree: Path) -> None:
    blendfile = tree / "film" / "shots" / "010" / "010.blend"
    assert paths.find_project("FOLDER", blendfile, str(tree / "film")) == tree / "film"
    other = tree / "other"
    other.mkdir()
    assert paths.find_project("FOLDER", blendfile, str(other)) == blendfile.parent
    for folder, message in ((str(tree / "gone"), "does not exist"), ("", "choose the project folder")):
        with pytest.raises(paths.PathError, match=message):
            paths.find_project("FOLDER", blendfile, folder)


def test_projects_of_files_that_are_none(tree: Path) -> None:
    for finder, file, message in (
        ("GIT", "", "not been saved"),
        ("GIT", tree, "is a folder"),
        ("DARCS", tree / "x.blend", "no project finder 'DARCS'"),
    ):
        with pytest.raises(paths.PathError, match=message):
            paths.find_project(finder, file)


def test_the_nearest_folder_that_exists(tmp_path: Path) -> None:
    assert paths.nearest_existing(tmp_path / "job" / "{timestamp}" / "######") == tmp_path
    assert paths.nearest_existing("/nothing/of/this/exists") is None
    assert paths.nearest_existing("") is None
