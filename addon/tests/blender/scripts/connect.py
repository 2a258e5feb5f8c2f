# SPDX-License-Identifier: GPL-3.0-or-later
"""Types the address of a manager, and looks what is said about it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import inside

inside.connect()
inside.done(**inside.state())
