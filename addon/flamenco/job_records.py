# SPDX-License-Identifier: GPL-3.0-or-later
"""Remembers which jobs were submitted from which file, and finds the frames that they rendered."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .flamenco_client.models import Job

# Each system has one of them.
fcntl: Any
msvcrt: Any
try:
    import fcntl
except ImportError:
    import msvcrt

    fcntl = None

__all__ = ["BLENDFILE_KEY", "JobRecords", "Record", "find_frames", "frames_pattern", "record_of"]

#: Metadata of a job with the path of the artist's file.
BLENDFILE_KEY = "blend.file"
#: How many jobs are remembered.
LIMIT = 200
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d_\d{6}")
_HASHES = re.compile(r"#+")


@dataclasses.dataclass(frozen=True)
class Record:
    """A job that was submitted."""

    id: str
    name: str
    manager_url: str
    blendfile: str
    #: When, in seconds since 1970.
    submitted: float
    #: Where the frames are, as this machine sees them, with `######` for the number of the frame. May be empty.
    output: str
    #: Extension of the frames, such as `.png`. May be empty.
    extension: str


class JobRecords:
    """The records, in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> list[Record]:
        """All records, the newest first. A damaged file counts as empty."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            records = [Record(**entry) for entry in found]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError) as error:
            print(f"Flamenco: {self._path} is not used: {error}")
            return []
        return [record for record in records if isinstance(record.submitted, (int, float))]

    def of_file(self, blendfile: str, manager_url: str) -> list[Record]:
        """The jobs of one file at one manager, the newest first."""
        return [r for r in self.load() if r.blendfile == blendfile and r.manager_url == manager_url]

    def add(self, *records: Record) -> None:
        """Remembers jobs that are not known yet. Failing to is not worth more than a line in the terminal."""
        if not self._new(records):
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(self._path.with_name(f"{self._path.name}.lock")):
                # Another Blender may have added some meanwhile.
                self._write([*self.load(), *self._new(records)])
        except OSError as error:
            print(f"Flamenco: cannot remember the job: {error}")

    def _new(self, records: Iterable[Record]) -> list[Record]:
        """Those that are not remembered: what was noted at the submission knows more than what is told later."""
        known = {record.id for record in self.load()}
        return [record for record in records if record.id not in known]

    def _write(self, records: list[Record]) -> None:
        newest = sorted(records, key=lambda record: record.submitted, reverse=True)[:LIMIT]
        text = json.dumps([dataclasses.asdict(record) for record in newest], indent=1, ensure_ascii=False)
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, self._path)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keeps other Blenders of this person out, for the moment that it takes. Raises `OSError`."""
    with path.open("a+b") as file:
        if fcntl is not None:
            # The system takes it back when the file is closed, also when Blender crashes.
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
            return
        # Waits for up to ten seconds.
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        try:
            yield
        finally:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)


def record_of(job: Job, manager_url: str, blendfile: str, output: str = "") -> Record:
    """The record of a job. `output` is the output path as it was submitted, in this machine's notation."""
    settings: dict[str, Any] = job.settings or {}
    return Record(
        id=job.id,
        name=job.name,
        manager_url=manager_url,
        blendfile=blendfile,
        submitted=job.created.timestamp(),
        output=frames_pattern(output, str(settings.get("render_output_path") or "")),
        extension=str(settings.get("image_file_extension") or ""),
    )


def frames_pattern(submitted: str, stored: str) -> str:
    """Where the frames are on this machine.

    The manager puts the time into the path, and may write the rest in another platform's way.
    """
    if not submitted:
        return stored
    if "{timestamp}" not in submitted:
        return submitted
    times = _TIMESTAMP.findall(stored)
    return submitted.replace("{timestamp}", times[-1]) if times else ""


def find_frames(pattern: str, extension: str) -> dict[int, Path]:
    """The rendered frames of a pattern such as `/renders/shot/######`, by number, in order. Raises `OSError`."""
    path = Path(pattern)
    hashes = list(_HASHES.finditer(path.name))
    if not hashes:
        return {}
    last = hashes[-1]
    before, after = path.name[: last.start()], path.name[last.end() :]
    ending = re.escape(after + extension) if extension else re.escape(after) + r"\.[A-Za-z0-9]+"
    wanted = re.compile(f"{re.escape(before)}(-?[0-9]{{{len(last[0])},}}){ending}")
    found = {}
    for entry in os.scandir(path.parent):
        match = wanted.fullmatch(entry.name)
        if match and entry.is_file():
            found[int(match[1])] = Path(entry.path)
    return dict(sorted(found.items()))
