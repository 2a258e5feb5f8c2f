# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts in panels that are longer than a line."""

from __future__ import annotations

from typing import Any

import bpy

__all__ = ["room", "wrapped"]

#: How wide a character is, in pixels, at the usual size of the interface.
CHARACTER = 7.5
#: What stands beside the text in a panel: symbol, borders, tabs; in pixels.
BESIDE = 90


def room() -> int:
    """How many characters fit into a line of the region that is drawn."""
    region = bpy.context.region
    width = region.width / bpy.context.preferences.system.ui_scale if region else 400
    return max(24, int((width - BESIDE) / CHARACTER))


def wrapped(column: Any, text: str, icon: str, width: int | None = None) -> None:
    """Shows a text in lines of at most `width` characters, by default as many as fit: labels do not wrap."""
    line, width = "", width or room()
    for word in text.split():
        if line and len(line) + len(word) >= width:
            column.label(text=line, icon=icon)
            icon, line = ("BLANK1" if icon != "NONE" else icon), ""
        line = f"{line} {word}".strip()
    column.label(text=line, icon=icon)
