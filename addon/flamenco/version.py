# SPDX-License-Identifier: GPL-3.0-or-later
"""The version of the add-on."""

__all__ = ["VERSION"]

#: The same as in `bl_info`, which Blender takes away from extensions, in the manifest, and in Cargo.toml.
VERSION = (0, 1, 0)
