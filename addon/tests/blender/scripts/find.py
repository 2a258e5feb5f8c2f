# SPDX-License-Identifier: GPL-3.0-or-later
"""Searches the network for a manager."""

import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).parent))
import inside

wanted = inside.install()
result = sorted(bpy.ops.flamenco.find_manager())
inside.done(result=result, url=wanted.manager_url, ping=bpy.context.window_manager.flamenco_status_ping)
