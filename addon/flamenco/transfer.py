# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies a pack to the shared storage."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path, PurePath

from .packing import PackFile, PackProblem, changed, describe
from .progress import Phase, Progress, readable_size

__all__ = ["copy_file", "copy_pack"]

#: How much is copied before looking whether to go on, in bytes.
PIECE = 16 * 1024 * 1024
#: The same where the bytes pass through here.
BUFFER = 1024 * 1024
#: What stands in the pack for people who find it.
INFO = "This is a pack of a render job.\nStart by opening the following blend file:\n    {}\n"
#: How often a file is copied again that is being written to.
ATTEMPTS = 3
#: What the system says when it cannot copy between two files itself.
_CANNOT = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF)


def copy_pack(files: tuple[PackFile, ...], blendfile: PurePath, folder: Path, progress: Progress) -> list[Path]:
    """Copies files into a new folder. What goes wrong leaves no folder behind.

    Gives the blend files that were copied otherwise than they were when they were looked through.

    Raises `PackProblem` and `Cancelled`.
    """
    total = sum(file.size for file in files)
    progress.enter(Phase.TRANSFERRING, f"Copying to {folder.parent}", total)
    created = _create(folder)
    late = []
    try:
        _check_space(folder, total)
        for file in files:
            progress.say(f"Copying {file.source.name}")
            is_late = _copy_unchanged(file, folder / file.destination, progress)
            if is_late and file.source.suffix.lower() == ".blend":
                late.append(file.source)
        (folder / "pack-info.txt").write_text(INFO.format(blendfile.as_posix()), encoding="utf-8")
    except OSError as error:
        _remove(created, folder)
        where = error.filename or folder
        raise PackProblem(f"Cannot copy to the shared storage: {where}: {error.strerror or error}") from error
    except BaseException:
        _remove(created, folder)
        raise
    return late


def copy_file(source: Path, target: Path, progress: Progress) -> None:
    """Copies one file. What goes wrong leaves nothing behind. Raises `PackProblem` and `Cancelled`."""
    try:
        file = describe(source, target)
        progress.enter(Phase.TRANSFERRING, f"Copying {source.name}", file.size)
        _copy_unchanged(file, target, progress)
    except OSError as error:
        with contextlib.suppress(OSError):
            target.unlink()
        raise PackProblem(
            f"Cannot copy {source} to {target.name}: {error.filename or target}: {error.strerror or error}"
        ) from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _create(folder: Path) -> list[Path]:
    """Makes the folder, and gives back which ones above it had to be made, the outermost first."""
    if folder.exists():
        raise PackProblem(f"{folder} exists already; submit again")
    missing = [parent for parent in folder.parents if not parent.exists()]
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise PackProblem(
            f"Cannot create {folder} on the shared storage: {error.strerror or error}. "
            "Is the storage mounted here, and may you write to it?"
        ) from error
    return missing[::-1]


def _remove(created: list[Path], folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for parent in reversed(created):
        try:
            parent.rmdir()
        except OSError:
            # Somebody else uses it by now.
            return


def _check_space(folder: Path, total: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < total:
        raise PackProblem(
            f"The shared storage has {readable_size(free)} free, and the files of this job need {readable_size(total)}"
        )


def _copy_unchanged(file: PackFile, target: Path, progress: Progress) -> bool:
    """Copies a file; once more if somebody wrote to it meanwhile. Whether it is another one than was found."""
    for attempt in range(ATTEMPTS):
        copied = _copy(file.source, target, progress)
        if not changed(file):
            return attempt > 0
        progress.advance(-copied)
        progress.sleep(0.2)
        file = describe(file.source, file.destination)
    raise PackProblem(f"{file.source} is being written to; wait until that is done, and submit again")


def _copy(source: Path, target: Path, progress: Progress) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    copied = 0
    with source.open("rb", buffering=0) as reader, target.open("wb", buffering=0) as writer:
        for count in _copy_pieces(reader, writer):
            progress.check()
            copied += count
            progress.advance(count)
    stat = source.stat()
    # The time tells people how old a texture is; a storage that does not keep it is fine, too.
    with contextlib.suppress(OSError):
        os.utime(target, ns=(time.time_ns(), stat.st_mtime_ns))
    return copied


def _copy_pieces(reader: io.FileIO, writer: io.FileIO) -> Iterator[int]:
    """Copies one file to another; gives the size of each piece that was copied."""
    if hasattr(os, "copy_file_range"):
        # The system copies, and some file servers do it among themselves.
        try:
            while count := os.copy_file_range(reader.fileno(), writer.fileno(), PIECE):
                yield count
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
    # Where that does not work; otherwise there is nothing left to read.
    buffer = memoryview(bytearray(BUFFER))
    while count := reader.readinto(buffer):
        written = 0
        while written < count:
            written += writer.write(buffer[written:count]) or 0
        yield count
