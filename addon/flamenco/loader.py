# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings in the libraries that are bundled with the add-on, without disturbing other add-ons.

Blender's own builds have urllib3; Debian's has not, so a copy is bundled. Blender Asset Tracer is loaded on its own:
another add-on may use another version of it.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path

__all__ = ["MissingLibrary", "asset_tracer", "provide_urllib3"]

WHEELS = Path(__file__).resolve().parent / "wheels"

_TRACER = "blender_asset_tracer"
#: What is used of the tracer, and what it imports only when it needs it.
_TRACER_MODULES = (
    "blender_asset_tracer.bpathlib",
    "blender_asset_tracer.blendfile",
    "blender_asset_tracer.blendfile.exceptions",
    "blender_asset_tracer.pack",
    "blender_asset_tracer.pack.progress",
    "blender_asset_tracer.trace",
    "blender_asset_tracer.trace.expanders",
    "blender_asset_tracer.trace.file_sequence",
)

#: multiprocessing, which the tracer imports, keeps the module of the running script under this name. Blender frees that
#: module when the script ends, and crashes when it looks through all modules at its own end.
_MAIN_ALIAS = "__mp_main__"

_loaded: dict[str, types.ModuleType] = {}


class MissingLibrary(Exception):
    """A bundled library is not where it should be."""


def provide_urllib3() -> None:
    """Makes `import urllib3` work, with the bundled one if Python has none."""
    try:
        importlib.import_module("urllib3")
    except ImportError:
        sys.path.append(str(_wheel("urllib3")))
        importlib.import_module("urllib3")


def asset_tracer(module: str) -> types.ModuleType:
    """A module of the bundled Blender Asset Tracer, such as "pack".

    Raises `MissingLibrary`.
    """
    if not _loaded:
        if _is_installed():
            _loaded.update(_import_tracer())
        else:
            with _isolated(_wheel(_TRACER)):
                _loaded.update(_import_tracer())
    return _loaded[f"{_TRACER}.{module}"]


def _import_tracer() -> dict[str, types.ModuleType]:
    had_alias = _MAIN_ALIAS in sys.modules
    loaded = {name: importlib.import_module(name) for name in _TRACER_MODULES}
    if not had_alias:
        sys.modules.pop(_MAIN_ALIAS, None)
    return loaded


def _is_installed() -> bool:
    """Whether Blender has installed the wheel, which it does for extensions, and no other version won over it."""
    if not __name__.startswith("bl_ext."):
        return False
    try:
        version = getattr(importlib.import_module(_TRACER), "__version__", "")
    except ImportError:
        return False
    return str(version).startswith("1.")


def _wheel(prefix: str) -> Path:
    found = sorted(WHEELS.glob(f"{prefix}-*.whl"))
    if not found:
        raise MissingLibrary(
            f"{WHEELS} has no {prefix}: the add-on is not complete; install flamenco-addon.zip from the manager's page"
        )
    return found[-1]


@contextlib.contextmanager
def _isolated(wheel: Path) -> Iterator[None]:
    """Imports come from the wheel first; afterwards everything is as it was before, in the same objects."""
    path = list(sys.path)
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_tracer(name)}
    sys.path.insert(0, str(wheel))
    try:
        yield
    finally:
        sys.path[:] = path
        for name in [name for name in sys.modules if _is_tracer(name)]:
            del sys.modules[name]
        sys.modules.update(hidden)


def _is_tracer(name: str) -> bool:
    return name == _TRACER or name.startswith(_TRACER + ".")
