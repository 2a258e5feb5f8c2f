# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs scripts in a real Blender: Debian's program, or the `bpy` module in a Python of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from whole_farm import KEPT, ROOT, environment

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
    #: Its major and minor version.
    version: tuple[int, int]
    #: Where it keeps the add-on once it is installed.
    scripts: Path

    @property
    def has_window(self) -> bool:
        """Whether it is a program."""
        return "--background" in self.command

    @property
    def has_extensions(self) -> bool:
        """Whether it installs extensions."""
        return self.version >= (4, 2)

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
        own = {name: value for name, value in environment().items() if not name.startswith(("BLENDER_", "FLAMENCO_"))}
        folders = {name: home / "blender" / name.lower() for name in ("RESOURCES", "CONFIG", "EXTENSIONS", "DATAFILES")}
        folders["SCRIPTS"] = self.scripts
        for name, folder in folders.items():
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


def program(path: str) -> Blender:
    """A program, by its path or its name."""
    found = shutil.which(path)
    assert found, f"{path} is missing: apt-get install blender"
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True, env=environment()).stdout
    version = re.search(r"Blender (\d+)\.(\d+)", said)
    assert version, f"{found} --version says: {said}"
    name = "blender" if path == "blender" else f"blender {version[1]}.{version[2]}"
    command = (found, "--background", "--factory-startup", "--python-exit-code", "1", "--python")
    executable = None if path == "blender" else Path(found)
    return Blender(name, command, executable, (int(version[1]), int(version[2])), KEPT / name / "scripts")


def module(version: str) -> Blender:
    """The `bpy` module of this version; `make test-addon` installs it."""
    folder = ROOT / f"target/venv-bpy-{version}"
    python = folder / "bin/python"
    assert python.exists(), f"{folder} is missing: run make test-addon"
    # Workers start a program, so the module gets a command line like Blender's.
    executable = folder / "bin/blender"
    executable.write_text(f'#!/bin/sh\nexec "{python}" "{HERE / "command_line.py"}" "$@"\n', encoding="utf-8")
    executable.chmod(0o755)
    major, minor = version.split(".")[:2]
    return Blender(f"bpy {version}", (str(python),), executable, (int(major), int(minor)), KEPT / version / "scripts")


def chosen() -> list[Blender]:
    """Those that `FLAMENCO_TEST_BLENDERS` names: programs by name or path, and modules such as `bpy-5.0.1`."""
    wanted = os.environ.get("FLAMENCO_TEST_BLENDERS", "blender").split()
    return [module(name.removeprefix("bpy-")) if name.startswith("bpy-") else program(name) for name in wanted]


def in_window(blender: Blender, *options: str) -> Blender:
    """The same program with a window, on a screen that nobody sees."""
    assert shutil.which("xvfb-run"), "xvfb-run is missing: apt-get install xvfb"
    screen = ("xvfb-run", "--auto-servernum", "--server-args=-screen 0 1000x1000x24", "env", "LIBGL_ALWAYS_SOFTWARE=1")
    place = ("--window-geometry", "0", "0", "1000", "1000")
    command = (*screen, blender.command[0], "--factory-startup", *place, *options, "--python")
    return dataclasses.replace(blender, name=f"{blender.name} in a window", command=command)
