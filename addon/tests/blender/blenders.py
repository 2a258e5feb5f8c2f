# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs scripts in a real Blender: Debian's program, or the `bpy` module in a Python of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from whole_farm import ROOT

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE / "scripts"
ZIP = Path(os.environ.get("FLAMENCO_ADDON_ZIP") or ROOT / "target/flamenco-addon.zip")
#: No script takes this long, in seconds.
LIMIT = 240


@dataclasses.dataclass(frozen=True)
class Blender:
    """One Blender."""

    name: str
    #: What starts a script in it.
    command: tuple[str, ...]
    #: What a worker renders with; None for what is on the path.
    executable: Path | None

    def start(self, script: str, home: Path, arguments: dict[str, Any]) -> subprocess.Popen[str]:
        """Starts a script of `scripts`, with settings of its own in the folder `home`."""
        home.mkdir(parents=True, exist_ok=True)
        (home / "result.json").unlink(missing_ok=True)
        (home / "arguments.json").write_text(json.dumps({"zip": str(ZIP), **arguments}), encoding="utf-8")
        return subprocess.Popen(
            [*self.command, str(SCRIPTS / f"{script}.py"), "--", str(home)],
            env=self.environment(home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def environment(self, home: Path) -> dict[str, str]:
        """So that nothing of the person who runs the tests is read or written."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("BLENDER_", "FLAMENCO_"))}
        for name in ("RESOURCES", "CONFIG", "SCRIPTS", "EXTENSIONS", "DATAFILES"):
            folder = home / "blender" / name.lower()
            folder.mkdir(parents=True, exist_ok=True)
            own[f"BLENDER_USER_{name}"] = str(folder)
        own["XDG_CACHE_HOME"] = str(home / "cache")
        own["FLAMENCO_TEST_SCRIPTS"] = str(SCRIPTS)
        return own

    def run(self, script: str, home: Path, **arguments: Any) -> dict[str, Any]:
        """Runs a script to its end, and gives what it found out."""
        return self.finish(self.start(script, home, arguments), home)

    def finish(self, process: subprocess.Popen[str], home: Path) -> dict[str, Any]:
        """Waits for a script's end, and gives what it found out."""
        try:
            output, _ = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            raise AssertionError(f"{self.name} takes too long:\n{output[-4000:]}") from None
        result = home / "result.json"
        assert process.returncode == 0 and result.exists(), f"{self.name} failed:\n{output[-6000:]}"
        found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
        found["output"] = output
        return found


def debian() -> Blender:
    """The program on the path."""
    assert shutil.which("blender"), "Blender is missing: apt-get install blender"
    command = ("blender", "--background", "--factory-startup", "--python-exit-code", "1", "--python")
    return Blender("blender", command, None)


def module(version: str) -> Blender:
    """The `bpy` module of this version; `make test-addon` installs it."""
    folder = ROOT / f"target/venv-bpy-{version}"
    python = folder / "bin/python"
    assert python.exists(), f"{folder} is missing: run make test-addon"
    # Workers start a program, so the module gets a command line like Blender's.
    executable = folder / "bin/blender"
    executable.write_text(f'#!/bin/sh\nexec "{python}" "{HERE / "command_line.py"}" "$@"\n', encoding="utf-8")
    executable.chmod(0o755)
    return Blender(f"bpy {version}", (str(python),), executable)


def chosen() -> list[Blender]:
    """The Blenders to test in, by the variable `FLAMENCO_TEST_BLENDERS`, such as `blender bpy-5.0.1`."""
    wanted = os.environ.get("FLAMENCO_TEST_BLENDERS", "blender").split()
    return [debian() if name == "blender" else module(name.removeprefix("bpy-")) for name in wanted]


def window() -> Blender:
    """The program on the path with a window, on a screen that nobody sees."""
    for program, package in (("xvfb-run", "xvfb"), ("blender", "blender")):
        assert shutil.which(program), f"{program} is missing: apt-get install {package}"
    screen = ("xvfb-run", "--auto-servernum", "--server-args=-screen 0 1000x1000x24", "env", "LIBGL_ALWAYS_SOFTWARE=1")
    command = ("blender", "--factory-startup", "--window-geometry", "0", "0", "1000", "1000", "--python")
    return Blender("blender in a window", (*screen, *command), None)
