# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the packages of the add-on importable without installing anything."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
