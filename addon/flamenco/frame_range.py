# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts the frames of a range such as `1-10,20..25,40`, by the rules of the manager."""

from __future__ import annotations

import re

__all__ = ["RangeError", "count_frames", "count_tasks", "first_frame", "frame_summary", "parse"]

_PART = re.compile(r"\s*\+?([0-9]+)\s*(?:(?:-|\.\.)\s*\+?([0-9]+)\s*)?", re.ASCII)


class RangeError(ValueError):
    """Not a range of frames."""


def parse(text: str) -> list[tuple[int, int]]:
    """The frames as sorted intervals that do not overlap; both ends are included."""
    intervals = []
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise RangeError(f"{part.strip()!r} is not a frame such as 47, or a range such as 1-30")
        first = int(match[1])
        last = int(match[2]) if match[2] else first
        if first <= last:
            intervals.append((first, last))
    if not intervals:
        raise RangeError(f"{text.strip()!r} contains no frame, because it counts backwards")
    merged: list[tuple[int, int]] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def count_frames(text: str) -> int:
    """How many frames a range has."""
    return sum(last - first + 1 for first, last in parse(text))


def count_tasks(text: str, chunk_size: int) -> int:
    """How many tasks render them; a task may span a gap."""
    if chunk_size < 1:
        raise RangeError("the chunk size must be 1 or more")
    return -(-count_frames(text) // chunk_size)


def first_frame(text: str) -> int:
    """The lowest frame."""
    return parse(text)[0][0]


def frame_summary(text: str, chunk_size: int) -> str:
    """Frames and tasks, for people.

    >>> frame_summary("1-250", 5)
    '250 frames in 50 tasks'
    """
    frames, tasks = count_frames(text), count_tasks(text, chunk_size)
    return f"{frames} frame{'s'[: frames != 1]} in {tasks} task{'s'[: tasks != 1]}"
