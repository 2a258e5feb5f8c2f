# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths: safe folder names, absolute paths, and the folder that a project starts in. Nothing here follows links."""

from __future__ import annotations

import datetime
import ntpath
import os
import re
import sys
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

__all__ = [
    "PROJECT_MARKERS",
    "PathError",
    "find_project",
    "free_name",
    "is_inside",
    "last_parts",
    "nearest_existing",
    "normalise",
    "pack_folder_name",
    "platform_name",
    "safe_folder_name",
]

#: By the name of the finder: what marks the folder of a project.
PROJECT_MARKERS: dict[str, tuple[str, ...]] = {
    "BLENDER_PROJECT": (".blender_project",),
    "GIT": (".git",),
    "SUBVERSION": (".svn",),
    "NEAREST": (".blender_project", ".git", ".svn", ".hg"),
}

#: File systems allow 255 bytes; this leaves room for what is put before and after.
NAME_LIMIT = 120
_UNSAFE = re.compile(r"[^\w .-]")
_WINDOWS_DRIVE = re.compile(r"^[A-Za-z]:[\\/]")
_WINDOWS_RESERVED = re.compile(r"^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)


class PathError(ValueError):
    """A path with which nothing can be done. The message is for the user."""


def platform_name() -> str:
    """The operating system, as the manager calls it."""
    if sys.platform.startswith("win"):
        return "windows"
    return "darwin" if sys.platform == "darwin" else "linux"


def safe_folder_name(name: str) -> str:
    """A name that every file system and the manager accept for a folder. Two names may give the same one.

    >>> safe_folder_name("shot 010: lighting/v2")
    'shot 010_ lighting_v2'
    """
    # Windows allows neither spaces nor dots at the end, and a dot at the start hides it.
    safe = _UNSAFE.sub("_", name).strip(" ").lstrip(".")
    while len(safe.encode("utf-8")) > NAME_LIMIT:
        safe = safe[:-1]
    safe = safe.strip(" ").rstrip(".").rstrip(" ")
    if _WINDOWS_RESERVED.match(safe):
        safe = "_" + safe
    return safe or "unnamed"


def pack_folder_name(job_name: str, now: datetime.datetime) -> str:
    """The folder of a pack: local time with microseconds, and the name of the job."""
    return f"{now:%Y-%m-%d-%H%M%S.%f}-{safe_folder_name(job_name)}"


def normalise(path: str | PurePath) -> Path:
    """An absolute path without `..`.

    Links are not followed, and mapped drives stay drives. A path with a drive letter keeps it on other platforms.
    """
    text = str(path)
    if not text.strip():
        raise PathError("the path is empty")
    if os.name != "nt" and _WINDOWS_DRIVE.match(text):
        return Path(ntpath.normpath(text).replace("\\", "/"))
    return Path(os.path.abspath(text))


def last_parts(count: int, file: str | PurePath) -> Path:
    """The last folders of a file's path, always relative.

    >>> last_parts(2, "/path/to/some/file.blend").as_posix()
    'to/some'
    """
    if count <= 0:
        return Path()
    text = str(file)
    kind = PureWindowsPath if _WINDOWS_DRIVE.match(text) else PurePosixPath if os.name != "nt" else PureWindowsPath
    folder = kind(text).parent
    parts = folder.parts[1:] if folder.anchor else folder.parts
    return Path(*parts[-count:])


def free_name(start: str, suffix: str) -> Path:
    """A path that begins and ends like this, and does not exist yet."""
    path, number = Path(start + suffix), 1
    while path.exists():
        number += 1
        path = Path(f"{start}-{number}{suffix}")
    return path


def is_inside(path: str | PurePath, folder: str | PurePath) -> bool:
    """Whether a path is below a folder, or is it. Letter case counts, except on Windows."""
    try:
        return normalise(path).is_relative_to(normalise(folder))
    except PathError:
        return False


def find_project(finder: str, blendfile: str | PurePath, folder: str = "") -> Path:
    """The folder that a blend file's project starts in.

    `finder` is a key of `PROJECT_MARKERS`, `FOLDER` for the given folder, or `NONE` for that of the file. Where no
    marker is found, it is the file's folder as well. Raises `PathError`.
    """
    if not str(blendfile):
        raise PathError("the blend file has not been saved yet")
    file = normalise(blendfile)
    if file.is_dir():
        raise PathError(f"{file} is a folder, not a blend file")
    if finder == "NONE":
        return file.parent
    if finder == "FOLDER":
        return _given_project(folder, file)
    try:
        markers = PROJECT_MARKERS[finder]
    except KeyError:
        raise PathError(f"there is no project finder {finder!r}") from None
    for parent in file.parents:
        if any((parent / marker).exists() for marker in markers):
            return parent
    return file.parent


def _given_project(folder: str, file: Path) -> Path:
    if not folder.strip():
        raise PathError("choose the project folder, in the panel or in the preferences of the add-on")
    root = normalise(folder)
    if not root.is_dir():
        raise PathError(f"the project folder {root} does not exist")
    # A file of another project is on its own.
    return root if file.is_relative_to(root) else file.parent


def nearest_existing(path: str | PurePath) -> Path | None:
    """The path, or the nearest folder above it that exists. Parts with placeholders are left out."""
    try:
        found = normalise(path)
    except PathError:
        return None
    for candidate in (found, *found.parents):
        if candidate != Path(candidate.anchor) and candidate.exists():
            return candidate
    return None
