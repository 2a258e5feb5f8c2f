# SPDX-License-Identifier: GPL-3.0-or-later
"""Submits renders to the farm, and gets the frames back.

`flamenco_client`, and the modules here that do not import `bpy`, also work outside of Blender.
"""

bl_info = {
    "name": "Flamenco",
    "author": "The developers of this render farm",
    "version": (0, 1, 0),
    "blender": (3, 4, 0),
    "location": "Output Properties > Flamenco",
    "description": "Submit renders to your farm and get the frames back",
    "doc_url": "",
    "category": "System",
    "support": "COMMUNITY",
}

from . import loader

loader.provide_urllib3()


def register() -> None:
    """Called by Blender when the add-on is enabled."""
    from . import registration

    registration.register()


def unregister() -> None:
    """Called by Blender when the add-on is disabled."""
    from . import registration

    registration.unregister()
