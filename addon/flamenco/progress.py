# SPDX-License-Identifier: GPL-3.0-or-later
"""What a submission is doing, shared between the thread that does it and the one that shows it."""

from __future__ import annotations

import collections
import dataclasses
import enum
import threading
import time
from collections.abc import Callable

__all__ = ["BUSY", "Cancelled", "Phase", "Progress", "Snapshot", "readable_size", "readable_time"]

#: Over how many seconds the rate is averaged.
RATE_WINDOW = 8.0
#: How often the rate is measured, in seconds.
RATE_STEP = 0.25


class Phase(str, enum.Enum):
    """What is being done. The names are those of `window_manager.flamenco_bat_status`."""

    IDLE = "IDLE"
    SAVING = "SAVING"
    INVESTIGATING = "INVESTIGATING"
    REWRITING = "REWRITING"
    MISSING_FILES = "MISSING_FILES"
    TRANSFERRING = "TRANSFERRING"
    COMMUNICATING = "COMMUNICATING"
    DONE = "DONE"
    ABORTING = "ABORTING"
    ABORTED = "ABORTED"
    FAILED = "FAILED"


#: In these phases something is going on.
BUSY = frozenset(
    {
        Phase.SAVING,
        Phase.INVESTIGATING,
        Phase.REWRITING,
        Phase.MISSING_FILES,
        Phase.TRANSFERRING,
        Phase.COMMUNICATING,
        Phase.ABORTING,
    }
)


class Cancelled(Exception):
    """The user does not want it any more."""


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """What is going on at one moment."""

    phase: Phase
    text: str
    done_bytes: int
    total_bytes: int
    #: Bytes per second; 0 when it is not known.
    rate: float

    @property
    def percentage(self) -> int:
        """0 to 100."""
        if self.total_bytes <= 0:
            return 0
        return min(100, int(100 * self.done_bytes / self.total_bytes))

    @property
    def amount(self) -> str:
        """How much is done, how fast, and how long the rest will take."""
        if self.total_bytes <= 0:
            return ""
        parts = [f"{readable_size(self.done_bytes)} of {readable_size(self.total_bytes)}"]
        if self.rate > 0:
            parts.append(f"{readable_size(self.rate)}/s")
            left = max(0, self.total_bytes - self.done_bytes)
            if left:
                parts.append(f"{readable_time(left / self.rate)} left")
        return ", ".join(parts)


class Progress:
    """Written by the threads that work, read by the one that draws."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._phase = Phase.IDLE
        self._text = ""
        self._done = 0
        self._total = 0
        self._samples: collections.deque[tuple[float, int]] = collections.deque()

    def enter(self, phase: Phase, text: str = "", total_bytes: int = 0) -> None:
        """Starts a phase. The amount starts at 0."""
        with self._lock:
            self._phase = phase
            self._text = text
            self._done = 0
            self._total = total_bytes
            self._samples.clear()
            self._samples.append((self._clock(), 0))

    def say(self, text: str) -> None:
        """What is happening now, such as the name of the file."""
        with self._lock:
            self._text = text

    def set_total(self, total_bytes: int) -> None:
        """Sets how many bytes there are to do."""
        with self._lock:
            self._total = total_bytes

    def advance(self, count: int) -> None:
        """Counts bytes; negative for those that have to be done again."""
        with self._lock:
            self._done += count
            now = self._clock()
            if now - self._samples[-1][0] >= RATE_STEP if self._samples else True:
                self._samples.append((now, self._done))
            while len(self._samples) > 2 and now - self._samples[0][0] > RATE_WINDOW:
                self._samples.popleft()

    def snapshot(self) -> Snapshot:
        """What is going on now."""
        with self._lock:
            return Snapshot(self._phase, self._text, self._done, self._total, self._rate())

    def _rate(self) -> float:
        if len(self._samples) < 2:
            return 0.0
        (start, before), (end, after) = self._samples[0], self._samples[-1]
        return max(0.0, (after - before) / (end - start)) if end > start else 0.0

    def cancel(self) -> None:
        """Asks for the end. Can be called from any thread."""
        self._cancelled.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether the end was asked for."""
        return self._cancelled.is_set()

    def check(self) -> None:
        """Raises `Cancelled` if the end was asked for."""
        if self._cancelled.is_set():
            raise Cancelled

    def sleep(self, seconds: float) -> None:
        """Waits; raises `Cancelled` as soon as the end is asked for."""
        if self._cancelled.wait(seconds):
            raise Cancelled


def readable_size(count: float) -> str:
    """Bytes, for people.

    >>> readable_size(1_234_567)
    '1.2 MB'
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} B"


def readable_time(seconds: float) -> str:
    """A duration, for people.

    >>> readable_time(3700)
    '1 h 02 min'
    """
    whole = max(1, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
