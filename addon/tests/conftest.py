# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the packages of the add-on importable without installing anything."""

import sys
from pathlib import Path

ADDON = Path(__file__).resolve().parent.parent

# The client is also used on its own, as pipeline scripts do.
sys.path[:0] = [str(ADDON), str(ADDON / "flamenco")]
