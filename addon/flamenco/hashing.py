# SPDX-License-Identifier: GPL-3.0-or-later
"""SHA-256 of files, remembered between submissions."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from pathlib import Path

from .progress import Progress

__all__ = ["HashCache", "hash_file"]

PIECE = 1024 * 1024
#: After how many seconds without use a hash is forgotten.
MAX_AGE = 60 * 24 * 3600.0
#: A file that changed this shortly before it was read may change again without its time showing it; in seconds.
GRACE = 2.0


def hash_file(path: Path, progress: Progress) -> tuple[str, int]:
    """The SHA-256 of a file in hexadecimal, and its size. Raises `OSError` and `Cancelled`."""
    digest = hashlib.sha256()
    size = 0
    # One buffer for all pieces: making a new one each time takes longer than reading into it.
    buffer = memoryview(bytearray(PIECE))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            progress.check()
            digest.update(buffer[:count])
            size += count
            progress.advance(count)
    return digest.hexdigest(), size


class HashCache:
    """Hashes by path, size and time of the last change. Can be used from several threads."""

    def __init__(self, path: Path | None) -> None:
        """Reads what was saved; None remembers nothing. A damaged file counts as empty."""
        self._path = path
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[int, int, str, float]] = {}
        self._is_new = False
        if path is not None:
            self._read(path)

    def _read(self, path: Path) -> None:
        now = time.time()
        try:
            for name, (size, modified, sha, used) in json.loads(path.read_text(encoding="utf-8")).items():
                if isinstance(sha, str) and len(sha) == 64 and now - MAX_AGE < used < now + 3600:
                    self._entries[name] = (int(size), int(modified), sha, float(used))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, AttributeError) as error:
            print(f"Flamenco: {path} is not used: {error}")

    def get(self, path: Path, progress: Progress) -> tuple[str, int]:
        """Hash and size of a file; counts its bytes in the progress. Raises `OSError` and `Cancelled`."""
        before = path.stat()
        with self._lock:
            known = self._entries.get(str(path))
        if known is not None and known[:2] == (before.st_size, before.st_mtime_ns):
            progress.check()
            progress.advance(before.st_size)
            self._keep(path, known[0], known[1], known[2])
            return known[2], before.st_size
        sha, size = hash_file(path, progress)
        after = path.stat()
        is_settled = time.time() - after.st_mtime > GRACE
        if is_settled and (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns):
            self._keep(path, size, after.st_mtime_ns, sha)
        return sha, size

    def forget(self, path: Path) -> None:
        """Makes sure that a file is read the next time."""
        with self._lock:
            self._is_new |= self._entries.pop(str(path), None) is not None

    def _keep(self, path: Path, size: int, modified: int, sha: str) -> None:
        with self._lock:
            self._entries[str(path)] = (size, modified, sha, time.time())
            self._is_new = True

    def save(self) -> None:
        """Writes what was learnt. Failing to only costs time at the next submission."""
        if self._path is None or not self._is_new:
            return
        with self._lock:
            text = json.dumps(self._entries, ensure_ascii=False, separators=(",", ":"))
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(text, encoding="utf-8")
            os.replace(temporary, self._path)
        except OSError as error:
            print(f"Flamenco: cannot remember the hashes of files: {error}")
